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
    local user group file files folder="$DIR/dovecot"
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
        if dovecot_is_24; then dovecot_24_configuration "$user"; else dovecot_23_configuration; fi
        dovecot_common_configuration "$user" "$group")
    if ((EUID == 0)); then
        chown "$user:$group" "$folder" "$folder"/{run,state} "$folder"/mailboxd* "$DOVECOT_CONF" "$DIR/mail" "$DIR/tls/key.pem"
    fi
}

# The configurations of 2.3 and 2.4 have little in common.
dovecot_is_24() { [[ $(dovecot --version) != 2.3.* ]]; }

# Ports, paths and users only; the rest is in the project's files. All of it runs as one user, so that nothing has a chroot.
dovecot_23_configuration()
{
    cat <<END
# Made by scripts/stack.
ssl = yes
ssl_cert = <$DIR/tls/cert.pem
ssl_key = <$DIR/tls/key.pem
# Loopback only: passwords may come in clear, too.
disable_plaintext_auth = no

service stats {
  chroot =
}
END
}

dovecot_24_configuration()
{
    cat <<END
# Made by scripts/stack.
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
ssl = yes
ssl_server_cert_file = $DIR/tls/cert.pem
ssl_server_key_file = $DIR/tls/key.pem
# Loopback only: passwords may come in clear, too.
auth_allow_cleartext = yes

# It writes statistics only, and the folder is not its own.
service anvil {
  user = $1
}
END
}

dovecot_common_configuration()
{
    cat <<END
base_dir = $DIR/dovecot/run
state_dir = $DIR/dovecot/state
log_path = /dev/stderr
instance_name = mailboxd
protocols = imap pop3 lmtp
listen = 127.0.0.1

default_internal_user = $1
default_internal_group = $2
default_login_user = $1
first_valid_uid = $(id -u "$1")
first_valid_gid = $(id -g "$1")

doveadm_password = $(<"$DIR/secrets/doveadm")

!include $DIR/dovecot/mailboxd-server.conf
!include $DIR/dovecot/mailboxd.conf

# Without the penalty that grows with each wrong password from an address, since all come from the same one here. Each
# alone still costs two seconds.
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener postfix {
    mode = 0666
  }
}
service auth-worker {
  user = $1
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $IMAP_PORT
  }
  inet_listener imaps {
    port = $IMAPS_PORT
    ssl = yes
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = $POP3_PORT
  }
  inet_listener pop3s {
    port = $POP3S_PORT
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    port = $LMTP_PORT
  }
}
service doveadm {
  inet_listener http {
    port = $DOVEADM_PORT
  }
}
END
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
