# shellcheck shell=bash
# srs.sh - runs postsrsd, which rewrites the senders of mail that aliases send to other servers, and finds the original
# senders again when such mail bounces.
#
# Expects DIR, SRS_PORT, SRS_REVERSE_PORT and the functions of parts.sh and mailboxd.sh. If root starts postsrsd, it runs as
# the user nobody.

srs_configure() { secret_file srs; }

srs_start()
{
    local port
    local -a user=()
    for port in "$SRS_PORT" "$SRS_REVERSE_PORT"; do
        port_is_free "$port" || return 2
    done
    if ((EUID == 0)); then user=(-u nobody); fi
    part_start srs "$(type -P postsrsd)" -s "$DIR/secrets/srs" -d localhost -l 127.0.0.1 -4 -f "$SRS_PORT" \
        -r "$SRS_REVERSE_PORT" "${user[@]}"
    part_await srs 10 srs_answers
}

srs_answers() { ! port_is_free "$SRS_PORT" && ! port_is_free "$SRS_REVERSE_PORT"; }

srs_stop() { part_stop srs TERM:10; }
