# shellcheck shell=bash
# mailboxd.sh - installs, configures and starts the service, and creates its tables and sample data.
#
# All programs run from copies in DIR, because the users nobody and www-data may be unable to read
# the checkout.
#
# Expects DIR, ROOT, BUILD (the directory of the built programs), WORKERS, DB_PROGRAMS_SOCKET (which leads
# the programs to the database), CLUSTER (empty for one server) and the functions of mariadb.sh. MAILBOXD_UNDER, if set, is a program with arguments that runs mailboxd
# (scripts/run-valgrind).

SOCKET="$DIR/run/mailboxd.sock"
WRITE_SOCKET="$DIR/run/mailboxd-write.sock"
METRICS_SOCKET="$DIR/run/metrics.sock"
MAILBOXCTL="$DIR/bin/mailboxctl"
MAILBOXD_CONF="$DIR/mailboxd.conf"
DB_NAME=mailboxd
DOMAIN=samples.mailgun.org
ACCOUNT=demo

readonly DB_USERS=(mailboxd_api mailboxd_ctl mailboxd_migrate mailboxd_postfix mailboxd_dovecot mailboxd_janitor
    mailboxd_rehash)

# Runs mailboxctl. Its stderr goes to a log, which is printed only if the command fails.
mailboxctl()
{
    local status=0
    "$MAILBOXCTL" --config "$MAILBOXD_CONF" "$@" 2>"$DIR/log/mailboxctl.log" || status=$?
    if ((status)); then
        say "mailboxctl $* ended with status $status:"
        sed 's/^/    /' "$DIR/log/mailboxctl.log" >&2
    fi
    return "$status"
}

mailboxd_install()
{
    mkdir -p "$DIR/bin"
    write_file 755 "$DIR/bin/mailboxd" <"$BUILD/mailboxd"
    write_file 755 "$MAILBOXCTL" <"$BUILD/mailboxctl"
}

mailboxd_configure()
{
    write_file 600 "$MAILBOXD_CONF" < <(mailboxd_configuration)
    secret_file mailboxd_api
    secret_file mailboxd_postfix
    # Postfix's policy service (sql/postfix/mailboxd-master.cf) needs the last file. It runs as the
    # same user here.
    give_to_service "$MAILBOXD_CONF" "$DIR/secrets/mailboxd_api" "$DIR/secrets/mailboxd_postfix"
}

# Gives files to the service's user: the master reads them again at a reload, when it no longer has
# root's rights.
give_to_service()
{
    ((EUID != 0)) || chown nobody "$@"
}

mailboxd_configuration()
{
    fill_in "$ROOT/scripts/templates/mailboxd.conf" DIR "$DIR" SOCKET "$SOCKET" WRITE_SOCKET "$WRITE_SOCKET" \
        METRICS_SOCKET "$METRICS_SOCKET" WORKERS "$WORKERS" DB_SOCKET "$DB_PROGRAMS_SOCKET" DB_NAME "$DB_NAME"
    # Long enough for HAProxy to take another node. Shorter, the service would take the database for one that hangs.
    [[ -z $CLUSTER ]] || echo "db_connect_timeout = 8"
    if ((EUID == 0)); then
        echo "user = nobody"
        echo "socket_group = www-data"
    fi
    if has_part janitor; then
        fill_in "$ROOT/scripts/templates/mailboxd-janitor.conf" DIR "$DIR"
        ((EUID != 0)) || echo "store_user = $(mail_os_user)"
        ! has_part postfix || echo "postfix = $POSTFIX_CONF"
    fi
    ! has_part rehash ||
        fill_in "$ROOT/scripts/templates/mailboxd-rehash.conf" DIR "$DIR" REHASH_SOCKET "$REHASH_SOCKET"
}

# secret_file NAME: creates DIR/secrets/NAME with a random password, unless it exists.
secret_file()
{
    local file="$DIR/secrets/$1"
    [[ -s $file ]] || write_file 600 "$file" < <(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
}

# Creates the database, its users, tables and grants, or updates them to this release.
mailboxd_prepare_database()
{
    local user password host
    host=$(db_users_host)
    {
        echo "CREATE DATABASE IF NOT EXISTS $DB_NAME CHARACTER SET utf8mb4;"
        for user in "${DB_USERS[@]}"; do
            secret_file "$user"
            password=$(<"$DIR/secrets/$user")
            printf "%s '%s'@'%s' IDENTIFIED BY '%s';\n" "CREATE USER IF NOT EXISTS" "$user" "$host" "$password" \
                "ALTER USER" "$user" "$host" "$password"
        done
        echo "GRANT ALL ON $DB_NAME.* TO 'mailboxd_migrate'@'$host';"
    } | db_client || return
    mailboxctl migrate --db-user mailboxd_migrate --db-password-file "$DIR/secrets/mailboxd_migrate" >/dev/null || return
    sed "s/@'localhost'/@'$host'/" "$ROOT/sql/grants.sql" | db_client "$DB_NAME"
}

# Prints where the programs connect from, as the server sees it: the nodes of a cluster see HAProxy.
db_users_host() { if [[ -n $CLUSTER ]]; then echo %; else echo localhost; fi; }

mailboxd_start()
{
    rm -f "$SOCKET" "$WRITE_SOCKET" "$METRICS_SOCKET"
    # shellcheck disable=SC2086  # several words
    part_start mailboxd ${MAILBOXD_UNDER:-} "$DIR/bin/mailboxd" --config "$MAILBOXD_CONF"
    part_await mailboxd 30 mailboxd_listens
}

mailboxd_listens() { [[ -S $SOCKET && -S $WRITE_SOCKET && -S $METRICS_SOCKET ]]; }

# Waits longer than stop_grace, because the service first answers the running requests.
mailboxd_stop() { part_stop mailboxd TERM:45; }

# lists NAME TYPE: true if `mailboxctl TYPE list` has the name.
lists() { mailboxctl "$2" list | grep -wF -- "$1" >/dev/null; }

# Creates the account, the domain with its postmaster@, and the API key, unless they exist.
mailboxd_add_samples()
{
    lists "$ACCOUNT" account || mailboxctl account add "$ACCOUNT" >/dev/null || return
    if ! lists "$DOMAIN" domain; then
        write_file 600 "$DIR/secrets/postmaster" < <(mailboxctl domain add "$DOMAIN" --account "$ACCOUNT") || return
        lists "$DOMAIN" domain || return
    fi
    [[ -s $DIR/secrets/api_key ]] || mailboxd_add_key
}

mailboxd_add_key()
{
    local key
    key=$(mailboxctl key add --account "$ACCOUNT" --label "local stack") || return
    write_file 600 "$DIR/secrets/api_key" <<<"$key"
}

# Requests the first page of the sample domain from nginx, with the key. Stores the status in
# API_STATUS; 000 if there is no answer.
api_ask()
{
    API_STATUS=$(printf 'user = "api:%s"\n' "$(<"$DIR/secrets/api_key")" |
        curl --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' --config - \
            "$API_URL/v3/$DOMAIN/mailboxes?limit=1") || API_STATUS=000
}

api_answers() { api_ask; [[ $API_STATUS == 200 ]]; }

# True if the API answers, even if it does not know the key.
api_decides() { api_ask; [[ $API_STATUS == 200 || $API_STATUS == 401 ]]; }
