# shellcheck shell=bash
# parts.sh - starts, recognises and stops the long-running programs of a stack.
#
# A part is a program in its own session. Ctrl-C therefore reaches only this script, and the session
# identifies the processes that the part forks. DIR/run/NAME.part holds the process id, the start
# time and the boot id, because another program may get the same process id later.
#
# Expects DIR, the stack's directory, with the directories DIR/run and DIR/log.

readonly EVERY=0.05    # seconds between two checks of wait_until

say() { printf '%s: %s\n' "${PROGRAM:-stack}" "$*" >&2; }
die() { say "$*"; exit 1; }

# read_stat PID: reads the fields of /proc/PID/stat after the name into `stat`. The name may contain
# spaces and parentheses. stat[0] is the state, stat[1] the parent, stat[3] the session, stat[19]
# the start time. False if there is no such process.
read_stat()
{
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r -a stat <<<"${line##*) }"
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# part_pid NAME: stores the process id of a part in `pid`. False if the part does not run. A zombie
# does not run.
part_pid()
{
    local start boot
    local -a stat
    pid=
    { read -r pid start boot <"$DIR/run/$1.part"; } 2>/dev/null || return 1
    read_stat "$pid" && [[ ${stat[0]} != [ZX] && ${stat[19]} == "$start" && $boot == "$(boot_id)" ]]
}

part_runs() { local pid; part_pid "$1"; }

# has_part NAME: true if PARTS lists the part. Only scripts that choose their parts set PARTS.
has_part() { [[ " ${PARTS[*]-} " == *" $1 "* ]]; }

# part_processes NAME: stores the ids of all processes of a part in `pids`: the first process, if it
# still runs, and then those that it has forked.
part_processes()
{
    local leader pid start boot entry
    local -a stat
    pids=()
    { read -r leader start boot <"$DIR/run/$1.part"; } 2>/dev/null || return 0
    [[ $boot == "$(boot_id)" ]] || return 0
    # The kernel does not reuse a process id while a session has it. If another process has it, none
    # of ours is left.
    if read_stat "$leader"; then
        [[ ${stat[19]} == "$start" ]] || return 0
        [[ ${stat[0]} == [ZX] ]] || pids+=("$leader")
    fi
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        if [[ $pid != "$leader" ]] && read_stat "$pid" && [[ ${stat[3]} == "$leader" && ${stat[0]} != [ZX] ]]; then
            pids+=("$pid")
        fi
    done
}

close_descriptors()
{
    local entry fd
    for entry in /proc/self/fd/*; do
        fd=${entry##*/}
        if ((fd > 2)); then eval "exec $fd>&-"; fi
    done
}

# part_start NAME COMMAND...: starts a part in the background. It writes to its log and inherits
# nothing else: not our terminal, pipes, environment, directory or signal settings. With our signal
# settings, a background job and its children would ignore SIGINT.
part_start()
{
    local name=$1
    local -a stat
    shift
    part_log_start[$name]=$(($(stat -c %s "$DIR/log/$name.log" 2>/dev/null || echo 0) + 1))
    hold_signals    # until the process is recorded, because on_exit stops only recorded parts
    (
        umask 022
        cd "$DIR" || exit
        ulimit -S -n "$FILES"
        close_descriptors
        exec </dev/null >>"$DIR/log/$name.log" 2>&1
        exec setsid env -i --default-signal PATH="$PATH" LANG=C.UTF-8 "$@"
    ) &
    read_stat $! || stat[19]=0
    printf '%s %s %s\n' $! "${stat[19]}" "$(boot_id)" >"$DIR/run/$name.part"
    PARTS_STARTED+=("$name")
    release_signals
}

# The limit of open files for a part: our hard limit, at most 65536.
FILES=$(ulimit -H -n)
if [[ $FILES == unlimited ]] || ((FILES > 65536)); then FILES=65536; fi

PARTS_STARTED=()               # the parts that this run of the script has started
declare -A part_log_start=()   # part → first byte of its log since its last start

