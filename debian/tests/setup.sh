# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the scripts that include this file use HOST and set log
# setup.sh - functions for the tests of `mailboxctl setup`: what a machine is before and after, and
# mail by SMTP and IMAP.
#
# Expects packages.sh, and `log`, the path of a file for a command's output.

readonly HOST=mail.example.org DOMAIN=example.org
readonly SECRETS=/etc/mailboxd

# prints_files DIR...: prints type, mode, owner, name and target of everything below, and the files' checksums.
# With TIMES=yes, also when each was changed.
prints_files()
{
    local format='%y %m %u:%g %p %l\n'
    [[ ${TIMES:-} != yes ]] || format='%y %m %u:%g %T@ %p %l\n'
    find "$@" -xdev -printf "$format" 2>/dev/null | LC_ALL=C sort || true
    find "$@" -xdev -type f -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort -k 2 || true
}

# Prints the databases and the users of the database server, if one runs and lets root in.
databases()
{
    mariadb --skip-column-names -e 'SHOW DATABASES; SELECT User, Host FROM mysql.user ORDER BY 1, 2' 2>/dev/null || true
}

# Prints what `mailboxctl setup` could change: /etc, its own folder, databases, packages, users.
state()
{
    prints_files /etc /usr/share/mailboxd /var/lib/mailboxd /srv
    databases
    dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n'
    getent passwd
}

# Prints when each unit was started, and what it was told since.
readonly UNITS=(mailboxd.socket mailboxd.service mailboxd-janitor.service nginx.service dovecot.service postfix.service
    postfix@-.service mariadb.service postsrsd.service)
units()
{
    local unit
    for unit in "${UNITS[@]}"; do
        systemctl show --property Id,ActiveState,MainPID,ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic "$unit"
        systemctl is-enabled "$unit" 2>&1 || true
    done
    journalctl --quiet --no-pager --output=cat -t systemd | grep -c 'Reload\|Restart\|Stopped' || true
}

# unchanged COMMAND...: true if the command changed nothing that `state` prints. Its output is in `said`, its exit
# status in `status`.
unchanged()
{
    state >before
    status=0
    "$@" >said 2>&1 </dev/null || status=$?
    cat said
    state >after
    diff -u before after
}

# refused SENTENCE COMMAND...: true if the command ends with 1, says the sentence (a regular expression of grep -E), and
# changes nothing.
refused()
{
    local sentence=$1
    shift
    unchanged "$@" || return 1
    ((status == 1)) || { echo "its exit status is $status"; return 1; }
    grep -Eq "$sentence" said || { echo "it does not say: $sentence"; return 1; }
}

# eventually COMMAND...: true if the command succeeds within a minute.
eventually()
{
    local i
    for ((i = 0; i < 300; i++)); do
        ! "$@" || return 0
        sleep 0.2
    done
    return 1
}

# install_own: installs the packages under test.
install_own() { apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install ./new/mailbox*.deb >"$log" 2>&1 || { cat "$log"; exit 1; }; }

# wanted PACKAGE...: installs Debian's packages, and starts what they bring, as an administrator does.
wanted() { apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }; }

# send FROM TO SUBJECT [CURL'S ARGUMENT...]: gives a message to port 25, or where the arguments say.
send()
{
    local from=$1 to=$2 subject=$3
    shift 3
    printf 'From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMessage-Id: <%s@test.invalid>\r\n\r\nHello.\r\n' \
        "$from" "$to" "$subject" "$RANDOM$RANDOM" >message
    (($#)) || set -- smtp://127.0.0.1:25/client.example.net
    curl -sS --max-time 30 --mail-from "$from" --mail-rcpt "$to" --upload-file message "$@"
}

# has_mail USER PASSWORD SUBJECT [SERVER]: true if the user's INBOX has a message with that subject, read by IMAPS.
has_mail()
{
    [[ $(curl -sS -k --max-time 30 --user "$1:$2" "imaps://${4:-127.0.0.1}/INBOX" \
        -X "SEARCH HEADER Subject \"$3\"" 2>&1) =~ SEARCH\ [0-9] ]]
}

# Prints every password and key that lies in /etc/mailboxd.
secrets() { find "$SECRETS" -type f \( -name '*-password' -o -name doveadm-key \) -exec head -qn 1 {} +; }

# shows_no_secret FILE...: true if no password of /etc/mailboxd is in the files.
shows_no_secret()
{
    local secret
    while IFS= read -r secret; do
        [[ -z $secret ]] || ! grep -Fq -- "$secret" "$@" || { echo "a secret is in $*"; return 1; }
    done < <(secrets)
}

# Prints the files of /etc and the units that speak of mailboxd.
traces()
{
    find /etc -xdev \( -iname '*mailbox*' -o -type l -lname '*mailbox*' \) | LC_ALL=C sort
    grep -rlI mailboxd /etc 2>/dev/null | LC_ALL=C sort
}
