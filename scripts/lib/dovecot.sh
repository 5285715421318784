# shellcheck shell=bash
# dovecot.sh - a Dovecot of the stack's own: IMAP, POP3 and LMTP over the mailboxes, all of it as one unprivileged user.
#
# The project's files for Dovecot are included as an operator would include them, those for 2.3 or for 2.4; ports, paths and
# users are added here, and nothing else (a story compares the two). Nothing of the system's Dovecot is read.
#
# Expects DIR, ROOT, DB_SOCKET, DB_NAME and the functions of mailboxd.sh and mail.sh, with the ports chosen. Gives
# DOVECOT_CONF, dovecot_configure, dovecot_start (2 if a port was taken), dovecot_reload, dovecot_stop.

DOVECOT_CONF="$DIR/dovecot/dovecot.conf"

dovecot_configure()
{
    local user group file files release folder="$DIR/dovecot"
    user=$(mail_os_user)
    group=$(id -gn "$user")
    tls_certificate || die "The certificate could not be made; $DIR/log/tls.log tells why."
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
            DB_SOCKET "$DB_SOCKET" DB_NAME "$DB_NAME" DB_PASSWORD "$(<"$DIR/secrets/mailboxd_dovecot")" \
            DOVEADM_KEY "$(<"$DIR/secrets/doveadm")")
    done
    write_file 600 "$DOVECOT_CONF" < <(
        if dovecot_is_24; then release=2.4; else release=2.3; fi
        dovecot_template "dovecot-$release.conf" "$user" "$group"
        dovecot_template dovecot.conf "$user" "$group")
    if ((EUID == 0)); then
        chown "$user:$group" "$folder" "$folder"/{run,state} "$folder"/mailboxd* "$DOVECOT_CONF" "$DIR/mail" "$DIR/tls/key.pem"
    fi
}

# Dovecot 2.3 and 2.4 need different configurations; few settings have the same name in both.
dovecot_is_24() { [[ $(dovecot --version) != 2.3.* ]]; }

# dovecot_template FILE USER GROUP: prints the template: ports, paths and users only. All processes run as one user, so none
# has a chroot.
dovecot_template()
{
    fill_in "$ROOT/scripts/templates/$1" DIR "$DIR" USER "$2" GROUP "$3" UID "$(id -u "$2")" GID "$(id -g "$2")" \
        DOVEADM_KEY "$(<"$DIR/secrets/doveadm")" IMAP_PORT "$IMAP_PORT" IMAPS_PORT "$IMAPS_PORT" \
        POP3_PORT "$POP3_PORT" POP3S_PORT "$POP3S_PORT" LMTP_PORT "$LMTP_PORT" DOVEADM_PORT "$DOVEADM_PORT"
}

dovecot_start()
{
    local as=()
    # One that was killed leaves it behind, and whoever has its number meanwhile would be taken for it.
    rm -f "$DIR/dovecot/run/master.pid"
    if ((EUID == 0)); then as=(setpriv --reuid=dovecot --regid=dovecot --clear-groups); fi
    part_start dovecot "${as[@]}" "$(type -P dovecot)" -F -c "$DOVECOT_CONF"
    if wait_until 30 holds_or_ended dovecot dovecot_answers && ! part_runs dovecot && dovecot_lost_a_port; then return 2; fi
    part_await dovecot 1 dovecot_answers
}

# True when a port was taken between our look and its start.
dovecot_lost_a_port()
{
    tail -c "+${part_log_start[dovecot]:-1}" "$DIR/log/dovecot.log" 2>/dev/null | grep 'Address already in use' >/dev/null
}

# Its own word first: what answers might be another stack's that was faster.
dovecot_answers()
{
    tail -c "+${part_log_start[dovecot]:-1}" "$DIR/log/dovecot.log" 2>/dev/null | grep 'starting up for' >/dev/null &&
        greets "$IMAP_PORT" '* OK' && greets "$POP3_PORT" '+OK' && greets "$LMTP_PORT" 220
}

dovecot_reload() { part_signal dovecot HUP; }

dovecot_stop() { part_stop dovecot TERM:20; }
