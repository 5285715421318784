# shellcheck shell=bash
# haproxy.sh - runs HAProxy before the cluster of galera.sh. It leads the service, Postfix and Dovecot
# to one node at a time.
#
# HAPROXY_SOCKET leads to the writer over TCP, as on a server.
# DB_SOCKET leads the administrator to the same node. Only we may use it: it leads to the node's own
# socket, where a server knows the administrator by the user who connects, and that is HAProxy.
#
# Expects DIR, ROOT and the functions of parts.sh and galera.sh.

HAPROXY_SOCKET="$DIR/run/db/sql.sock"
HAPROXY_STATS="$DIR/run/haproxy.stats"

haproxy_configure()
{
    mkdir -p "$DIR/run/db" "$DIR/haproxy"
    write_file 600 "$DIR/haproxy/haproxy.cfg" < <(haproxy_configuration)
}

haproxy_configuration()
{
    local node
    fill_in "$ROOT/conf/cluster/haproxy.cfg" USER "$(id -un)" STATS "$HAPROXY_STATS" SOCKET "$HAPROXY_SOCKET" \
        NODE1 "$(galera_address 1):$GALERA_PORT" NODE2 "$(galera_address 2):$GALERA_PORT" \
        NODE3 "$(galera_address 3):$GALERA_PORT"
    cat <<END

backend administrator
    stick on int(1) table writer
END
    for node in "${GALERA_NODES[@]}"; do
        echo "    server n$node unix@$GALERA_DIR/n$node/my.sock track writer/n$node$( ((node == 1)) || echo ' backup')" \
            "on-marked-down shutdown-sessions"
    done
    cat <<END
frontend administrator_in
    bind unix@$DB_SOCKET mode 600
    default_backend administrator
END
}

haproxy_start()
{
    rm -f "$DB_SOCKET" "$HAPROXY_SOCKET" "$HAPROXY_STATS"
    node_client 1 -e "CREATE USER IF NOT EXISTS 'haproxy'@'%'" || return
    part_start haproxy "$(type -P haproxy)" -db -f "$DIR/haproxy/haproxy.cfg"
    part_await haproxy 20 db_answers
}

haproxy_stop() { part_stop haproxy TERM:10; }
