# shellcheck shell=bash
# mail.sh - what Dovecot and Postfix share: ports, a user, a certificate.
#
# Expects DIR and the functions of parts.sh and nginx.sh.

# The preferred ports on 127.0.0.1. If a port is in use, mail_choose_ports takes the next free one.
readonly MAIL_PORTS=(SMTP_PORT=8025 SUBMISSION_PORT=8587 SUBMISSIONS_PORT=8465 LMTP_PORT=8024 IMAP_PORT=8143
    IMAPS_PORT=8993 POP3_PORT=8110 POP3S_PORT=8995 DOVEADM_PORT=8098 FORWARD_PORT=8027 SRS_PORT=8001
    SRS_REVERSE_PORT=8002)

# Chooses the ports of parts that do not run. A running part keeps its ports.
mail_choose_ports()
{
    local entry name port chosen=' ' part
    for entry in "${MAIL_PORTS[@]}"; do
        name=${entry%=*}
        case $name in
            SMTP_PORT | SUBMISSION* | FORWARD_PORT) part=postfix ;;
            SRS_*) part=srs ;;
            *) part=dovecot ;;
        esac
        port=${!name:-${entry#*=}}
        if [[ -z ${!name:-} ]] || ! part_runs "$part"; then
            until [[ $chosen != *" $port "* ]] && port_is_free "$port"; do port=$((port + 1)); done
        fi
        printf -v "$name" %s "$port"
        chosen+="$port "
    done
}

# Prints the user that Dovecot runs as and that owns the mail: the user of Debian's Dovecot if we
# are root, otherwise ourselves.
mail_os_user() { if ((EUID == 0)); then echo dovecot; else id -un; fi; }

# Creates a self-signed certificate for TLS, unless it exists.
tls_certificate()
{
    [[ -s $DIR/tls/key.pem && -s $DIR/tls/cert.pem ]] && return
    rm -rf "$DIR/tls"
    mkdir "$DIR/tls"
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$DIR/tls/key.pem" -out "$DIR/tls/cert.pem") >"$DIR/log/tls.log" 2>&1 </dev/null || {
        rm -rf "$DIR/tls"
        return 1
    }
    chmod 644 "$DIR/tls/cert.pem"
}

as_root() { if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi; }

# greets PORT TEXT: true if the server on the port sends a first line that begins with the text.
greets()
{
    local line=
    { exec {CONNECTION}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    read -r -t 10 line <&"$CONNECTION" 2>/dev/null || true
    exec {CONNECTION}>&-
    [[ $line == "$2"* ]]
}

# part_processes_named PART NAME...: stores the ids of the part's processes with these names in
# `pids`.
part_processes_named()
{
    local pid name named=()
    part_processes "$1"
    shift
    for pid in "${pids[@]}"; do
        if { read -r name <"/proc/$pid/comm"; } 2>/dev/null && [[ " $* " == *" $name "* ]]; then named+=("$pid"); fi
    done
    pids=("${named[@]}")
}

# await_end PID...: waits until these processes of before a reload have ended. A process with an
# open connection ends later, so the wait is short.
await_end()
{
    wait_until 5 have_ended "$@" || true
}

have_ended()
{
    local pid
    for pid in "$@"; do [[ ! -d /proc/$pid ]] || return 1; done
}
