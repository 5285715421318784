# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # the script that includes this file sets SETUP and log
# obstacles.sh - what can be in the way of `mailboxctl setup`: each is named in a sentence that says what to do, the exit
# status is 1, and nothing is changed.

# Waits on a port until it is ended, as a program of somebody else.
take_port()
{
    systemd-run --quiet --unit="taker-$1" systemd-socket-activate --listen="$1" /bin/cat
    eventually port_is_taken "$1"
}
port_is_taken() { [[ -n $(ss -Hltn "sport = :$1") ]]; }
leave_port() { systemctl stop "taker-$1"; }

no_servers_yet()
{
    expect "a host name that does not resolve" refused 'nowhere\.example\.org.*(address|resolve).*(record|/etc/hosts)' \
        mailboxctl setup --host nowhere.example.org --domain "$DOMAIN" --yes

    printf 'Package: dovecot-mysql\nPin: release *\nPin-Priority: -1\n' >/etc/apt/preferences.d/none
    expect "a package that apt may not install" refused 'dovecot-mysql.*apt' "${SETUP[@]}" --yes
    rm /etc/apt/preferences.d/none

    mv /etc/apt/sources.list sources.list
    mv /var/lib/apt/lists lists
    mkdir /var/lib/apt/lists
    expect "no archive of packages" refused '(package|install).*sources' "${SETUP[@]}" --yes
    rm -rf /var/lib/apt/lists
    mv lists /var/lib/apt/lists
    # The lists are here, and the archive cannot be reached.
    echo 'deb [trusted=yes] http://192.0.2.1/debian ./' >/etc/apt/sources.list
    for file in /var/lib/apt/lists/*_Packages*; do cp "$file" "/var/lib/apt/lists/192.0.2.1_debian_._Packages"; done
    expect "no network" refused 'network' "${SETUP[@]}" --yes
    rm /var/lib/apt/lists/192.0.2.1*
    mv sources.list /etc/apt/sources.list

    take_port 25
    take_port 443
    expect "ports that other programs have" refused 'port 25 .*' "${SETUP[@]}" --yes
    expect "all of them are named at once" grep -q 'port 443 ' said
    leave_port 25
    leave_port 443

    mkdir -p /srv/mail
    mount -t tmpfs -o size=1m tmpfs /srv/mail
    expect "no space for mail" refused 'space.*/srv/mail' "${SETUP[@]}" --yes
    umount /srv/mail
    rmdir /srv/mail
    mount -t tmpfs -o size=4m tmpfs /var/cache/apt/archives
    expect "no space for packages" refused 'space.*/var/cache/apt' "${SETUP[@]}" --yes
    umount /var/cache/apt/archives
}

with_servers()
{
    local template=/usr/share/mailboxd/postfix/mailboxd-main.cf
    wanted mariadb-server nginx postfix dovecot-imapd openssl curl
    [[ -e /etc/postfix/main.cf ]] || postconf -e "myhostname = server.old.example"

    mariadb -e "ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('Secret-of-root')"
    expect "a database server that asks root for a password" refused '(password|database).*--db-admin' "${SETUP[@]}" --yes
    mariadb -pSecret-of-root -e "ALTER USER root@localhost IDENTIFIED VIA unix_socket"
    (umask 077; echo Wrong >admin-password)
    mariadb -e "CREATE USER admin@localhost IDENTIFIED BY 'Right'; GRANT ALL ON *.* TO admin@localhost WITH GRANT OPTION"
    expect "a wrong password of the administrator" refused 'database server does not accept admin.*--db-admin' \
        "${SETUP[@]}" --db-admin-user admin --db-admin-password-file admin-password --yes
    expect "a file with it that is not there" eval \
        'unchanged "${SETUP[@]}" --db-admin-user admin --db-admin-password-file no-such-file --yes && ((status)) && grep no-such-file said'
    mariadb -e 'DROP USER admin@localhost'
    systemctl stop mariadb
    expect "a database server that does not run" refused 'mariadb|MariaDB|database' "${SETUP[@]}" --yes
    systemctl start mariadb

    postconf -e "mydestination = \$myhostname, $DOMAIN, localhost"
    expect "mydestination with our domain" refused "$DOMAIN.*mydestination" "${SETUP[@]}" --yes
    postconf -e 'mydestination = $myhostname, localhost' "virtual_alias_domains = $DOMAIN"
    expect "virtual_alias_domains with our domain" refused "$DOMAIN.*virtual_alias_domains" "${SETUP[@]}" --yes
    postconf -X virtual_alias_domains

    cp -p $template template
    echo '# By hand.' >>$template
    expect "a template that was edited" refused "$template.*reinstall" "${SETUP[@]}" --yes
    cp -p template $template

    # Debian's own file has no rule.
    cp -p /etc/apparmor.d/usr.sbin.mariadbd profile
    printf 'abi <abi/3.0>,\nprofile mariadbd /usr/sbin/mariadbd {\n  /var/lib/mysql/** rwk,\n}\n' >/etc/apparmor.d/usr.sbin.mariadbd
    expect "an AppArmor profile in the way" refused 'AppArmor.*/etc/apparmor.d/usr.sbin.mariadbd' "${SETUP[@]}" --yes
    cp -p profile /etc/apparmor.d/usr.sbin.mariadbd

    with_databases
    several_at_once
}

