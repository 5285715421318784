# shellcheck shell=bash
# galera.sh - runs three MariaDB servers with Galera in DIR/galera: n1, n2 and n3. Each has a loopback
# address of its own, because the ports of a cluster are fixed.
#
# `my.sock` and `my.pid` of node N are in DIR/galera/nN, its log is DIR/log/galeraN.log. The nodes
# accept the same administrator as the server of mariadb.sh, on my.sock.
#
# If GALERA_NAMESPACES is set, node N runs in the network namespace nN and has the address
# $GALERA_NAMESPACES.N there, so that it can be cut off (tests/torture). Whoever sets it has made the
# namespaces.
#
# Expects DIR, ROOT, the functions of mariadb.sh, and GALERA_NETWORK, which galera_choose_network sets.

GALERA_DIR="$DIR/galera"
readonly GALERA_NODES=(1 2 3)
readonly GALERA_PORT=33306

galera_address() { echo "${GALERA_NAMESPACES:-$GALERA_NETWORK}.$1"; }

# Chooses 127.0.X as the network, with an X that no other stack uses. Begins at a number made from
# the directory, because several stacks may start at the same time.
galera_choose_network()
{
    local first x i
    if [[ -n ${GALERA_NAMESPACES:-} || -n ${GALERA_NETWORK:-} ]]; then return; fi
    first=$(cksum <<<"$DIR")
    first=$((${first%% *} % 200))
    for ((i = 0; i < 200; i++)); do
        x=$((10 + (first + i) % 200))
        if ! (: <"/dev/tcp/127.0.$x.1/4567") 2>/dev/null && ! (: <"/dev/tcp/127.0.$x.1/$GALERA_PORT") 2>/dev/null; then
            GALERA_NETWORK=127.0.$x
            return
        fi
    done
    die "There is no free loopback network for the cluster."
}

# node_client N ARGUMENT...: runs the client as the administrator on one node.
node_client()
{
    local node=$1
    shift
    timeout 20 mariadb --no-defaults --default-character-set=utf8mb4 --connect-timeout=5 --batch --skip-column-names \
        --socket="$GALERA_DIR/n$node/my.sock" --user="$DB_ADMIN_USER" "$@"
}

