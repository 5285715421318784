#!/bin/bash
# on-stack.sh DIR BLOCK - runs a block of the guide on the stack in DIR: its paths in place of the guide's, and the
# stack's own ways of reaching its parts in place of the system's. No command is left out.
#
# Environment: TEST_STACK, scripts/stack; SOURCES, the checkout; BACKUPS, a folder in place of /var/backups.
set -euo pipefail

# shellcheck disable=SC2034  # for the files that are sourced
DIR=$1 BLOCK=$2 ROOT=$SOURCES MYSQLD='' PROGRAM=on-stack
# shellcheck source=/dev/null
for part in parts mariadb mailboxd nginx mail dovecot janitor postfix; do . "$ROOT/scripts/lib/$part.sh"; done
# shellcheck source=/dev/null
. "$DIR/stack.env"
owner=$(stat -c %U:%G "$STORE")
commands=$(sed -e "s|https://mail.example.org|$API_URL|g; s|smtp://mail.example.org|smtp://127.0.0.1:$SMTP_PORT|g" \
    -e "s|imaps://mail.example.org|imap://127.0.0.1:$IMAP_PORT|g" \
    -e "s|/etc/mailboxd/migrate-db-password|$DIR/secrets/mailboxd_migrate|g; s|/usr/share/mailboxd/sql|$SOURCES/sql|g" \
    -e "s|/srv/mail|$STORE|g; s|vmail:vmail|$owner|g; s|/var/backups|$BACKUPS|g; s|/var/lib/mysql|$DIR/mariadb|g" "$BLOCK")

mailboxctl() { "$MAILBOXCTL" --config "$MAILBOXD_CONF" "$@"; }
mailboxd() { "$DIR/bin/mailboxd" --config "$MAILBOXD_CONF" "$@"; }
mariadb() { command mariadb --no-defaults --socket="$DB_SOCKET" --user="$DB_ADMIN_USER" "$@"; }
mariadb-dump() { command mariadb-dump --no-defaults --socket="$DB_SOCKET" --user="$DB_ADMIN_USER" "$@"; }
curl() { command curl --silent --show-error --noproxy '*' "$@"; }
journalctl() { cat "$DIR/log/mailboxd.log"; }

# The service manager of a stack is scripts/stack: it starts whatever does not run.
systemctl()
{
    local verb=$1 unit
    shift
    case $verb in
        reload) part_signal "$1" HUP ;;
        stop)
            for unit in "$@"; do
                case $unit in
                    mailboxd.socket) ;;    # the stack's mailboxd opens its own
                    mailboxd-janitor) janitor_stop ;;
                    mailboxd | dovecot | postfix) "${unit}_stop" ;;
                    *) die "There is no unit $unit here." ;;
                esac
            done ;;
        start)
            "$TEST_STACK" up --dir "$DIR"
            # shellcheck source=/dev/null
            . "$DIR/stack.env" ;;
        *) die "Nothing is known of systemctl $verb." ;;
    esac
}

eval "$commands"
