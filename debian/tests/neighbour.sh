# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # setup.sh and the script that includes this file set log
# neighbour.sh - a server as many have it: nginx, Postfix and Dovecot for the domain old.example, with users in a file,
# certificates, a local.conf and a map of its own.
#
# Expects setup.sh.

readonly OLD=old.example OLD_PASSWORD='Old-and-trusted-1'

# certificate NAME: makes a self-signed one in /etc/ssl/old.
certificate()
{
    mkdir -p /etc/ssl/old
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
        -keyout "/etc/ssl/old/$1.key" -out "/etc/ssl/old/$1.pem" 2>/dev/null
}

neighbours_site()
{
    certificate www.$OLD
    mkdir -p /var/www/old
    echo "The old site." >/var/www/old/index.html
    rm -f /etc/nginx/sites-enabled/default
    cat >/etc/nginx/sites-available/old <<END
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name www.$OLD _;
    ssl_certificate /etc/ssl/old/www.$OLD.pem;
    ssl_certificate_key /etc/ssl/old/www.$OLD.key;
    root /var/www/old;
}
END
    ln -s ../sites-available/old /etc/nginx/sites-enabled/old
    nginx -t && systemctl restart nginx
}

neighbours_dovecot()
{
    local hash user
    groupadd --system vhost
    useradd --system --gid vhost --home-dir /var/vmail --shell /usr/sbin/nologin vhost
    install -d -o vhost -g vhost -m 700 /var/vmail
    hash=$(doveadm pw -s SHA512-CRYPT -p "$OLD_PASSWORD")
    for user in carl dora; do
        echo "$user@$OLD:$hash:$(id -u vhost):$(id -g vhost)::/var/vmail/$OLD/$user::"
    done >/etc/dovecot/users
    chgrp dovecot /etc/dovecot/users
    chmod 640 /etc/dovecot/users
    # As an administrator whose users are all virtual has it.
    sed -i 's/^!include auth-system/#&/' /etc/dovecot/conf.d/10-auth.conf
    sed -i 's/^ *auth_username_format/#&/' /etc/dovecot/conf.d/20-lmtp.conf
    {
        echo "# The server of $OLD."
        case $(dovecot --version) in
        2.3.*)
            cat <<END
ssl = required
ssl_cert = </etc/ssl/old/server.$OLD.pem
ssl_key = </etc/ssl/old/server.$OLD.key
mail_location = maildir:/var/vmail/%d/%n
passdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
END
            ;;
        *)
            cat <<END
ssl = required
ssl_server_cert_file = /etc/ssl/old/server.$OLD.pem
ssl_server_key_file = /etc/ssl/old/server.$OLD.key
mail_driver = maildir
mail_home = /var/vmail/%{user | domain}/%{user | username}
mail_path = ~/
mail_inbox_path =
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
END
            ;;
        esac
        cat <<END
auth_mechanisms = plain login
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    user = postfix
    group = postfix
    mode = 0660
  }
}
END
    } >/etc/dovecot/local.conf
    doveconf -n >/dev/null && systemctl restart dovecot
}

neighbours_postfix()
{
    echo "carl@$OLD x
dora@$OLD x" >/etc/postfix/vmailbox
    echo "info@$OLD carl@$OLD" >/etc/postfix/virtual
    [[ -e /etc/aliases ]] || echo 'postmaster: root' >/etc/aliases
    newaliases
    postmap /etc/postfix/vmailbox /etc/postfix/virtual
    postconf -e "myhostname = server.$OLD" 'mydestination = $myhostname, localhost' "virtual_mailbox_domains = $OLD" \
        'virtual_mailbox_maps = hash:/etc/postfix/vmailbox' 'virtual_alias_maps = hash:/etc/postfix/virtual' \
        'virtual_transport = lmtp:unix:private/dovecot-lmtp' "smtpd_tls_cert_file = /etc/ssl/old/server.$OLD.pem" \
        "smtpd_tls_key_file = /etc/ssl/old/server.$OLD.key" 'smtpd_sasl_type = dovecot' 'smtpd_sasl_path = private/auth' \
        'smtpd_recipient_restrictions = reject_unknown_recipient_domain' 'inet_interfaces = all' \
        'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination'
    postconf -M 'submission/inet=submission inet n - y - - smtpd'
    postconf -P submission/inet/syslog_name=postfix/submission submission/inet/smtpd_tls_security_level=encrypt \
        submission/inet/smtpd_sasl_auth_enable=yes \
        'submission/inet/smtpd_recipient_restrictions=permit_sasl_authenticated,reject'
    postfix check && systemctl restart postfix
}

