# shellcheck shell=bash
# janitor.sh - runs `mailboxctl janitor` beside Dovecot: it ends sessions and removes mail that was
# deleted long enough ago.
#
# Expects DIR and the variables and functions of mailboxd.sh. If root starts the janitor, it changes
# to the owner of the mail (store_user).

janitor_start()
{
    secret_file mailboxd_janitor
    mkdir -p "$DIR/janitor"
    ((EUID != 0)) || chown "$(mail_os_user)" "$DIR/janitor"
    part_start janitor "$MAILBOXCTL" --config "$MAILBOXD_CONF" janitor --watch
    part_await janitor 10 janitor_watches
}

janitor_watches()
{
    # shellcheck disable=SC2154  # parts.sh's
    tail -c "+${part_log_start[janitor]:-1}" "$DIR/log/janitor.log" 2>/dev/null | grep janitor-started >/dev/null
}

janitor_stop() { part_stop janitor TERM:20; }
