#!/bin/bash
# on-stack.sh DIR BLOCK - runs a block of docs/guide.md on the stack in DIR: its paths in place of the guide's, and the
# stack's own ways of reaching its parts in place of the system's. No command is left out.
#
# Environment: TEST_STACK, scripts/stack; SOURCES, the checkout; BACKUPS, a folder in place of /var/backups.
set -euo pipefail

DIR=$1 BLOCK=$2
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
    case "$*" in
        'reload mailboxd') kill -HUP "$MASTER_PID" ;;
        'stop mailboxd.socket mailboxd mailboxd-janitor')
            kill "$MASTER_PID" "$JANITOR_PID"
            while kill -0 "$MASTER_PID" || kill -0 "$JANITOR_PID"; do sleep 0.05; done 2>/dev/null ;;
        'start mailboxd.socket mailboxd-janitor')
            "$TEST_STACK" up --dir "$DIR"
            . "$DIR/stack.env" ;;
        *) echo "on-stack.sh does not know: systemctl $*" >&2; return 1 ;;
    esac
}

eval "$commands"