# True if the node is part of the majority, in step with it, and takes statements.
node_is_synced()
{
    local found
    found=$(node_client "$1" -e "SELECT GROUP_CONCAT(variable_value ORDER BY variable_name) FROM information_schema.global_status
        WHERE variable_name IN ('wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_ready')" </dev/null 2>/dev/null) &&
        [[ $found == Primary,Synced,ON ]]
}

node_write_settings()
{
    local node=$1 place="$GALERA_DIR/n$1" all='' each
    for each in "${GALERA_NODES[@]}"; do all+=${all:+,}$(galera_address "$each"); done
    {
        printf '[mariadbd]\nuser = %s\n' "$(galera_os_user)"
        printf '%s = "%s"\n' datadir "$place/data" socket "$place/my.sock" pid_file "$place/my.pid" tmpdir "$place/tmp"
        printf '%s\n' 'innodb_buffer_pool_size = 64M' 'max_connections = 500' 'performance_schema = OFF' \
            'character_set_server = utf8mb4' "${DB_MORE_SETTINGS:-}"
        fill_in "$ROOT/conf/cluster/galera.cnf" ADDRESS "$(galera_address "$node")" PORT "$GALERA_PORT" NUMBER "$node" \
            ADDRESSES "$all" CACHE 64M
    } >"$place/my.cnf"
    chmod 644 "$place/my.cnf"
}

galera_os_user() { if ((EUID == 0)) && id mysql >/dev/null 2>&1; then echo mysql; else id -un; fi; }

node_make_folders()
{
    local place="$GALERA_DIR/n$1"
    mkdir -p "$place/tmp"
    chmod 755 "$GALERA_DIR" "$place"
    chmod 700 "$place/tmp"
    if ((EUID == 0)); then chown "$(galera_os_user):" "$place" "$place/tmp"; fi
}

# Creates the database of the first node. The others get a copy of it.
node_create_database()
{
    local data="$GALERA_DIR/n$1/data" said="$DIR/log/galera-create.log"
    [[ ! -d $data ]] || return 0
    rm -rf "$data.new"
    mkdir -m 700 "$data.new"
    if ((EUID == 0)); then chown "$(galera_os_user):" "$data.new"; fi
    interruptible env TMPDIR="$GALERA_DIR/n$1/tmp" mariadb-install-db --no-defaults --user="$(galera_os_user)" \
        --datadir="$data.new" --auth-root-authentication-method=socket --auth-root-socket-user="$DB_ADMIN_USER" \
        --skip-test-db --skip-name-resolve --innodb-buffer-pool-size=32M >"$said" 2>&1 </dev/null || {
        say "The database of the cluster could not be created; the end of $said:"
        tail -n 20 "$said" | sed 's/^/    /' >&2
        return 1
    }
    mv "$data.new" "$data"
}

# node_position N: prints UUID:SEQNO, the last change that the node has. Looks in InnoDB if the node
# crashed; nothing if it has no data.
node_position()
{
    local place="$GALERA_DIR/n$1" uuid seqno log
    [[ -f $place/data/grastate.dat ]] || return 0
    read -r _ uuid < <(grep '^uuid:' "$place/data/grastate.dat") || true
    read -r _ seqno < <(grep '^seqno:' "$place/data/grastate.dat") || true
    if [[ ${seqno:--1} == -1 ]]; then
        log="$place/recover.log"
        rm -f "$log"
        interruptible mariadbd --defaults-file="$place/my.cnf" --wsrep-recover --log-error="$log" >/dev/null 2>&1 || true
        sed -n 's/.*WSREP: Recovered position: *//p' "$log" | tail -n 1
    else
        echo "$uuid:$seqno"
    fi
}

# node_start N [--wsrep-new-cluster]: starts a node and waits until it is in step. After a crash the
# node is told its position, as Debian's unit does: otherwise it would take a whole copy.
node_start()
{
    local node=$1 place="$GALERA_DIR/n$1" position under=() extra=("${@:2}")
    # The one before may still be shutting down. A second one would take the socket away.
    wait_until 60 part_is_gone "galera$node" || part_stop "galera$node" KILL:1 || return
    node_make_folders "$node"
    node_write_settings "$node"
    if [[ ! -d $place/data ]]; then
        mkdir -m 700 "$place/data"
        if ((EUID == 0)); then chown "$(galera_os_user):" "$place/data"; fi
    fi
    rm -f "$place/my.sock" "$place/my.pid"
    position=$(node_position "$node")
    if [[ -n $position && $position != 00000000-* ]]; then extra+=(--wsrep-start-position="$position"); fi
    if [[ -n ${GALERA_NAMESPACES:-} ]]; then under=(ip netns exec "n$node"); fi
    part_start "galera$node" "${under[@]}" "$(type -P mariadbd)" --defaults-file="$place/my.cnf" "${extra[@]}"
    part_await "galera$node" 120 node_is_synced "$node"
}

# The stack stops n1 last, so that it can be the first one again.
node_stop()
{
    part_stop "galera$1" TERM:60
}

# Starts all nodes. If none runs, the one with the most changes begins the cluster.
galera_start()
{
    local node first=1 most=-1 position
    for node in "${GALERA_NODES[@]}"; do
        if part_runs "galera$node" && node_is_synced "$node"; then first=''; fi
    done
    if [[ -n $first ]]; then
        for node in "${GALERA_NODES[@]}"; do
            node_stop "$node" || return
            node_make_folders "$node"
            node_write_settings "$node"
        done
        for node in "${GALERA_NODES[@]}"; do
            position=$(node_position "$node")
            position=${position##*:}
            if ((${position:--1} > most)); then most=$position first=$node; fi
        done
        node_create_database "$first" || return
        if [[ -f $GALERA_DIR/n$first/data/grastate.dat ]]; then
            sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' "$GALERA_DIR/n$first/data/grastate.dat"
        fi
        node_start "$first" --wsrep-new-cluster || return
    fi
    for node in "${GALERA_NODES[@]}"; do
        if part_runs "galera$node" && node_is_synced "$node"; then continue; fi
        node_stop "$node" && node_start "$node" || return
    done
}

galera_runs()
{
    local node
    for node in "${GALERA_NODES[@]}"; do
        part_runs "galera$node" && node_is_synced "$node" || return 1
    done
}

# What stop_part of scripts/stack calls.
galera1_stop() { node_stop 1; }
galera2_stop() { node_stop 2; }
galera3_stop() { node_stop 3; }
