// setup_test.cc - `mailboxctl setup` on a machine below a folder: what it plans, writes, leaves and
// puts back. The programs that it runs are scripts here; debian/tests/deb-setup has the real ones.

#include "mailboxctl/setup/setup.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include "base/json.h"
#include "mailboxctl/setup/journal.h"
#include "support/sources.h"
#include "support/support.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kMain = "/etc/postfix/main.cf";
constexpr const char* kMainText = "myhostname = mail.old.example\n"
                                  "virtual_mailbox_domains = old.example\n"
                                  "virtual_mailbox_maps = hash:/etc/postfix/vmail\n"
                                  "smtpd_discard_ehlo_keywords = dsn\n";
constexpr const char* kMasterText =
    "smtp      inet  n       -       y       -       -       smtpd\n"
    "submission inet n       -       y       -       -       smtpd\n"
    "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n"
    "bounce    unix  -       -       y       -       0       bounce\n";
constexpr const char* kSite =
    "server {\n    listen 443 ssl;\n    server_name www.old.example;\n}\n";

// A machine whose nginx, Dovecot and Postfix serve old.example.
class OldMachine {
public:
    OldMachine() : before_{std::getenv("PATH")}, machine{root_.path("root")}
    {
        for (const char* folder : {"postfix", "dovecot", "dovecot-2.4", "dovecot-rehash"})
            copy("sql/" + std::string{folder}, "usr/share/mailboxd/" + std::string{folder});
        copy("nginx", "usr/share/mailboxd/nginx");
        write("/usr/share/mailboxd/systemd/database.conf", "[Service]\n");
        write("/usr/share/mailboxd/mailboxd-sysctl.conf", "fs.x = 1\n");
        write("/etc/mailboxd/mailboxd.conf",
              sources::contents(sources::directory() / "conf/mailboxd.conf"));
        for (const char* name : {"dovecot-db-password", "postfix-db-password", "doveadm-key"})
            write("/etc/mailboxd/" + std::string{name}, "secret-of-" + std::string{name} + "\n");
        for (const char* file : {"/usr/sbin/nginx", "/usr/sbin/dovecot", "/usr/lib/dovecot/imap",
                                 "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/lmtp",
                                 "/usr/lib/dovecot/modules/auth/libdriver_mysql.so",
                                 "/usr/sbin/postfix", "/usr/lib/postfix/postfix-mysql.so",
                                 "/usr/bin/openssl", "/usr/bin/curl", "/usr/sbin/mailboxd"})
            write(file, "");
        write(kMain, kMainText);
        write("/etc/postfix/master.cf", kMasterText);
        write("/etc/dovecot/dovecot.conf", "!include conf.d/*.conf\n!include_try local.conf\n");
        write("/etc/dovecot/local.conf", "passdb {\n  driver = passwd-file\n}\n");
        write("/etc/nginx/sites-enabled/old", kSite);
        fs::create_directories(root_.path("root/srv/mail"));
        fs::create_directories(root_.path("root/etc/nginx/sites-available"));
        program("getent", "");
        program("dpkg", "");
        program("sysctl", "");
        program("mailboxd", "");
        program("postfix", "");
        program(
            "nginx",
            "[ \"$1\" != -v ] || echo 'nginx version: nginx/1.22.1' >&2; [ \"$1\" != -T ] || echo '# configuration file /etc/nginx/sites-enabled/old:'");
        program("dovecot", "echo 2.3.19.1");
        program(
            "doveconf",
            "case \"$*\" in -n) printf 'passdb {\\n driver = passwd-file\\n}\\nservice lmtp {\\n unix_listener /var/spool/postfix/private/lmtp-old {\\n }\\n}\\n' ;; "
            "*protocols) echo imap lmtp ;; *username_format) echo %Lu ;; esac");
        program(
            "postconf",
            "case \"$*\" in *mail_version) echo 3.7.11 ;; '-x -h virtual_mailbox_domains') echo old.example ;; "
            "'-x -h mydestination') echo mail.old.example localhost ;; '-d -h virtual_alias_maps') echo '$virtual_maps' ;; esac");
        ::setenv("PATH", (root_.path("root/bin") + ":" + before_).c_str(), 1);
        options.host = "mail.example.org";
        options.certificate = "/etc/ssl/c.pem";
        options.key = "/etc/ssl/k.pem";
        options.only = {"nginx", "dovecot", "postfix", "store", "service"};
        options.is_confirmed = true;
        program("openssl", "case \"$*\" in *checkhost*) echo does match certificate ;; esac");
        write("/etc/ssl/c.pem", "");
        write("/etc/ssl/k.pem", "");
    }
    ~OldMachine() { ::setenv("PATH", before_.c_str(), 1); }

