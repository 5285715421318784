# shellcheck shell=bash
# parts.sh - the long-running programs of a stack: started, recognised, stopped.
#
# A part is a program in a session of its own: Ctrl-C does not reach it past us, and whatever it forks is found again by
# the session. DIR/run/NAME.part remembers the process, with its start time and the machine's boot, so that a number that
# meanwhile belongs to another program is never taken for ours.
#
# Expects DIR, the stack's directory; DIR/run and DIR/log exist.

readonly EVERY=0.05    # seconds between two looks while waiting

say() { printf '%s: %s\n' "${PROGRAM:-stack}" "$*" >&2; }
die() { say "$*"; exit 1; }

# Fields of /proc/PID/stat behind the name (which may hold spaces and parentheses) into `stat`:
# stat[0] state, stat[1] parent, stat[3] session, stat[19] start time. False if there is no such process.
read_stat()
{
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r -a stat <<<"${line##*) }"
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# The process of a part into `pid`; false if it does not run. A zombie nobody reaps does not run.
part_pid()
{
    local start boot
    local -a stat
    pid=
    { read -r pid start boot <"$DIR/run/$1.part"; } 2>/dev/null || return 1
    read_stat "$pid" && [[ ${stat[0]} != [ZX] && ${stat[19]} == "$start" && $boot == "$(boot_id)" ]]
}

part_runs() { local pid; part_pid "$1"; }

# Whether it belongs to what is being started: PARTS lists that, where a script has such a choice.
has_part() { [[ " ${PARTS[*]-} " == *" $1 "* ]]; }

# All processes of a part into `pids`: its own first, and what it has forked, also when itself is gone already.
part_processes()
{
    local leader pid start boot entry
    local -a stat
    pids=()
    { read -r leader start boot <"$DIR/run/$1.part"; } 2>/dev/null || return 0
    [[ $boot == "$(boot_id)" ]] || return 0
    # A number is not given again while a session bears it. If another process has it, none of ours is left.
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

# part_start NAME COMMAND...: starts it in the background with nothing of ours but its log: not our terminal, pipes,
# environment, folder or signal settings (a background job of a script would otherwise ignore SIGINT, and so would
# its children).
part_start()
{
    local name=$1
    local -a stat
    shift
    part_log_start[$name]=$(($(stat -c %s "$DIR/log/$name.log" 2>/dev/null || echo 0) + 1))
    hold_signals    # between the start and its record nothing may get lost
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

# Open files for a part: what the system allows us, within reason.
FILES=$(ulimit -H -n)
if [[ $FILES == unlimited ]] || ((FILES > 65536)); then FILES=65536; fi

PARTS_STARTED=()               # by this run of the script
declare -A part_log_start=()   # where in its log the part's present life begins, in bytes

# part_stop NAME SIGNAL:SECONDS...: each signal in turn until all its processes are gone, and KILL in the end. A signal is
# repeated every second, since a program that is only just starting may miss one.
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

# The first process tells the others; only where it is gone, or does not listen, they hear it from us.
part_signal()
{
    local pids
    part_processes "$1"
    ((${#pids[@]})) || return 0
    if [[ $2 != KILL ]] && part_runs "$1"; then pids=("${pids[0]}"); fi
    kill "-$2" "${pids[@]}" 2>/dev/null || true
    kill -CONT "${pids[@]}" 2>/dev/null || true    # one that is halted would not hear it
}

part_is_gone() { local pids; part_processes "$1"; ((${#pids[@]} == 0)); }

# part_await NAME SECONDS CHECK...: until the check succeeds; false, with the reason said, if the part ends before or
# takes too long.
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

holds_or_ended() { "${@:2}" || ! part_runs "$1"; }

# The last lines of what a part said since it was started here.
part_log_tail()
{
    local log="$DIR/log/$1.log"
    say "The end of $log:"
    tail -c "+${part_log_start[$1]:-1}" "$log" 2>/dev/null | tail -n "${2:-20}" | sed 's/^/    /' >&2
}

# wait_until SECONDS CHECK...: looks again and again; false when the time is over.
wait_until()
{
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        ((${EPOCHREALTIME/[.,]/} < end)) || return 1
        sleep "$EVERY"
    done
}

# write_file MODE PATH: what comes on stdin, in one step and only if it differs from what is there; then CHANGED tells so.
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

# fill_in FILE NAME VALUE...: prints the file with each @NAME@ replaced by its value. Comments are printed as they are,
# because a file that everybody may read must not get a password through a comment.
fill_in()
{
    local line i
    while IFS= read -r line || [[ $line ]]; do
        if [[ ! $line =~ ^[[:space:]]*# ]]; then
            for ((i = 2; i < $#; i += 2)); do line=${line//"@${!i}@"/"${@:i+1:1}"}; done
        fi
        printf '%s\n' "$line"
    done <"$1"
}

# --- Signals and cleaning up -------------------------------------------------------------------------------------------

# Ctrl-C, TERM and HUP end the script through its EXIT trap. While they are held they are only noted.
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

# interruptible COMMAND...: for what takes long. The shell hears a signal only between two commands, but at once while it
# waits for one in the background. That one has a process group of its own, so that nothing of it outlives us.
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
    # The process itself, too: it may not have got as far as to its own group.
    for group in $groups; do kill "$group" -- "-$group" 2>/dev/null; done
    for group in $groups; do
        wait_until 10 group_is_gone "$group" || kill -KILL -- "-$group" 2>/dev/null
    done
}

group_is_gone() { ! kill -0 -- "-$1" 2>/dev/null; }
