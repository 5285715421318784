# shellcheck shell=bash
# nginx.sh - runs the stack's own nginx in front of the service, on 127.0.0.1:PORT.
#
# The configuration in DIR/nginx includes the project's snippets. It reads no file of the system's
# nginx.
#
# Expects DIR, ROOT (the checkout), SOCKET, WRITE_SOCKET, METRICS_SOCKET and HEALTH_PORT. Provides port_is_free, nginx_configure,
# nginx_start and nginx_stop.

port_is_free() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

nginx_configure()
{
    local port=$1 text file
    mkdir -p "$DIR/nginx/tmp"
    chmod 755 "$DIR/nginx" "$DIR/nginx/tmp"

    text=$(<"$ROOT/nginx/mailboxd-http.conf")
    text=${text//unix:\/run\/mailboxd\/mailboxd.sock/unix:$SOCKET}
    text=${text//unix:\/run\/mailboxd\/mailboxd-write.sock/unix:$WRITE_SOCKET}
    text=${text//unix:\/run\/mailboxd\/metrics.sock/unix:$METRICS_SOCKET}
    write_file 644 "$DIR/nginx/mailboxd-http.conf" <<<"$text"
    for file in server limits autoconfig health; do
        text=$(<"$ROOT/nginx/mailboxd-$file.conf")
        write_file 644 "$DIR/nginx/mailboxd-$file.conf" <<<"${text//\/usr\/share\/mailboxd\/nginx/$DIR/nginx}"
    done
    write_file 644 "$DIR/nginx/mailboxd-openapi.json" <"$ROOT/nginx/mailboxd-openapi.json"
    write_file 644 "$DIR/nginx/nginx.conf" < <(nginx_main_configuration "$port")
}

nginx_main_configuration()
{
    local user=''
    if ((EUID == 0)); then user='user www-data;'; fi
    fill_in "$ROOT/scripts/templates/nginx.conf" DIR "$DIR" USER "$user" FILES "$FILES" CONNECTIONS $((FILES / 4)) \
        SERVERS "$(nginx_servers "$1")"
}

# nginx_servers PORT: prints the servers. scripts/bench replaces this function.
nginx_servers() { fill_in "$ROOT/scripts/templates/nginx-servers.conf" DIR "$DIR" PORT "$1" HEALTH_PORT "$HEALTH_PORT"; }

# True if another program took the port before nginx opened it.
nginx_lost_the_port()
{
    tail -c "+${part_log_start[nginx]:-1}" "$DIR/log/nginx.log" 2>/dev/null | grep 'still could not bind' >/dev/null
}

# nginx_has_the_port CHECK...: true if the check succeeds and our nginx has the port. nginx writes
# its process id only after it has opened the port. Without that test, another stack's nginx could
# pass the check.
nginx_has_the_port() { [[ -s $DIR/run/nginx.pid ]] && "$@"; }

# nginx_start CHECK...: starts nginx and waits until the check succeeds. Returns 2 if another
# program has the port.
nginx_start()
{
    rm -f "$DIR/run/nginx.pid" "$DIR/run/health.sock"
    # Without -e, nginx opens a log in /var/log before it reads the configuration.
    part_start nginx "$(type -P nginx)" -e "$DIR/log/nginx.log" -p "$DIR/nginx" -c "$DIR/nginx/nginx.conf"
    if wait_until 20 holds_or_ended nginx nginx_has_the_port "$@" && ! part_runs nginx && nginx_lost_the_port; then return 2; fi
    part_await nginx 1 nginx_has_the_port "$@"
}

# After QUIT, nginx answers the running requests before it ends.
nginx_stop() { part_stop nginx QUIT:10 TERM:5; }