# make_neighbour: makes that server.
make_neighbour()
{
    wanted nginx openssl curl dovecot-imapd dovecot-lmtpd postfix
    certificate server.$OLD
    neighbours_site && neighbours_dovecot && neighbours_postfix
}

neighbours_page() { [[ $(curl -sS -k --connect-to "::127.0.0.1:" "$1://www.$OLD/") == "The old site." ]]; }

# The certificate that a port shows, for the name that the client asks for.
shows_certificate()
{
    local name=$1 at=$2
    shift 2
    [[ $(openssl s_client -connect "127.0.0.1:$at" "$@" </dev/null 2>/dev/null | openssl x509 -noout -subject) == *"$name"* ]]
}

neighbours_mail()
{
    send stranger@client.invalid "carl@$OLD" "to-carl-$1" && send stranger@client.invalid "info@$OLD" "to-info-$1" &&
        send "carl@$OLD" "dora@$OLD" "to-dora-$1" --ssl-reqd -k --user "carl@$OLD:$OLD_PASSWORD" smtp://127.0.0.1:587/client
}

neighbours_mail_is_read()
{
    has_mail "carl@$OLD" "$OLD_PASSWORD" "to-carl-$1" && has_mail "carl@$OLD" "$OLD_PASSWORD" "to-info-$1" &&
        has_mail "dora@$OLD" "$OLD_PASSWORD" "to-dora-$1"
}

wrong_password_is_refused()
{
    [[ $(curl -sS -k --max-time 30 --user "carl@$OLD:wrong-password" imaps://127.0.0.1/INBOX 2>&1) == *"denied"* ]]
}

unknown_recipient_is_refused() { not send stranger@client.invalid "nobody@$OLD" none; }

# neighbour_works WORD: what the neighbour's users do every day. The word marks the messages.
neighbour_works()
{
    expect "the old site answers by http and https" eval 'neighbours_page http && neighbours_page https'
    expect "with its own certificate" shows_certificate "www.$OLD" 443 -servername "www.$OLD"
    expect "the old certificates are shown by IMAP and SMTP" eval \
        'shows_certificate server.$OLD 993 && shows_certificate server.$OLD 587 -starttls smtp'
    expect "old users get mail by port 25 and send by port 587" neighbours_mail "$1"
    expect "and read it" eventually neighbours_mail_is_read "$1"
    expect "a wrong password of theirs is refused" wrong_password_is_refused
    expect "an unknown recipient of theirs is refused" unknown_recipient_is_refused
}

# Prints the lines of the logs since a time that name the neighbour's users, without what differs each time.
neighbours_lines()
{
    {
        journalctl --quiet --no-pager --output=cat --since "$1"
        cat /var/log/nginx/error.log
    } | grep -E "$OLD|carl|dora|warning|error|fatal|panic" |
        sed -E 's/(session|msgid|message-id)=?<[^>]*>/\1/g; s/[A-Za-z0-9+/]{16,}/X/g; s/<[A-Za-z0-9+/]{8,}>/<X>/g; s/[0-9A-F]{8,}/X/g; s/([0-9]+\.)*[0-9]+/N/g' |
        LC_ALL=C sort -u
}