# part_stop NAME SIGNAL:SECONDS...: sends each signal in turn until all processes of the part are
# gone, and KILL last. Repeats a signal every second, because a program that is just starting may
# miss one. False if a process is left.
part_stop()
{
    local name=$1 step second
    shift
    for step in "$@" KILL:10; do
        for ((second = 0; second < ${step#*:}; second++)); do
            part_signal "$name" "${step%:*}"
            if wait_until 1 part_is_gone "$name"; then
                rm -f "$DIR/run/$name.part"
                return 0
            fi
        done
    done
    return 1
}

# part_signal NAME SIGNAL: sends a signal to the first process of a part, which ends the others.
# Sends it to all processes if the first is gone or the signal is KILL.
part_signal()
{
    local pids
    part_processes "$1"
    ((${#pids[@]})) || return 0
    if [[ $2 != KILL ]] && part_runs "$1"; then pids=("${pids[0]}"); fi
    kill "-$2" "${pids[@]}" 2>/dev/null || true
    kill -CONT "${pids[@]}" 2>/dev/null || true    # a stopped process would not handle the signal
}

part_is_gone() { local pids; part_processes "$1"; ((${#pids[@]} == 0)); }

# part_await NAME SECONDS CHECK...: waits until the check succeeds. If the part ends first or takes
# too long, prints the reason and the end of its log, and returns false.
part_await()
{
    local name=$1 seconds=$2
    shift 2
    if ! wait_until "$seconds" holds_or_ended "$name" "$@"; then
        say "$name did not become ready within $seconds seconds."
    elif part_runs "$name"; then
        return 0
    else
        say "$name ended right after its start."
    fi
    part_log_tail "$name"
    return 1
}

# holds_or_ended NAME CHECK...: true if the check succeeds or the part has ended.
holds_or_ended() { "${@:2}" || ! part_runs "$1"; }

# part_log_tail NAME [LINES]: prints the last lines of a part's log since its start.
part_log_tail()
{
    local log="$DIR/log/$1.log"
    say "The end of $log:"
    tail -c "+${part_log_start[$1]:-1}" "$log" 2>/dev/null | tail -n "${2:-20}" | sed 's/^/    /' >&2
}

# wait_until SECONDS CHECK...: repeats the check until it succeeds; false after the time.
wait_until()
{
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        ((${EPOCHREALTIME/[.,]/} < end)) || return 1
        sleep "$EVERY"
    done
}

# write_file MODE PATH: replaces a file by stdin, atomically. If the content differs from the old
# one, sets CHANGED to yes; otherwise the file stays as it is.
write_file()
{
    local new="$2.new"
    (umask 077 && cat >"$new") || die "Cannot write $new."
    chmod "$1" "$new"
    if cmp -s "$new" "$2"; then
        rm -f "$new"
    else
        mv -f "$new" "$2"
        # shellcheck disable=SC2034  # for the callers
        CHANGED=yes
    fi
}

# fill_in FILE NAME VALUE...: prints the file with each @NAME@ replaced by its value, as `mailboxctl
# setup` fills in the files of a real server. NAME< takes the value from the first line of a file.
fill_in()
{
    local arguments=("$1")
    shift
    while (($#)); do
        if [[ $1 == *'<' ]]; then arguments+=(--secret "${1%<}=$2"); else arguments+=("$1=$2"); fi
        shift 2
    done
    "${BUILD:-$ROOT/build}/mailboxctl" fill-in "${arguments[@]}"
}

# --- Signals and cleaning up -------------------------------------------------------------------------------------------

# HUP, INT (Ctrl-C) and TERM end the script through its EXIT trap. Between hold_signals and
# release_signals they are only noted.
signals_held=0 signal_noted='' waiting_for=''

on_signal()
{
    if ((signals_held)); then
        signal_noted=$1
    else
        set +e
        trap '' HUP INT TERM
        end_what_we_wait_for
        exit $((128 + $1))
    fi
}

catch_signals()
{
    trap 'on_signal 1' HUP
    trap 'on_signal 2' INT
    trap 'on_signal 15' TERM
}

hold_signals() { signals_held=1; }

release_signals()
{
    signals_held=0
    if [[ -n $signal_noted ]]; then on_signal "$signal_noted"; fi
}

# interruptible COMMAND...: runs a long command so that a signal interrupts it. The shell handles
# signals only between two commands, but at once while it waits for a command in the background. The
# command gets its own process group, so that we can end all its processes. Its stdin is /dev/null.
interruptible()
{
    local status=0
    hold_signals
    setsid "$@" </dev/null &
    waiting_for=$!
    release_signals
    wait "$waiting_for" || status=$?
    waiting_for=
    return "$status"
}

end_what_we_wait_for()
{
    local group groups=$waiting_for
    waiting_for=
    # Signals the process itself too, because it may not have created its group yet.
    for group in $groups; do kill "$group" -- "-$group" 2>/dev/null; done
    for group in $groups; do
        wait_until 10 group_is_gone "$group" || kill -KILL -- "-$group" 2>/dev/null
    done
}

group_is_gone() { ! kill -0 -- "-$1" 2>/dev/null; }
