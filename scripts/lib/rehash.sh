# shellcheck shell=bash
# rehash.sh - runs `mailboxctl rehash` beside Dovecot: it replaces old password hashes when their
# users log in.
#
# Expects DIR and the variables and functions of mailboxd.sh and dovecot.sh. If root starts it, it
# changes to store_user, which is Dovecot's user here, so that Dovecot can write to its socket.

REHASH_SOCKET="$DIR/dovecot/run/mailboxd-rehash"

# True if Dovecot can run the script that hands passwords over. Without that, the stack leaves this
# part out.
rehash_is_possible()
{
    local plugin
    for plugin in /usr/lib/dovecot/modules/auth/*lua*.so; do
        [[ ! -e $plugin ]] || return 0
    done
    return 1
}

# Fills in the files of sql/dovecot-rehash for Dovecot.
rehash_configure()
{
    local file folder="$DIR/dovecot/rehash"
    mkdir -p "$folder"
    chmod 700 "$folder"
    for file in "$ROOT"/sql/dovecot-rehash/*; do
        write_file 600 "$folder/${file##*/}" < <(fill_in "$file" FILES "$folder" REHASH_SOCKET "$REHASH_SOCKET")
    done
    ((EUID != 0)) || chown -R "$(mail_os_user)" "$folder"
}

rehash_start()
{
    secret_file mailboxd_rehash
    part_start rehash "$MAILBOXCTL" --config "$MAILBOXD_CONF" rehash
    part_await rehash 10 rehash_listens
}

rehash_listens()
{
    # shellcheck disable=SC2154  # parts.sh's
    tail -c "+${part_log_start[rehash]:-1}" "$DIR/log/rehash.log" 2>/dev/null | grep rehash-started >/dev/null
}

rehash_stop() { part_stop rehash TERM:20; }
