# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the scripts that include this file use key and set log
# packages.sh - functions that the tests of the packages share.
#
# Expects the function say. expect also needs log, the path of a file for a command's output.

# expect WHAT COMMAND...: runs the command and prints WHAT. If the command fails, prints its output
# and ends the test.
expect()
{
    local what=$1
    shift
    if "$@" >"$log" 2>&1; then
        say "  $what"
    else
        cat "$log"
        say "  NOT: $what"
        exit 1
    fi
}

not() { ! "$@"; }

# property UNIT NAME: prints a property of a unit. process_of prints the id of its main process; 0
# if none runs.
property() { systemctl show --property "$2" --value "$1"; }
process_of() { property "$1" MainPID; }

# fetch_packages: downloads the packages under test into new/, unless scripts/deb-roots has put them
# there.
fetch_packages()
{
    [[ ! -d new ]] || return 0
    mkdir new
    (cd new && apt-get -q download mailboxd mailboxctl)
}

# make_previous: writes the packages of new/ to old/, with a lower version and one more comment in
# the configuration.
make_previous()
{
    local package tree version
    mkdir -p old
    for package in new/*.deb; do
        tree=$(mktemp -d)
        dpkg-deb --raw-extract "$package" "$tree"
        version=$(dpkg-deb --field "$package" Version)
        sed -i "s/$version/0.0.9~old/" "$tree/DEBIAN/control"
        if [[ -f $tree/etc/mailboxd/mailboxd.conf ]]; then
            echo "# Of the previous release." >>"$tree/etc/mailboxd/mailboxd.conf"
        fi
        dpkg-deb --root-owner-group --build "$tree" old >/dev/null
        rm -rf "$tree"
    done
}

secret() { head -c 18 /dev/urandom | base64; }

# set_up: sets up the service as an operator does: the database with its users, the tables, the
# configuration, nginx and an account with a domain. Stores the account's API key in `key`.
set_up()
{
    local user password
    {
        echo "CREATE DATABASE mailboxd CHARACTER SET utf8mb4;"
        for user in api ctl migrate postfix dovecot janitor rehash; do
            password=$(secret)
            (umask 077; echo "$password" >"/root/$user-password")
            echo "CREATE USER 'mailboxd_$user'@'localhost' IDENTIFIED BY '$password';"
        done
        echo "GRANT ALL ON mailboxd.* TO 'mailboxd_migrate'@'localhost';"
    } | mariadb
    install -o mailboxd -m 400 /root/api-password /etc/mailboxd/db-password
    install -m 400 /root/ctl-password /etc/mailboxd/ctl-db-password
    mailboxctl migrate --db-user mailboxd_migrate --db-password-file /root/migrate-password
    mariadb mailboxd </usr/share/mailboxd/sql/grants.sql
    mailboxd -t
    # For the janitor. It runs here without a Dovecot.
    install -o vmail -m 400 /root/janitor-password /etc/mailboxd/janitor-db-password
    secret | install -o vmail -m 400 /dev/stdin /etc/mailboxd/doveadm-key
    install -d -o vmail -g vmail -m 700 /srv/mail

    cat >/etc/nginx/sites-available/default <<END
include /usr/share/mailboxd/nginx/mailboxd-http.conf;
server {
    listen 127.0.0.1:8080 default_server;
    include /usr/share/mailboxd/nginx/mailboxd-server.conf;
}
END
    systemctl restart nginx
    systemctl enable --now mailboxd.socket

    mailboxctl account add acme
    mailboxctl domain add example.org --account acme --no-postmaster
    key=$(mailboxctl key add --account acme)
}
