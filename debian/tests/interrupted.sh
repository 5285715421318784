# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # the script that includes this file sets SETUP and log
# interrupted.sh - `mailboxctl setup` killed in the middle, twice at once, and refused by a daemon.

# killed_after SECONDS: runs setup and kills it, if it has not ended by then.
killed_after()
{
    local status=0
    timeout --signal=KILL "$1" "${SETUP[@]}" --yes >output 2>&1 </dev/null || status=$?
    cat output >>outputs
    # 137: killed.
    ((status == 137 || status == 0))
}

goes_on() { carried_out && cat output >>outputs && is_in_order; }

interrupted()
{
    local seconds
    name_is_known "$HOST"
    fetch_packages
    install_own
    wanted mariadb-server nginx openssl curl dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-mysql postfix postfix-mysql
    [[ -e /etc/postfix/main.cf ]] || cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
    prints_files /etc >etc-before
    for seconds in 0.3 0.8 1.2 1.6 2 2.5 3 4 5 7; do
        expect "killed after $seconds s, nginx, Dovecot and Postfix have a valid configuration" eval \
            'killed_after '$seconds' && nginx -t && doveconf -n >/dev/null && postfix check'
    done
    expect "the next run goes on, and all is in order" goes_on
    # A run that was killed before it could show the key has left it in a file.
    sed 's/^/  /' /etc/mailboxd/first-account >>outputs 2>/dev/null || true
    expect "the key that was made is known" grep -q '^ *API key: mbx-' outputs
    expect "a second run finds nothing to do and changes nothing" second_run_changes_nothing
    expect "it is undone" mailboxctl setup --undo --yes
    expect "no half-written file is left" eval '[[ -z $(find /etc /var/lib/mailboxd -name "*.mailboxd-new*") ]]'

    two_at_once
    refused_by_a_daemon
    umask_077
}

two_at_once()
{
    local first second status=0
    "${SETUP[@]}" --yes >first 2>&1 </dev/null &
    first=$!
    "${SETUP[@]}" --yes >second 2>&1 </dev/null &
    second=$!
    wait $first || status=1
    wait $second || status=$((status + 1))
    cat first second
    expect "of two runs at once one succeeds at least" [ "$status" -le 1 ]
    expect "and all is in order afterwards" is_in_order
    expect "a second run finds nothing to do and changes nothing" second_run_changes_nothing
    expect "it is undone" mailboxctl setup --undo --yes
}

# A mistake of the operator's own makes nginx refuse; then Dovecot; then Postfix.
refused_by_a_daemon()
{
    echo 'no_such_directive on;' >/etc/nginx/conf.d/operator.conf
    expect "nginx refuses: the sentence has file and line, and nothing is changed" refused 'operator\.conf:1' "${SETUP[@]}" --yes
    rm /etc/nginx/conf.d/operator.conf
    echo 'no_such_setting = yes' >/etc/dovecot/conf.d/99-operator.conf
    expect "Dovecot refuses: the sentence has the file, and nothing is changed" refused '99-operator\.conf' "${SETUP[@]}" --yes
    rm /etc/dovecot/conf.d/99-operator.conf
    printf 'broken line without a service\n' >>/etc/postfix/master.cf
    expect "Postfix refuses: the sentence has the file, and nothing is changed" refused 'master\.cf' "${SETUP[@]}" --yes
    sed -i '$d' /etc/postfix/master.cf
    # In order by itself, and refused only together with our files.
    echo 'upstream mailboxd_read { server 127.0.0.1:1; }' >/etc/nginx/conf.d/operator.conf
    expect "nginx refuses our site: the sentence has file and line, and all files are put back" puts_back 'mailboxd_read.*:[0-9]+'
    rm /etc/nginx/conf.d/operator.conf
    expect "without the mistakes it is carried out" carried_out
    expect "it is undone" mailboxctl setup --undo --yes
}

# puts_back SENTENCE: true if setup writes, is refused with the sentence, and puts all configuration back. Database, secrets
# and certificate stay.
puts_back()
{
    local status=0 places=(/etc/nginx /etc/postfix /etc/dovecot /etc/systemd /etc/sysctl.d /etc/default /etc/mailboxd/mailboxd.conf)
    prints_files "${places[@]}" >before
    "${SETUP[@]}" --yes >said 2>&1 </dev/null || status=$?
    cat said
    prints_files "${places[@]}" >after
    diff -u before after && ((status == 1)) && grep -Eq "$1" said && nginx -t && doveconf -n >/dev/null && postfix check
}

umask_077()
{
    UMASK=077
    expect "with umask 077 it is carried out" carried_out
    expect "all is in order" is_in_order
    expect "nginx, Dovecot and Postfix run" eval 'systemctl is-active nginx dovecot postfix mailboxd.socket mailboxd-janitor'
    expect "the pasted lines succeed" paste_lines outputs
}
