# shellcheck shell=bash
# postfix.sh - runs the stack's own Postfix: it receives mail for the mailboxes, and takes mail from
# users who have logged in. It discards mail to other domains, so no mail leaves the machine.
#
# The configuration is the guide's configuration of a new Postfix: Debian's files and those of
# sql/postfix. It adds only ports and paths, the discarding of mail, and shorter waiting times; a
# test checks this. It reads no file of the system's running configuration. Postfix must be started
# by root and requires that root owns its files. An ordinary user's stack therefore uses sudo for
# Postfix, and only for Postfix.
#
# Expects DIR, ROOT, DB_PROGRAMS_SOCKET, CLUSTER, DB_NAME, DOMAIN, the ports, and the functions of mailboxd.sh and
# mail.sh. Provides POSTFIX_CONF, postfix_obstacle, postfix_configure, postfix_start (returns 2 if
# another program has a port), postfix_reload and postfix_stop.

POSTFIX_CONF="$DIR/postfix/etc"

# Prints the names of the files that main.cf and master.cf refer to.
postfix_files()
{
    local file
    for file in "$ROOT"/sql/postfix/*; do
        case ${file##*/} in
            mailboxd-main.cf | mailboxd-alone.cf | mailboxd-master.cf) ;;
            *) echo "${file##*/}" ;;
        esac
    done
}

# Prints why Postfix cannot run here, as the rest of a sentence. Prints nothing if it can.
postfix_obstacle()
{
    local other
    if [[ -z $(type -P postfix) ]]; then
        other=$(other_mailer)
        [[ -z $other ]] || echo "$other is installed, and Postfix would replace it"
    elif ((EUID != 0)) && ! sudo -v 2>/dev/null; then
        echo "Postfix must be started by root, and sudo refuses to do that"
    fi
}

# Prints the package of the system's mailer, if it is not Postfix.
other_mailer()
{
    # shellcheck disable=SC2016
    { dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null || true; } |
        awk '$1 == "installed" && $2 != "postfix" && / mail-transport-agent(,| |$)/ && !found { print $2; found = 1 }'
}

# Writes the configuration to a new directory. Root replaces the old files only if they differ.
postfix_configure()
{
    local file new="$DIR/postfix.new"
    secret_file mailboxd_postfix
    rm -rf "$new"
    mkdir -m 700 "$new"
    for file in $(postfix_files); do postfix_file "$file" >"$new/$file"; done
    postfix_main_configuration >"$new/main.cf"
    postfix_master_configuration >"$new/master.cf"
    if ! as_root diff -rq "$new" "$POSTFIX_CONF" >/dev/null 2>&1; then
        # shellcheck disable=SC2034  # for the callers
        CHANGED=yes
        postfix_put_in_place "$new" || die "Postfix's configuration could not be written."
    fi
    rm -rf "$new"
}

postfix_put_in_place()
{
    local files
    mapfile -t files < <(postfix_files)
    as_root install -d -o root -g root -m 755 "$DIR/postfix" "$POSTFIX_CONF" "$DIR/postfix/spool" &&
        as_root install -d -o postfix -g root -m 700 "$DIR/postfix/data" &&
        as_root install -d -o nobody -g root -m 700 "$DIR/postfix/local" &&
        as_root install -o root -g root -m 644 "$1"/{main,master}.cf "$POSTFIX_CONF" &&
        as_root install -o root -g postfix -m 640 "${files[@]/#/$1/}" "$POSTFIX_CONF"
}

postfix_file()
{
    local retry='' discard='' database=$DB_PROGRAMS_SOCKET version
    # Postfix before 3.9 avoids a server for a minute after one error, and each entry counts as one.
    if [[ -n $CLUSTER ]]; then database+=" unix:$DB_PROGRAMS_SOCKET"; fi
    version=$(postconf -d -h mail_version)
    # `mailboxctl setup` sets the same values.
    if dpkg --compare-versions "$version" ge 3.9; then retry='retry_interval = 2'; fi
    if dpkg --compare-versions "$version" lt 3.10; then discard='chunking, silent-discard'; fi
    fill_in "$ROOT/sql/postfix/$1" DOMAINS static:all RETRY "$retry" DISCARD "$discard" \
        FILES "$POSTFIX_CONF" DB_SOCKET "$database" DB_NAME "$DB_NAME" 'DB_PASSWORD<' "$DIR/secrets/mailboxd_postfix" \
        LMTP "inet:127.0.0.1:$LMTP_PORT" SASL "$DIR/dovecot/run/postfix" \
        MAILBOXD_CONF "$MAILBOXD_CONF" STORE_USER "$(postfix_policy_user)" \
        MAILBOXCTL "$MAILBOXCTL" QUOTA_STATUS "unix:$DIR/dovecot/run/mailboxd-quota-status" \
        SUBMISSION "127.0.0.1:$SUBMISSION_PORT" SUBMISSIONS "127.0.0.1:$SUBMISSIONS_PORT" SUBMISSION_TLS may \
        FORWARD_PORT "$FORWARD_PORT" SRS_DOMAIN localhost SRS_PORT "$SRS_PORT" SRS_REVERSE_PORT "$SRS_REVERSE_PORT"
}

# postfix_of_debian NAME: prints a file of Debian's Postfix. Debian 12 and 13 have it in different
# directories.
postfix_of_debian()
{
    local place file
    for place in /usr/share/postfix "$(postconf -d -h config_directory)"; do
        for file in "$place/$1".{debian,dist,proto}; do
            if [[ -e $file ]]; then
                cat "$file"
                return
            fi
        done
    done
    die "Debian's $1 for Postfix was not found; reinstall the package postfix."
}

# Prints the user of the policy service, which counts sent mail. spawn(8) refuses root and Postfix's
# own user.
postfix_policy_user() { if ((EUID == 0)); then echo nobody; else id -un; fi; }