    void write(const std::string& path, const std::string& text) const
    {
        fs::create_directories(fs::path{root_.path("root") + path}.parent_path());
        std::ofstream{root_.path("root") + path} << text;
    }
    std::string read(const std::string& path) const
    {
        return machine.contents(path).value_or("(none)");
    }
    void program(const std::string& name, const std::string& script) const
    {
        write("/bin/" + name, "#!/bin/sh\n" + script + "\n");
        ::chmod((root_.path("root/bin/") + name).c_str(), 0755);
    }
    // Every file below /etc with its text and the time of its last change.
    std::map<std::string, std::string> etc() const
    {
        std::map<std::string, std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator{root_.path("root/etc")}) {
            if (entry.is_symlink()) all[entry.path()] = fs::read_symlink(entry.path());
            else if (entry.is_regular_file()) all[entry.path()] = sources::contents(entry.path());
        }
        return all;
    }
    int set_up()
    {
        std::ostringstream out;
        const auto status = setup::set_up(machine, options, nullptr, out);
        said = out.str();
        return status;
    }
    int undo()
    {
        std::ostringstream out;
        const auto status = setup::undo(machine, options, nullptr, out);
        said = out.str();
        return status;
    }
    bool has_said(const std::string& text) const { return said.find(text) != std::string::npos; }

private:
    void copy(const std::string& from, const std::string& to) const
    {
        fs::create_directories(root_.path("root/" + to));
        fs::copy(sources::directory() / from, root_.path("root/" + to),
                 fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }
    support::Directory root_;
    std::string before_;

public:
    setup::Machine machine;
    setup::Options options;
    std::string said;
};

BOOST_AUTO_TEST_SUITE(setup_suite)

BOOST_FIXTURE_TEST_CASE(a_dry_run_changes_nothing, OldMachine)
{
    const auto before = etc();
    options.is_dry_run = true;
    options.is_confirmed = false;
    BOOST_TEST(set_up() == 0, said);
    BOOST_TEST((etc() == before));
    BOOST_TEST(!machine.exists(setup::kJournalFolder));
    BOOST_TEST(!machine.exists("/run"));
    BOOST_TEST(has_said("write    /etc/postfix/main.cf\n"), said);
    BOOST_TEST(
        has_said("+mailboxd_domains = proxy:mysql:/etc/postfix/mailboxd/mailboxd-domains.cf\n"));
    BOOST_TEST(!has_said("secret-of"), said);
}

BOOST_FIXTURE_TEST_CASE(as_a_document, OldMachine)
{
    options.is_json = options.is_dry_run = true;
    BOOST_TEST(set_up() == 0, said);
    const auto document = json::parse(said);
    BOOST_TEST_REQUIRE(document.has_value(), said);
    BOOST_TEST(document->members.at(0).name == "result");
    BOOST_TEST(document->members.at(0).value.text == "planned");
}

BOOST_FIXTURE_TEST_CASE(nobody_to_ask_and_no_yes, OldMachine)
{
    const auto before = etc();
    options.is_confirmed = false;
    BOOST_TEST(set_up() == 1);
    BOOST_TEST(has_said("Add --yes"), said);
    BOOST_TEST((etc() == before));
}

