# shellcheck shell=bash
# dovecot.sh - runs the stack's own Dovecot: IMAP, POP3 and LMTP for the mailboxes, as one
# unprivileged user.
#
# The configuration includes the project's files for Dovecot 2.3 or 2.4 as an operator includes
# them. It adds only ports, paths and users; a story checks this. It reads no file of the system's
# Dovecot.
#
# Expects DIR, ROOT, DB_PROGRAMS_SOCKET, DB_NAME, the ports, and the functions of mailboxd.sh and mail.sh.
# Provides DOVECOT_CONF, dovecot_configure, dovecot_start (returns 2 if another program has a port),
# dovecot_reload and dovecot_stop.

DOVECOT_CONF="$DIR/dovecot/dovecot.conf"

dovecot_configure()
{
    local user group file files release folder="$DIR/dovecot"
    user=$(mail_os_user)
    group=$(id -gn "$user")
    tls_certificate || die "The certificate could not be created; see $DIR/log/tls.log."
    mkdir -p "$folder" "$folder/run" "$folder/state" "$DIR/mail"
    chmod 755 "$folder" "$folder/run"
    chmod 700 "$folder/state" "$DIR/mail"
    secret_file doveadm
    secret_file mailboxd_dovecot
    files="$ROOT/sql/dovecot"
    ! dovecot_is_24 || files+=-2.4
    for file in "$files"/*; do
        write_file 600 "$folder/${file##*/}" < <(fill_in "$file" \
            FILES "$folder" STORE "$DIR/mail" STORE_USER "$user" STORE_GROUP "$group" \
            DB_SOCKET "$DB_PROGRAMS_SOCKET" DB_NAME "$DB_NAME" 'DB_PASSWORD<' "$DIR/secrets/mailboxd_dovecot" \
            'DOVEADM_KEY<' "$DIR/secrets/doveadm")
    done
    write_file 600 "$DOVECOT_CONF" < <(
        if dovecot_is_24; then release=2.4; else release=2.3; fi
        dovecot_template "dovecot-$release.conf" "$user" "$group"
        dovecot_template dovecot.conf "$user" "$group")
    if has_part rehash; then rehash_configure; else rm -rf "$folder/rehash"; fi
    if ((EUID == 0)); then
        chown "$user:$group" "$folder" "$folder"/{run,state} "$folder"/mailboxd* "$DOVECOT_CONF" "$DIR/mail" "$DIR/tls/key.pem"
    fi
}

# Dovecot 2.3 and 2.4 need different configurations; few settings have the same name in both.
dovecot_is_24() { [[ $(dovecot --version) != 2.3.* ]]; }

# dovecot_template FILE USER GROUP: prints the template with ports, paths and users filled in. No
# process has a chroot, because all run as one user.
dovecot_template()
{
    fill_in "$ROOT/scripts/templates/$1" DIR "$DIR" USER "$2" GROUP "$3" UID "$(id -u "$2")" GID "$(id -g "$2")" \
        'DOVEADM_KEY<' "$DIR/secrets/doveadm" IMAP_PORT "$IMAP_PORT" IMAPS_PORT "$IMAPS_PORT" \
        POP3_PORT "$POP3_PORT" POP3S_PORT "$POP3S_PORT" LMTP_PORT "$LMTP_PORT" DOVEADM_PORT "$DOVEADM_PORT"
}

dovecot_start()
{
    local as=()
    # A killed Dovecot leaves this file. Dovecot would take another process with the same id for the
    # running master.
    rm -f "$DIR/dovecot/run/master.pid"
    if ((EUID == 0)); then as=(setpriv --reuid=dovecot --regid=dovecot --clear-groups); fi
    part_start dovecot "${as[@]}" "$(type -P dovecot)" -F -c "$DOVECOT_CONF"
    if wait_until 30 holds_or_ended dovecot dovecot_answers && ! part_runs dovecot && dovecot_lost_a_port; then return 2; fi
    part_await dovecot 1 dovecot_answers
}

# True if another program took a port before Dovecot opened it.
dovecot_lost_a_port()
{
    tail -c "+${part_log_start[dovecot]:-1}" "$DIR/log/dovecot.log" 2>/dev/null | grep 'Address already in use' >/dev/null
}

# Checks Dovecot's log first, because another stack's Dovecot may answer on these ports.
dovecot_answers()
{
    tail -c "+${part_log_start[dovecot]:-1}" "$DIR/log/dovecot.log" 2>/dev/null | grep 'starting up for' >/dev/null &&
        greets "$IMAP_PORT" '* OK' && greets "$POP3_PORT" '+OK' && greets "$LMTP_PORT" 220
}

# Replaces all helper processes. Waits until no new connection can reach a process from before: a
# helper whose database connection was lost would keep its client waiting for up to a minute.
dovecot_reload()
{
    local pids before
    before=$(dovecot_socket)
    part_processes_named dovecot lmtp quota-status
    part_signal dovecot HUP
    wait_until 30 dovecot_has_new_sockets "$before" || say "Dovecot did not reload within 30 s; see $DIR/log/dovecot.log."
    await_end "${pids[@]}"
}

# A reload recreates the sockets.
dovecot_socket() { stat -c '%i %y' "$DIR/dovecot/run/auth-userdb" 2>/dev/null; }
dovecot_has_new_sockets()
{
    local now
    now=$(dovecot_socket) && [[ $now != "$1" ]]
}

dovecot_stop() { part_stop dovecot TERM:20; }
