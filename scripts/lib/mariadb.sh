# shellcheck shell=bash
# mariadb.sh - runs a private database server in DIR: Debian's MariaDB, or the program that MYSQLD
# names.
#
# The server listens on DIR/run/db/mysql.sock only. Its only administrator is the system user who
# runs this script. The server recognises this user by the socket, without a password. Every other
# user needs a password.
#
# Expects DIR and MYSQLD (empty for Debian's MariaDB). DB_MORE_SETTINGS, if set, is added to the
# configuration. Provides DB_SOCKET, DB_PROGRAMS_SOCKET, CLUSTER, DB_ADMIN_USER, db_start, db_stop
# and db_client.

DB_SOCKET="$DIR/run/db/mysql.sock"
DB_ADMIN_USER=$(id -un)
# Only scripts/stack changes these two, for a cluster (galera.sh, haproxy.sh).
# shellcheck disable=SC2034  # for the files of the programs
DB_PROGRAMS_SOCKET=$DB_SOCKET    # which leads the programs to the database
CLUSTER=${CLUSTER:-}             # 3, or empty for one server

# Prints the system user that the server runs as: the owner of an existing database; otherwise
# mysql, if we are root and that user exists; otherwise ourselves. The server runs as root only if
# its settings name root.
db_os_user()
{
    if [[ -d $DIR/mariadb/data ]]; then
        stat -c %U "$DIR/mariadb/data"
    elif ((EUID == 0)) && id mysql >/dev/null 2>&1; then
        echo mysql
    else
        id -un
    fi
}

db_program() { type -P "${MYSQLD:-mariadbd}"; }

db_is_mariadb() { [[ $("$(db_program)" --no-defaults --version 2>/dev/null) == *MariaDB* ]]; }

# Runs the client as the administrator. Ignores ~/.my.cnf, because its settings are for other
# servers.
db_client()
{
    "$(type -P mariadb mysql | head -n 1)" --no-defaults --default-character-set=utf8mb4 --connect-timeout=5 \
        --batch --skip-column-names \
        --socket="$DB_SOCKET" --user="$DB_ADMIN_USER" "$@"
}

# Reads a table, because a server that accepts connections or answers `select 1` may not be ready
# yet.
db_answers() { db_client -e 'SELECT COUNT(*) FROM mysql.user' </dev/null >/dev/null 2>&1; }

db_start()
{
    local program new="$DIR/mariadb/data.new" data="$DIR/mariadb/data"
    [[ $DB_ADMIN_USER =~ ^[A-Za-z0-9._-]+$ ]] ||
        die "The database cannot have an administrator named '$DB_ADMIN_USER'; run this as a user whose name has only letters, digits, '.', '_' and '-'."
    program=$(db_program) || die "There is no server program ${MYSQLD:-mariadbd}."

    mkdir -p "$DIR/mariadb/tmp" "$DIR/run/db"
    chmod 700 "$DIR/mariadb/tmp"
    if ((EUID == 0)); then chown "$(db_os_user):" "$DIR/mariadb/tmp"; fi
    db_write_settings
    if [[ ! -d $data ]]; then
        # Creates the data under another name, so an interrupted attempt does not look like a
        # database.
        rm -rf "$new"
        mkdir -m 700 "$new"
        if ((EUID == 0)); then chown "$(db_os_user):" "$new" "$DIR/run/db"; fi
        db_create "$new" || return
        mv "$new" "$data"
    fi
    rm -f "$DB_SOCKET" "$DB_SOCKET.lock"
    part_start mariadb "$program" --defaults-file="$DIR/mariadb/my.cnf" --datadir="$data"
    part_await mariadb 120 db_answers
}

db_stop()
{
    # Waits until MariaDB has started, because after a TERM during its start it ends only after the
    # next connection.
    ! part_runs mariadb || wait_until 10 holds_or_ended mariadb db_answers || true
    part_stop mariadb TERM:60
}

db_write_settings()
{
    fill_in "$ROOT/scripts/templates/my.cnf" DIR "$DIR" USER "$(db_os_user)" SOCKET "$DB_SOCKET" \
        MORE_SETTINGS "${DB_MORE_SETTINGS:-}" >"$DIR/mariadb/my.cnf"
    chmod 644 "$DIR/mariadb/my.cnf"
}

db_create()
{
    local said="$DIR/log/mariadb-create.log"
    if db_is_mariadb; then
        db_create_mariadb "$1"
    else
        db_create_mysql "$1"
    fi >"$said" 2>&1 </dev/null || {
        say "The database could not be created; the end of $said:"
        tail -n 20 "$said" | sed 's/^/    /' >&2
        return 1
    }
}

db_create_mariadb()
{
    local installer=mariadb-install-db arguments=() tree=${MYSQLD%/*bin/*} found
    # A server that is unpacked in its own directory has its own installer there.
    if [[ $MYSQLD == */*bin/* ]]; then
        for found in "$tree"/{scripts,bin}/mariadb-install-db; do
            if [[ -x $found ]]; then
                installer=$found
                arguments=(--basedir="$tree")
            fi
        done
    fi
    # Runs in the parent directory, because the installer splits a path that has a space.
    interruptible env -C "$(dirname "$1")" TMPDIR="$DIR/mariadb/tmp" \
        "$installer" --no-defaults "${arguments[@]}" --user="$(db_os_user)" --datadir="./$(basename "$1")" \
        --auth-root-authentication-method=socket --auth-root-socket-user="$DB_ADMIN_USER" \
        --skip-test-db --skip-name-resolve --innodb-buffer-pool-size=32M
}

# A new MySQL has a root user without a password. So the first start listens in the data directory,
# which no other user may enter. There the users get the same login as MariaDB's: by the socket, as
# the system user of that name.
db_create_mysql()
{
    local first="$1/first.sock" name done=yes
    interruptible "$(db_program)" --no-defaults --initialize-insecure --user="$(db_os_user)" --datadir="$1" \
        --tmpdir="$DIR/mariadb/tmp" || return
    part_start mariadb "$(db_program)" --defaults-file="$DIR/mariadb/my.cnf" --datadir="$1" --socket="$first"
    part_await mariadb 120 test -S "$first" || return
    {
        echo "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';"
        for name in "$DB_ADMIN_USER" root; do
            echo "CREATE USER IF NOT EXISTS '$name'@'localhost';"
            echo "GRANT ALL ON *.* TO '$name'@'localhost' WITH GRANT OPTION;"
            echo "ALTER USER '$name'@'localhost' IDENTIFIED WITH auth_socket;"
        done
    } | db_client --socket="$first" --user=root || done=no
    db_stop
    [[ $done == yes ]]
}