with_databases()
{
    mariadb -e 'CREATE DATABASE mailboxd; CREATE TABLE mailboxd.customers (id INT PRIMARY KEY); INSERT INTO mailboxd.customers VALUES (1)'
    expect "a database of something else with our name" refused 'database mailboxd.*--db-name' "${SETUP[@]}" --yes
    mariadb -e 'DROP DATABASE mailboxd; CREATE DATABASE mailboxd; CREATE TABLE mailboxd.schema_version (version INT PRIMARY KEY);
        INSERT INTO mailboxd.schema_version VALUES (9999)'
    expect "tables of a later release" refused 'database mailboxd .*newer.*nstall' "${SETUP[@]}" --yes
    mariadb -e 'UPDATE mailboxd.schema_version SET version = 1'
    expect "tables of an earlier release" refused 'database mailboxd .*earlier.*migrate' "${SETUP[@]}" --yes
    mariadb -e 'DROP DATABASE mailboxd'
    mariadb -e "CREATE USER mailboxd_api@localhost IDENTIFIED BY 'of-somebody-else'"
    expect "a database user of somebody else" refused 'mailboxd_api' "${SETUP[@]}" --yes
    mariadb -e "DROP USER mailboxd_api@localhost"
}

several_at_once()
{
    postconf -e "mydestination = \$myhostname, $DOMAIN, localhost"
    take_port 465
    mkdir /srv/mail
    mount -t tmpfs -o size=1m tmpfs /srv/mail
    expect "three obstacles" refused "mydestination" mailboxctl setup --host nowhere.example.org --domain "$DOMAIN" --yes
    for word in 'port 465' /srv/mail nowhere.example.org; do expect "$word is named with the others" grep -q "$word" said; done
    umount /srv/mail
    rmdir /srv/mail
    leave_port 465
    postconf -e 'mydestination = $myhostname, localhost'
}

what_is_mistyped()
{
    local words
    for words in "--host mail" "--host mail.example.org --domain mail.example.org" "--host -x.example.org" "--host mail.example.org --only nothing" \
        "--host mail.example.org --certificate /nowhere.pem --key /nowhere.key" "--host mail.example.org --store relative" \
        "--host mail.example.org --certificate /etc/hostname" "--domain example.org" "--host mail.example.org --account ../x --domain example.org"; do
        # shellcheck disable=SC2086
        expect "refused: setup $words" eval 'unchanged mailboxctl setup '"$words"' --yes && ((status == 1 || status == 2)) && [[ -s said ]]'
    done
}

obstacles()
{
    name_is_known "$HOST"
    wanted iproute2
    fetch_packages
    install_own
    no_servers_yet
    with_servers
    what_is_mistyped
    expect "without obstacles it is carried out" carried_out
    expect "all is in order" is_in_order
}
