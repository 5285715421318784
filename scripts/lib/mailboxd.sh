# shellcheck shell=bash
# mailboxd.sh - the service itself: its programs, its configuration, its tables, and something to begin with.
#
# Everything runs from copies in DIR: other users of the system (nobody, www-data) need not read the checkout.
#
# Expects DIR, ROOT, BUILD (the built programs), WORKERS and the functions of mariadb.sh, and perhaps MAILBOXD_UNDER, a
# program with its arguments to run mailboxd with (scripts/run-valgrind).

SOCKET="$DIR/run/mailboxd.sock"
WRITE_SOCKET="$DIR/run/mailboxd-write.sock"
MAILBOXCTL="$DIR/bin/mailboxctl"
MAILBOXD_CONF="$DIR/mailboxd.conf"
DB_NAME=mailboxd
DOMAIN=samples.mailgun.org
ACCOUNT=demo

readonly DB_USERS=(mailboxd_api mailboxd_ctl mailboxd_migrate mailboxd_postfix mailboxd_dovecot mailboxd_janitor)

# What it tells besides its result goes to a log, and to the user only if it fails.
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
    # The latter for Postfix's policy service (sql/postfix/mailboxd-master.cf), which is the same user here.
    give_to_service "$MAILBOXD_CONF" "$DIR/secrets/mailboxd_api" "$DIR/secrets/mailboxd_postfix"
}

# The master reads both again when it is told to reload, and has long dropped root's rights then.
give_to_service()
{
    ((EUID != 0)) || chown nobody "$@"
}

mailboxd_configuration()
{
    fill_in "$ROOT/scripts/templates/mailboxd.conf" DIR "$DIR" SOCKET "$SOCKET" WRITE_SOCKET "$WRITE_SOCKET" \
        WORKERS "$WORKERS" DB_SOCKET "$DB_SOCKET" DB_NAME "$DB_NAME"
    if ((EUID == 0)); then
        echo "user = nobody"
        echo "socket_group = www-data"
    fi
    if has_part janitor; then
        fill_in "$ROOT/scripts/templates/mailboxd-janitor.conf" DIR "$DIR"
        ((EUID != 0)) || echo "store_user = $(mail_os_user)"
        ! has_part postfix || echo "postfix = $POSTFIX_CONF"
    fi
}

# secret_file NAME: makes DIR/secrets/NAME with a random password, if there is none yet.
secret_file()
{
    local file="$DIR/secrets/$1"
    [[ -s $file ]] || write_file 600 "$file" < <(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
}

# Database, users, tables, rights: made, or brought to this release's state.
mailboxd_prepare_database()
{
    local user password
    {
        echo "CREATE DATABASE IF NOT EXISTS $DB_NAME CHARACTER SET utf8mb4;"
        for user in "${DB_USERS[@]}"; do
            secret_file "$user"
            password=$(<"$DIR/secrets/$user")
            printf "%s '%s'@'localhost' IDENTIFIED BY '%s';\n" "CREATE USER IF NOT EXISTS" "$user" "$password" \
                "ALTER USER" "$user" "$password"
        done
        echo "GRANT ALL ON $DB_NAME.* TO 'mailboxd_migrate'@'localhost';"
    } | db_client || return
    mailboxctl migrate --db-user mailboxd_migrate --db-password-file "$DIR/secrets/mailboxd_migrate" >/dev/null || return
    db_client "$DB_NAME" <"$ROOT/sql/grants.sql"
}

mailboxd_start()
{
    rm -f "$SOCKET" "$WRITE_SOCKET"
    # shellcheck disable=SC2086  # several words
    part_start mailboxd ${MAILBOXD_UNDER:-} "$DIR/bin/mailboxd" --config "$MAILBOXD_CONF"
    part_await mailboxd 30 mailboxd_listens
}

mailboxd_listens() { [[ -S $SOCKET && -S $WRITE_SOCKET ]]; }

# What runs is answered first: longer than its own stop_grace.
mailboxd_stop() { part_stop mailboxd TERM:45; }

lists() { mailboxctl "$2" list | grep -wF -- "$1" >/dev/null; }

# The account, the domain with its postmaster@, and the key, each if it is not there yet.
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

# Asks nginx for the samples' first page, with the key; the status into API_STATUS, 000 if there was no answer.
api_ask()
{
    API_STATUS=$(printf 'user = "api:%s"\n' "$(<"$DIR/secrets/api_key")" |
        curl --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' --config - \
            "$API_URL/v3/$DOMAIN/mailboxes?limit=1") || API_STATUS=000
}

api_answers() { api_ask; [[ $API_STATUS == 200 ]]; }

# Also when it does not know the key, which is then another matter.
api_decides() { api_ask; [[ $API_STATUS == 200 || $API_STATUS == 401 ]]; }