BOOST_FIXTURE_TEST_CASE(beside_others_only_lines_are_added, OldMachine)
{
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    const auto main = read(kMain);
    BOOST_TEST(
        main.starts_with("myhostname = mail.old.example\nvirtual_mailbox_domains = old.example "),
        main);
    BOOST_TEST((main.find(" $mailboxd_domains\n") != std::string::npos), main);
    BOOST_TEST((main.find("smtpd_discard_ehlo_keywords = dsn, chunking, silent-discard\n")
                != std::string::npos),
               main);
    BOOST_TEST(read("/etc/postfix/master.cf").find("submission inet n       -       n")
               != std::string::npos);
    BOOST_TEST(
        read("/etc/dovecot/dovecot.conf")
        == "!include conf.d/*.conf\n!include_try local.conf\n!include /etc/dovecot/mailboxd/setup.conf\n");
    BOOST_TEST(read("/etc/nginx/sites-enabled/old") == kSite);
    BOOST_TEST(machine.link("/etc/nginx/sites-enabled/mailboxd") == "../sites-available/mailboxd");
    // Of two sites at one port, HTTP/2 of nginx 1.22 would be for both.
    BOOST_TEST(read("/etc/nginx/sites-available/mailboxd")
                   .find("    listen 443 ssl;\n    listen [::]:443 ssl;\n    server_name")
               != std::string::npos);
    BOOST_TEST(
        read("/etc/postfix/mailboxd/mailboxd-transport.cf").find("mailboxd:unix:private/lmtp-old")
        != std::string::npos);
    BOOST_TEST(read("/etc/postfix/mailboxd/mailboxd-transport.cf").find("!old.example")
               != std::string::npos);
    BOOST_TEST(
        read("/etc/dovecot/mailboxd/mailboxd-sql.conf.ext").find("secret-of-dovecot-db-password")
        != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_second_run_has_nothing_to_do, OldMachine)
{
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    const auto before = etc();
    BOOST_TEST(set_up() == 0);
    BOOST_TEST(has_said("Nothing to do"), said);
    BOOST_TEST((etc() == before));
}

BOOST_FIXTURE_TEST_CASE(undo_restores_every_byte, OldMachine)
{
    const auto before = etc();
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    BOOST_TEST_REQUIRE(undo() == 0, said);
    BOOST_TEST((etc() == before));
    BOOST_TEST(!machine.exists(setup::kJournalFolder));
    BOOST_TEST(undo() == 0);
    BOOST_TEST(has_said("Nothing to do"), said);
}

BOOST_FIXTURE_TEST_CASE(what_the_operator_adds_stays, OldMachine)
{
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    write(kMain, read(kMain) + "message_size_limit = 1\n");
    BOOST_TEST(set_up() == 0);
    BOOST_TEST(has_said("Nothing to do"), said);
    BOOST_TEST_REQUIRE(undo() == 0, said);
    BOOST_TEST(read(kMain) == kMainText + std::string{"message_size_limit = 1\n"});
}

BOOST_FIXTURE_TEST_CASE(an_upgrade_refreshes_what_was_not_edited, OldMachine)
{
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    const std::string ours = "/etc/dovecot/mailboxd/mailboxd.conf",
                      edited = "/etc/dovecot/mailboxd/mailboxd-server.conf";
    write(edited, "mine\n");
    for (const char* name : {"mailboxd.conf", "mailboxd-server.conf"}) {
        const auto path = "/usr/share/mailboxd/dovecot/" + std::string{name};
        write(path, read(path) + "# new\n");
    }
    BOOST_TEST(set_up() == 0, said);
    BOOST_TEST(read(ours).ends_with("# new\n"));
    BOOST_TEST(read(edited) == "mine\n");
    BOOST_TEST(has_said("--take-new " + edited), said);
    options.take_new = {edited};
    BOOST_TEST(set_up() == 0, said);
    BOOST_TEST(read(edited).ends_with("# new\n"));
}

BOOST_FIXTURE_TEST_CASE(if_a_program_refuses_everything_is_put_back, OldMachine)
{
    const auto before = etc();
    program("postfix", "echo 'postfix: fatal: /etc/postfix/main.cf, line 9: no' >&2; exit 1");
    BOOST_TEST(set_up() == 1);
    BOOST_TEST(has_said("line 9: no"), said);
    BOOST_TEST((etc() == before));
    program("postfix", "");
    BOOST_TEST(set_up() == 0, said);
}

BOOST_FIXTURE_TEST_CASE(a_run_that_was_killed_goes_on, OldMachine)
{
    const auto before = etc();
    // The first program that checks something kills setup.
    program(
        "nginx",
        "[ \"$1\" != -v ] || echo 'nginx version: nginx/1.22.1' >&2; [ \"$1\" != -t ] || [ ! -e "
            + machine.real(setup::kJournalFolder) + " ] || kill -9 $PPID");
    const auto child = ::fork();
    if (child == 0) {
        std::ostringstream out;
        ::_exit(setup::set_up(machine, options, nullptr, out));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(WIFSIGNALED(status));
    BOOST_TEST((etc() != before));
    BOOST_TEST(setup::Journal{machine}.is_interrupted());
    BOOST_TEST(setup::Journal{machine}.waiting().contains("postfix.service"));
    program("nginx", "[ \"$1\" != -v ] || echo 'nginx version: nginx/1.22.1' >&2");
    // It still knows what has to be put back.
    program("doveconf", "[ \"$*\" != -n ] || { echo no >&2; exit 1; }");
    BOOST_TEST(set_up() == 1);
    BOOST_TEST((etc() == before), said);
}

BOOST_FIXTURE_TEST_CASE(two_runs_at_once, OldMachine)
{
    const auto before = etc();
    const auto lock = machine.lock("/run/mailboxctl-setup/lock");
    BOOST_CHECK_EXCEPTION(set_up(), admin::Refused, [](const admin::Refused& refused) {
        return std::string{refused.what()}
               == "setup is running already (process " + std::to_string(::getpid()) + ")";
    });
    BOOST_TEST((etc() == before));
}

BOOST_FIXTURE_TEST_CASE(all_obstacles_are_named_at_once, OldMachine)
{
    const auto before = etc();
    program("getent", "exit 2");
    program("dpkg", "echo '??5??????   /usr/share/mailboxd/nginx/mailboxd-http.conf'");
    options.domain = "old.example";
    fs::remove(machine.real("/etc/mailboxd/postfix-db-password"));
    fs::remove(machine.real("/usr/lib/dovecot/pop3"));
    write("/etc/dovecot/mailboxd/setup.conf", "mine\n");
    fs::create_directories(machine.real("/etc/apparmor.d/local"));
    write("/etc/apparmor.d/usr.lib.dovecot.lmtp",
          "#include <tunables/global>\n/usr/lib/dovecot/lmtp {\n  /var/mail/** rw,\n}\n");
    write(
        "/proc/net/tcp",
        "  sl local rem st tx tr tm uid to inode\n   0: 00000000:0019 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n");
    write("/proc/8/comm", "exim4\n");
    fs::create_directories(machine.real("/proc/8/fd"));
    fs::create_symlink("socket:[77]", machine.real("/proc/8/fd/3"));
    BOOST_TEST(set_up() == 1);
    for (const char* part :
         {"has no address", "mailboxd-http.conf differs from its package",
          "Postfix has the domain old.example already", "postfix-db-password is missing",
          "packages are missing: dovecot-pop3d", "setup.conf exists, and setup did not write it",
          "does not permit /srv/mail", "the port 25 is used by exim4"})
        BOOST_TEST(has_said(part), part << " is not in " << said);
    fs::remove(machine.real("/etc/dovecot/mailboxd/setup.conf"));
    BOOST_TEST(read(kMain) == before.at(machine.real(kMain)));
    BOOST_TEST(!machine.exists(setup::kJournalFolder));
}

BOOST_FIXTURE_TEST_CASE(a_link_is_followed, OldMachine)
{
    fs::create_directories(machine.real("/opt"));
    fs::rename(machine.real(kMain), machine.real("/opt/main.cf"));
    fs::create_symlink(machine.real("/opt/main.cf"), machine.real(kMain));
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    BOOST_TEST(fs::is_symlink(machine.real(kMain)));
    BOOST_TEST(read("/opt/main.cf").find("mailboxd_domains") != std::string::npos);
    BOOST_TEST_REQUIRE(undo() == 0, said);
    BOOST_TEST(read("/opt/main.cf") == kMainText);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
