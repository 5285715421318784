# shellcheck shell=bash
# roots.sh - creates minimal Debians of several releases in directories ("roots"), and runs commands
# in them.
#
# Expects say, die and PLACE, the directory of the roots. Needs root and debootstrap. A command in a
# root runs in its own namespaces, so no process and no mount survives it.

declare -gA SUITES=([12]=bookworm [13]=trixie)

# Prints the archive that apt uses on this machine, if it is one of Debian 12 or 13.
mirror()
{
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(RELEASE) $(SITE)' | sed -n 's/^\(bookworm\|trixie\) //p' | head -n 1
}

# make_base RELEASE [PACKAGE,...]: creates a minimal Debian with these packages in
# $PLACE/base-RELEASE, unless it exists.
make_base()
{
    local base="$PLACE/base-$1"
    [[ ! -f $base/.complete ]] || return 0
    say "Creating a minimal Debian $1 in $base."
    mkdir -p "$PLACE"
    rm -rf "$base"
    # shellcheck disable=SC2046  # no mirror: debootstrap's own default
    debootstrap --variant=minbase ${2:+"--include=$2"} "${SUITES[$1]}" "$base" $(mirror) >"$base.log" 2>&1 ||
        die "debootstrap failed; see $base.log."
    : >"$base/.complete"
}

# copy_root FROM TO: replaces TO by a copy of FROM that uses the DNS and the proxy of this machine.
copy_root()
{
    rm -rf "$2"
    cp -a "$1" "$2"
    cp -L /etc/resolv.conf /etc/hosts "$2/etc/"
    find /etc/apt/apt.conf.d -name '*proxy*' -exec cp {} "$2/etc/apt/apt.conf.d/" \;
    # Lets npm trust the same certificate authorities as here. No package writes to this path.
    local authorities
    authorities=$(npm config get cafile 2>/dev/null) || true
    if [[ -f $authorities ]]; then
        install -m 644 "$authorities" "$2/etc/npm-authorities"
        echo 'cafile=/etc/npm-authorities' >"$2/etc/npmrc"
    fi
}

# in_root TREE COMMAND...: runs a command in a root, with this machine's network.
in_root()
{
    local tree=$1
    shift
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child --mount-proc="$tree/proc" bash -c '
        tree=$1; shift
        mount --rbind /dev "$tree/dev" && exec chroot "$tree" /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' - "$tree" "$@"
}

# boot_root TREE: starts the root's systemd as process 1 of new namespaces and in a new control
# group. Its only network is loopback. Stores the process id of systemd in `booted`. end_root ends
# systemd and everything that it has started.
boot_root()
{
    local tree=$1 state i
    # shellcheck disable=SC2016
    setsid unshare --mount --pid --net --uts --ipc --fork --kill-child=KILL bash -e -c '
        tree=$1
        mount --bind "$tree" "$tree"
        cd "$tree"
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        # Creates a control group below the current one. It is the top group for everything in the
        # root.
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mkdir "sys/fs/cgroup/$2"
        echo 0 >"sys/fs/cgroup/$2/cgroup.procs"
        umount sys/fs/cgroup
        exec unshare --cgroup bash -e -c "$3"
    ' - "$tree" "mailboxd-root-$$" '
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mount -t tmpfs -o mode=755,nosuid tmpfs run
        mount -t tmpfs -o mode=755,nosuid tmpfs dev
        for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
        mknod -m 666 dev/tty c 5 0
        ln -s /proc/self/fd dev/fd
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
        pivot_root . mnt
        umount -l mnt
        exec /usr/bin/env -i container=root PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
    ' </dev/null >"$tree.boot" 2>&1 &
    unsharing=$!
    for ((i = 0; i < 600; i++)); do
        kill -0 "$unsharing" 2>/dev/null || die "systemd did not start in $tree; see $tree.boot."
        booted=$(cat "/proc/$unsharing/task/$unsharing/children" 2>/dev/null) || true
        booted=${booted%% *}
        if [[ -n $booted ]]; then
            state=$(in_booted systemctl is-system-running 2>/dev/null || true)
            [[ $state != running && $state != degraded ]] || return 0
        fi
        sleep 0.1
    done
    die "systemd in $tree is not ready after a minute (${state:-no answer}); see $tree.boot."
}

# in_booted COMMAND...: runs a command in the root that boot_root has started.
in_booted()
{
    nsenter --target "$booted" --mount --pid --net --uts --ipc --cgroup --root --wd -- /usr/bin/env -i HOME=/root TERM=dumb \
        LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# Kills process 1 of the root, which ends all others. `unshare` ends after the last of them.
end_root()
{
    kill -KILL "${booted:-$unsharing}" 2>/dev/null || true
    wait "$unsharing" 2>/dev/null || true
    # shellcheck disable=SC2016
    unshare --mount bash -c 'mount -t cgroup2 cgroup2 /mnt && find "/mnt/$1" -depth -type d -exec rmdir {} \;' - "mailboxd-root-$$" || true
}
