#!/bin/bash
# on-cluster.sh DIR - runs the blocks of docs/cluster.md on the stack in DIR, which has --cluster 3, in one shell and in
# their order. No command is left out.
#
# What they write is in a folder of its own, in place of /etc and of the sockets' folder. The nodes and HAProxy that they
# restart are the stack's. Environment: SOURCES, the checkout.
set -euo pipefail

DIR=$1
# shellcheck source=/dev/null
. "$DIR/stack.env"
etc=$(mktemp -d)
trap 'rm -rf "$etc"' EXIT
commands=$(awk '/^```/ { inside = /^```sh cluster$/; next } inside' "$SOURCES/docs/cluster.md" |
    sed -e "s|/usr/share/mailboxd/cluster|$SOURCES/conf/cluster|g; s|/etc/mysql/mariadb.conf.d|$etc|g; s|/etc/haproxy|$etc|g" \
        -e "s|echo \"show stat\" . socat - /run/haproxy/admin.sock|echo 'show stat' \| socat - $HAPROXY_STATS|" \
        -e "s|/run/haproxy/|$etc/|g")

# What is there already is not installed again.
apt-get()
{
    local package
    [[ "$1 $2" == "install -y" ]]
    for package in "${@:3}"; do dpkg-query -W "$package" >/dev/null; done
}
mailboxctl() { "$MAILBOXCTL" --config "$MAILBOXD_CONF" "$@"; }
mariadb() { command mariadb --no-defaults --socket="$DB_SOCKET" --user="$DB_ADMIN_USER" "$@"; }
systemctl() { [[ $* == "restart haproxy" ]] && kill -0 "$(awk '{ print $1 }' "$DIR/run/haproxy.part")"; }

eval "$commands"

# The server accepts each setting of the file, and none is left to fill in.
if grep '^[^#]*@' "$etc/70-mailboxd.cnf" "$etc/haproxy.cfg" | grep -v 'unix@'; then exit 1; fi
command mariadbd --defaults-file="$etc/70-mailboxd.cnf" --help --verbose >/dev/null