# Prints main.cf. Each setting occurs once, with its last value, as after `postconf -e`.
postfix_main_configuration()
{
    {
        postfix_of_debian main.cf
        postfix_file mailboxd-main.cf
        postfix_file mailboxd-alone.cf
        fill_in "$ROOT/scripts/templates/postfix-main.cf" DIR "$DIR"
    } | awk '/^[a-z]/ { name = $1; if (!(name in value)) names[++count] = name; value[name] = $0; next }
        /^[ \t]/ && name && !/^[ \t]*#/ { value[name] = value[name] "\n" $0 }
        END { print "# Made by scripts/stack."; for (i = 1; i <= count; i++) print value[names[i]] }'
}

# Prints master.cf as the guide describes it: smtp runs without a chroot, because the database's
# socket is outside of it. Bounces and other reports use the cleanup service mailboxd-bounces, which
# replaces the names inside Dovecot.
postfix_master_configuration()
{
    echo "# Made by scripts/stack."
    postfix_of_debian master.cf | awk -v port="127.0.0.1:$SMTP_PORT" '/^(#|$)/ { next }
        $1 == "smtp" && $2 == "inet" { $1 = port; $5 = "n" }
        { print }
        /^(bounce|defer|trace) / { print "    -o cleanup_service_name=mailboxd-bounces -o internal_mail_filter_classes=bounce" }'
    postfix_file mailboxd-master.cf
}

# Takes a lock, checks that the ports are free, and starts Postfix. The lock is needed because two
# instances of Postfix can open the same port without an error (SO_REUSEPORT). The lock file is the
# program itself, so no file is left over.
postfix_start()
{
    local lock port status=0
    exec {lock}<"$(type -P postfix)"
    flock "$lock"
    for port in "$SMTP_PORT" "$SUBMISSION_PORT" "$SUBMISSIONS_PORT" "$FORWARD_PORT"; do
        port_is_free "$port" || status=2
    done
    ((status)) || postfix_start_alone || status=$?
    flock -u "$lock"
    exec {lock}<&-
    ((status == 0)) || return "$status"
    part_await postfix 30 postfix_answers
}

# Starts Postfix and records its first process. Postfix runs in the background in its own session,
# and writes the id of the first process to its spool.
postfix_start_alone()
{
    local pid start port
    local -a stat
    # shellcheck disable=SC2034,SC2154  # parts.sh's
    part_log_start[postfix]=$(($(stat -c %s "$DIR/log/postfix.log" 2>/dev/null || echo 0) + 1))
    hold_signals
    if ! as_root env -i PATH="$PATH" LANG=C.UTF-8 "$(type -P postfix)" -c "$POSTFIX_CONF" start \
        </dev/null >"$DIR/log/postfix-start.log" 2>&1; then
        release_signals
        # Checks the ports again, because Postfix does not report that another program has one.
        for port in "$SMTP_PORT" "$SUBMISSION_PORT" "$SUBMISSIONS_PORT" "$FORWARD_PORT"; do port_is_free "$port" || return 2; done
        say "Postfix did not start; see $DIR/log/postfix-start.log and $DIR/log/postfix.log."
        part_log_tail postfix
        return 1
    fi
    pid=$(as_root cat "$DIR/postfix/spool/pid/master.pid" | tr -d ' ')
    read_stat "$pid" || stat[19]=0
    start=${stat[19]}
    printf '%s %s %s\n' "$pid" "$start" "$(boot_id)" >"$DIR/run/postfix.part"
    PARTS_STARTED+=(postfix)
    release_signals
}

# Replaces all processes except the master. Waits until no new connection can reach a process from
# before: after one error, Postfix before 3.9 does not ask the database again for a minute.
postfix_reload()
{
    local pids begin
    begin=$(stat -c %s "$DIR/log/postfix.log" 2>/dev/null || echo 0)
    part_processes_named postfix smtpd lmtp proxymap cleanup trivial-rewrite
    as_root env -i PATH="$PATH" LANG=C.UTF-8 "$(type -P postfix)" -c "$POSTFIX_CONF" reload \
        </dev/null >"$DIR/log/postfix-start.log" 2>&1
    wait_until 30 postfix_has_reloaded "$begin" || say "Postfix did not reload within 30 s; see $DIR/log/postfix.log."
    await_end "${pids[@]}"
}

postfix_has_reloaded() { tail -c "+$(($1 + 1))" "$DIR/log/postfix.log" | grep 'reload -- version' >/dev/null; }

postfix_answers() { greets "$SMTP_PORT" 220 && greets "$SUBMISSION_PORT" 220; }

postfix_stop()
{
    local pids signal
    if part_runs postfix; then
        as_root env -i PATH="$PATH" LANG=C.UTF-8 "$(type -P postfix)" -c "$POSTFIX_CONF" stop \
            </dev/null >"$DIR/log/postfix-start.log" 2>&1 || true
    fi
    for signal in TERM TERM KILL KILL; do
        part_processes postfix
        ((${#pids[@]})) || break
        as_root kill "-$signal" "${pids[@]}" 2>/dev/null || true
        wait_until 3 part_is_gone postfix || true
    done
    part_is_gone postfix || return
    rm -f "$DIR/run/postfix.part"
}

# Deletes the files of a stopped Postfix if the queue is empty, because an ordinary user could not
# delete root's files. Keeps a queue with mail.
postfix_tidy()
{
    ((EUID != 0)) && [[ -d $DIR/postfix ]] || return 0
    if [[ -z $(as_root find "$DIR/postfix/spool"/{maildrop,hold,incoming,active,deferred} -type f -print -quit 2>&1) ]]; then
        as_root rm -rf "$DIR/postfix"
    fi
}
