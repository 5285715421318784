#!/bin/bash
# on-postfix.sh DIR WORD [NAME=VALUE...] - configures the Postfix in DIR/etc by the guide's commands: those of the
# blocks `WORD` that are about Postfix's files, with DIR's paths in place of the system's and these values in `fill`. No
# service is started. DIR/postfix-db-password has the password.
#
# Environment: SOURCES, the checkout; SMTP and SUBMISSION, what stands in master.cf in place of the names of these services.
set -euo pipefail
export PATH="$PATH:/usr/sbin"

DIR=$1 WORD=$2
shift 2
# shellcheck source=/dev/null
. "$SOURCES/scripts/lib/guide.sh"
guide_text "$SOURCES" >"$DIR/guide.md"

# The guide's filler.
sed -n "/^cat >\/etc\/mailboxd\/fill <<'END'/,/^END/p" "$DIR/guide.md" | sed '1d;$d' >"$DIR/fill"
sed -i "s|=/etc/mailboxd/doveadm-key|=$DIR/postfix-db-password|; s|mailboxctl fill-in|$SOURCES/build/mailboxctl fill-in|" "$DIR/fill"
for value in "$@"; do
    name=${value%%=*} value=${value#*=}
    sed -i "s|^    \[$name\]=.*|    [$name]='$value'|" "$DIR/fill"
done
chmod 700 "$DIR/fill"

# The blocks, with what else is in them left out.
commands=$(awk -v word="$WORD" '
    /^```/ { if (inside) { if (block ~ /fill .*postfix-db-password|postconf/ && block !~ /cat >\/etc\/mailboxd\/fill|doveconf/) printf "%s", block; inside = 0 }
             else { inside = 1; wanted = (" " substr($0, 4) " ") ~ (" " word " "); block = "" }
             next }
    inside && wanted { block = block $0 "\n" }' "$DIR/guide.md" |
    sed -e "s|/etc/mailboxd/fill|$DIR/fill|g; s|/usr/share/mailboxd|$SOURCES/sql|g; s|/etc/postfix|$DIR/etc|g" \
        -e "s|/etc/mailboxd/postfix-db-password|$DIR/postfix-db-password|g; s|/etc/aliases|$DIR/etc/aliases|g" \
        -e "s|/etc/ssl|$DIR/ssl|g; s|smtp/inet|${SMTP:-smtp}/inet|g; s/(submissions?|smtps)/(${SUBMISSION:-submissions?})/g")

postconf() { command postconf -c "$DIR/etc" "$@"; }
newaliases() { command postalias -c "$DIR/etc" "$DIR/etc/aliases"; }
postfix() { [[ $1 == check ]]; }
systemctl() { :; }

eval "$commands"
