// mail_check_story.cc - mailboxctl check on a system with mail: all in order, and then each fault
// by itself.

#include "system/harness/mail.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <map>
#include <optional>
#include <regex>
#include <sstream>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;

namespace {

struct Checked : mail::Story {
    Checked() : who{tenant()}, alice{who.address("alice")}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
        deliver(alice, mail::message("Hello"));
        fs::create_directory(folder);
    }
    ~Checked() { fs::remove_all(folder); }

    // Runs check as root, who alone may read some files, with these settings instead of the
    // stack's.
    Ended check(const story::Settings& settings = {}) const
    {
        std::map<std::string, std::string> all{{"tls_urls", urls()},
                                               {"tls_ca_file", stack.setting("TLS_CERT")}};
        for (const auto& [name, value] : settings) all[name] = value;
        return check_by(story::configuration(stack, {all.begin(), all.end()}));
    }
    Ended check_by(const std::string& configuration) const
    {
        const auto file = folder / "mailboxd.conf";
        std::ofstream{file} << configuration;
        return process::run(
            mail::as_root({stack.setting("MAILBOXCTL"), "--config", file, "check"}));
    }
    std::string urls() const
    {
        std::string all;
        for (const auto& [scheme, port] : {std::pair{"imaps", "IMAPS"},
                                           {"imap", "IMAP"},
                                           {"pop3s", "POP3S"},
                                           {"pop3", "POP3"},
                                           {"smtps", "SUBMISSIONS"},
                                           {"smtp", "SUBMISSION"},
                                           {"smtp", "SMTP"}}) {
            all += std::string{all.empty() ? "" : " "} + scheme
                   + "://localhost:" + stack.setting(std::string{port} + "_PORT");
        }
        return all;
    }
    // One result has this mark and matches the pattern. All others are ok or skipped because of it,
    // except those that depend on the machine.
    void finds(const Ended& ended, const std::string& mark, const std::string& pattern) const
    {
        std::istringstream lines{ended.out};
        std::string others;
        bool is_found = false;
        for (std::string line; std::getline(lines, line);) {
            if (std::regex_search(line,
                                  std::regex{"^" + (mark == "?" ? "\\?" : mark) + " +" + pattern}))
                is_found = true;
            else if (!line.starts_with("ok ") && !line.starts_with("note     kernel: ")
                     && line.find(": skipped; see ") == std::string::npos)
                others += line + "\n";
        }
        BOOST_TEST(is_found, pattern << " is not in:\n" << ended.out << ended.err);
        BOOST_TEST(others == "");
        BOOST_TEST(ended.exit == (mark == "WRONG" ? 1 : 0));
    }
    // At least one result matches the pattern, because these faults have several effects.
    void misses(const std::string& pattern) const
    {
        const auto ended = check();
        BOOST_TEST(std::regex_search(ended.out, std::regex{"(^|\n)WRONG +" + pattern}),
                   pattern << " is not in:\n"
                           << ended.out << ended.err);
        BOOST_TEST(ended.exit == 1);
    }
    // Returns a copy of the stack's Postfix configuration with one change.
    fs::path postfix_with(const std::string& file, const std::string& change) const
    {
        const auto copy = folder / "postfix";
        const auto from = stack.setting("POSTFIX_CONF");
        for (const auto& command :
             {Arguments{"rm", "-rf", copy},
              {"cp", "-r", from, copy},
              {"sed", "-i", "s|" + from + "|" + copy.string() + "|g", copy / "main.cf"},
              {"sed", "-i", change, copy / file}}) {
            BOOST_TEST_REQUIRE(process::run(mail::as_root(command)).exit == 0);
        }
        return copy;
    }

    story::Tenant who;
    std::string alice;
    fs::path folder = stack.directory() / story::unique("check");
};

// A server whose certificate has this many days behind and before it.
class Server {
public:
    Server(const fs::path& folder, int over, int left)
        : port_{std::to_string(20'000 + ::getpid() % 10'000)}
    {
        std::ofstream{folder / "ca.conf"}
            << "[ca]\ndefault_ca = us\n[us]\ndatabase = " << (folder / "index").string()
            << "\nserial = " << (folder / "serial").string()
            << "\nnew_certs_dir = " << folder.string()
            << "\ndefault_md = sha256\npolicy = any\nx509_extensions = names\n"
               "[any]\ncommonName = supplied\n[names]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical,CA:TRUE\n";
        std::ofstream{folder / "index"} << "";
        std::ofstream{folder / "serial"} << "01\n";
        const auto key = (folder / "key.pem").string(), request = (folder / "request.pem").string();
        certificate_ = folder / "cert.pem";
        run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", request});
        run({"openssl", "ca", "-batch", "-selfsign", "-config", folder / "ca.conf", "-keyfile", key,
             "-in", request, "-out", certificate_, "-notext", "-startdate", at(-over), "-enddate",
             at(left)});
        server_.emplace(Arguments{"openssl", "s_server", "-accept", "127.0.0.1:" + port_, "-cert",
                                  certificate_, "-key", key});
        while (server_->read_line() != "ACCEPT") {}
    }
    std::string url() const { return "https://localhost:" + port_; }
    const std::string& certificate() const { return certificate_; }

private:
    static void run(const Arguments& command)
    {
        const auto ended = process::run(command);
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    }
    static std::string at(int days)
    {
        constexpr std::time_t kDay = 86'400;
        const std::time_t time = std::time(nullptr) + days * kDay;
        std::ostringstream text;
        text << std::put_time(std::gmtime(&time), "%Y%m%d%H%M%SZ");
        return text.str();
    }

    std::string port_;
    std::string certificate_;
    std::optional<process::Child> server_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_check, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(all_is_well, Checked)
{
    const auto ended = check();
    BOOST_TEST(ended.exit == 0);
    // The kernel's limits depend on the machine.
    BOOST_TEST(std::regex_match(ended.out, std::regex{"((ok [^\n:]+|note +kernel: [^\n]+)\n)+"}),
               ended.out);
}

BOOST_FIXTURE_TEST_CASE(rights_are_as_granted, Checked)
{
    const auto as = [](const std::string& program) {
        return "'mailboxd_" + program + "'@'localhost'";
    };
    for (const auto& [program, name] :
         {std::pair{"api", "the service"}, {"ctl", "mailboxctl"}, {"janitor", "the janitor"}}) {
        stack.sql("GRANT UPDATE (quota_bytes) ON deleted_mailbox TO " + as(program));
        if (program != std::string{"ctl"})
            finds(
                check(), "note",
                "rights of " + std::string{name}
                    + ": .* for example UPDATE \\(quota_bytes\\) on deleted_mailbox \\(1 in all\\)");
        stack.sql("REVOKE UPDATE (quota_bytes) ON deleted_mailbox FROM " + as(program));
    }
    stack.sql("REVOKE DELETE ON mailbox FROM " + as("api"));
    finds(check(), "WRONG", "rights of the service: DELETE command denied .*mailbox.*grants.sql");
    stack.sql("GRANT DELETE ON mailbox TO " + as("api")
              + "; REVOKE INSERT (since) ON session_end FROM " + as("api"));
    finds(check(), "WRONG", "rights of the service: INSERT command denied .*since.*session_end");
    stack.sql("GRANT INSERT (since) ON session_end TO " + as("api")
              + "; REVOKE UPDATE (purged_at) ON deleted_mailbox FROM " + as("janitor"));
    finds(check(), "WRONG", "rights of the janitor: UPDATE command denied .*deleted_mailbox");
    stack.sql("GRANT UPDATE (purged_at) ON deleted_mailbox TO " + as("janitor"));
    finds(check(), "ok", "rights of the janitor");
}

BOOST_FIXTURE_TEST_CASE(rights_of_dovecot_and_postfix_are_as_granted, Checked)
{
    expected = {"command denied"};
    struct Case {
        const char* rights;
        const char* user;
        const char* says;
    };
    for (const auto& [rights, user, says] :
         {Case{"SELECT (password) ON mailbox", "dovecot",
               "rights of Dovecot: SELECT command denied .*password"},
          {"INSERT (username, bytes, messages) ON mailbox_usage", "dovecot",
           "rights of Dovecot: INSERT command denied .*mailbox_usage"},
          {"UPDATE (username, bytes, messages) ON mailbox_usage", "dovecot",
           "rights of Dovecot: UPDATE command denied .*mailbox_usage"},
          {"EXECUTE ON FUNCTION submission_count", "postfix",
           "rights of Postfix: the function submission_count .*grants.sql"}}) {
        const auto name = "'mailboxd_" + std::string{user} + "'@'localhost'";
        stack.sql("REVOKE " + std::string{rights} + " FROM " + name);
        misses(says);
        stack.sql("GRANT " + std::string{rights} + " TO " + name);
    }
    std::ofstream{folder / "password"} << "another\n";
    fs::permissions(folder / "password", fs::perms::owner_read);
    finds(check({{"postfix_db_password_file", folder / "password"}}), "WRONG",
          "rights of Postfix: Access denied for user 'mailboxd_postfix'");
}

BOOST_FIXTURE_TEST_CASE(rights_on_more_than_the_tables_are_told, Checked)
{
    struct Case {
        const char* rights;
        const char* user;
        const char* says;
    };
    const std::string name = stack.setting("DB_NAME");
    const auto all = name + ".*";
    for (const auto& [rights, user, says] :
         {Case{"DROP, ALTER, CREATE, TRIGGER ON $", "api",
               "the service: .* for example (DROP|ALTER|CREATE|TRIGGER) on $"},
          {"DROP ON mailbox", "api", "the service: .* for example DROP on .*mailbox "},
          {"FILE, SUPER, PROCESS ON *.*", "api",
           "the service: .* for example (FILE|SUPER|PROCESS) on \\*\\.\\*"},
          {"SELECT, UPDATE ON mysql.*", "api",
           "the service: .* for example (SELECT|UPDATE) on mysql\\.\\*"},
          {"SELECT ON $", "postfix", "Postfix: .* for example SELECT on $"}}) {
        const auto account = "'mailboxd_" + std::string{user} + "'@'localhost'";
        const auto what = std::regex_replace(std::string{rights}, std::regex{"\\$$"}, all);
        stack.sql("GRANT " + what + " TO " + account);
        finds(check(), "note",
              "rights of "
                  + std::regex_replace(std::string{says}, std::regex{"\\$$"}, name + "\\.\\*"));
        stack.sql("REVOKE " + what + " FROM " + account);
    }
    finds(check(), "ok", "rights of the service");
}

BOOST_FIXTURE_TEST_CASE(a_part_that_does_not_run_is_reported, Checked)
{
    finds(check({{"socket", "/nowhere/mailboxd.sock"}}), "WRONG",
          "service: /nowhere/mailboxd.sock: No such file or directory: mailboxd is not running");
    {
        const mail::Halt halt{stack};
        stack.sql(
            "INSERT INTO session_end (storage_id, since) VALUES (REPEAT('0', 32), UNIX_TIMESTAMP() - 600)");
        finds(
            check(), "WRONG",
            "janitor: sessions should have ended 6[0-9][0-9] seconds ago.*the janitor is not running");
    }
    BOOST_TEST(process::eventually([&] {
        return stack.value("SELECT COUNT(*) FROM session_end WHERE since < UNIX_TIMESTAMP() - 180")
               == "0";
    }));
    finds(check(), "ok", "janitor");
}

BOOST_FIXTURE_TEST_CASE(secrets_in_files_of_postfix, Checked)
{
    const auto copy = postfix_with("main.cf", "s/ / /");
    finds(check({{"postfix", copy}}), "ok", "secrets");
    BOOST_TEST_REQUIRE(
        process::run(mail::as_root({"chmod", "644", copy / "mailboxd-senders.cf"})).exit == 0);
    finds(check({{"postfix", copy}}), "WRONG",
          "secrets: .*mailboxd-senders.cf is readable by every user");
    process::run(mail::as_root({"rm", "-rf", copy}));
}

// A password or the key in a file that everybody may read: main.cf, a file of Dovecot's, and the
// files that they include.
BOOST_FIXTURE_TEST_CASE(secrets_in_files_that_everybody_reads, Checked)
{
    const auto password = stack.secret("mailboxd_postfix");
    const auto copy = postfix_with("main.cf", "$a # password of mailboxd_postfix: " + password);
    finds(
        check({{"postfix", copy}}), "WRONG",
        "secrets: .*/main.cf is readable by every user and contains the password of the database user mailboxd_postfix: ");
    const auto elsewhere = folder / "elsewhere.cf";
    std::ofstream{elsewhere} << "password = " << password << "\n";
    fs::permissions(elsewhere, fs::perms{0644});
    finds(check({{"postfix", postfix_with("master.cf", "$a # hash:" + elsewhere.string())}}),
          "WRONG", "secrets: .*elsewhere.cf is readable by every user");
    fs::permissions(elsewhere, fs::perms{0640});
    const auto of_dovecot =
        fs::path{stack.setting("DOVECOT_CONF")}.parent_path() / "local-test.conf";
    std::ofstream{of_dovecot} << "doveadm_api_key = " << stack.secret("doveadm") << "\n";
    fs::permissions(of_dovecot, fs::perms{0644});
    finds(
        check(), "WRONG",
        "secrets: .*local-test.conf is readable by every user and contains the key of Dovecot's doveadm: ");
    fs::remove(of_dovecot);
    finds(check(), "ok", "secrets");
    process::run(mail::as_root({"rm", "-rf", folder / "postfix"}));
}

BOOST_FIXTURE_TEST_CASE(settings_of_postfix_are_judged, Checked)
{
    const auto submission = "127.0.0.1:" + stack.setting("SUBMISSION_PORT");
    const bool is_old = process::run({"postconf", "-dh", "mail_version"}).out.starts_with("3.7.");
    struct Case {
        const char* file;
        std::string change;
        const char* mark;
        std::string says;
    };
    for (
        const auto& [file, change, mark, says] :
        {Case{
             "main.cf", "s/^smtpd_forbid_bare_newline =.*/smtpd_forbid_bare_newline = no/", "WRONG",
             ".*inet lets a message carry a second one .*postconf -e 'smtpd_forbid_bare_newline = normalize'"},
         {"main.cf", "s/^smtpd_forbid_bare_newline_exclusions =.*/& $mynetworks/", "note",
          ".*hide a second message"},
         {"main.cf", "$a cleanup_replace_stray_cr_lf = no", "note",
          "cleanup/unix leaves <CR> and <LF> .*postconf -e 'cleanup_replace_stray_cr_lf = yes'"},
         {"main.cf", "s/^smtpd_discard_ehlo_keywords =.*/smtpd_discard_ehlo_keywords = dsn/",
          is_old ? "WRONG" : "ok", is_old ? ".*offers BDAT.*dsn, chunking, silent-discard" : ""},
         {"main.cf", "s/^mydestination =.*/& " + who.domain + "/", "WRONG",
          "mydestination has " + who.domain},
         {"master.cf",
          "s/smtpd_tls_mandatory_protocols = >=TLSv1.2/smtpd_tls_mandatory_protocols = >=TLSv1/",
          "WRONG", ".*inet accepts passwords over TLS older than 1.2: postconf -P "},
         {"master.cf",
          "s/smtpd_tls_exclude_ciphers = aNULL/smtpd_tls_exclude_ciphers = MD5/; s/mandatory_exclude_ciphers = aNULL/mandatory_exclude_ciphers = MD5/",
          "WRONG", ".*inet accepts passwords over ciphers without a certificate"},
         {"master.cf", "s/[$]mailboxd_own_sender_restrictions//", "WRONG",
          ".*inet lets every login send with any sender address"},
         {"master.cf",
          "s/smtpd_sender_restrictions = [$]mailboxd_login_restrictions,/smtpd_sender_restrictions =/",
          "WRONG", ".*inet lets a session send that began before"},
         {"master.cf", "s/cleanup_service_name=mailboxd-bounces//", "note",
          "bounce/unix shows senders the internal names of mailboxes"},
         {"master.cf", "$a " + submission + " inet n - n - - smtpd", "WRONG",
          "master.cf has two entries " + submission + "/inet"}}) {
        const std::string point = "settings of Postfix";
        finds(check({{"postfix", postfix_with(file, change)}}), mark,
              says.empty() ? point : point + ": " + says);
    }
    process::run(mail::as_root({"rm", "-rf", folder / "postfix"}));
}

BOOST_FIXTURE_TEST_CASE(lost_mail_is_reported, Checked)
{
    const auto id = inside(alice).substr(0, 32);
    const auto store = stack.directory() / "mail" / id.substr(0, 2);
    for (const auto& [from, to] : {std::pair{id, "away"}, {"away", id.c_str()}}) {
        BOOST_TEST_REQUIRE(process::run(mail::as_root({"mv", store / from, store / to})).exit == 0);
        if (to == std::string{"away"})
            finds(check(), "WRONG",
                  "mail store: 1 mailboxes have had mail but have no folder, for example " + alice);
    }
    finds(check(), "ok", "mail store");
}

BOOST_FIXTURE_TEST_CASE(folders_of_others_are_ignored, Checked)
{
    const auto id = inside(alice).substr(0, 32);
    const auto path = stack.directory() / "mail" / id.substr(0, 2) / id;
    const auto away = path.parent_path() / "away";
    const auto run = [](const Arguments& command) {
        BOOST_TEST_REQUIRE(process::run(mail::as_root(command)).exit == 0);
    };
    for (const auto& command :
         {Arguments{"touch", path}, {"ln", "-s", "/etc", path}, {"mkdir", path}}) {
        run({"mv", path, away});
        run(command);
        finds(check(), "WRONG", "mail store: " + path.string() + " must be a folder of .*chown");
        run({"rm", "-rf", path});
        run({"mv", away, path});
    }
    finds(check(), "ok", "mail store");
}

BOOST_FIXTURE_TEST_CASE(dovecot_is_asked, Checked)
{
    finds(check({{"doveadm", "1"}}), "WRONG", "Dovecot: .*check whether Dovecot runs");
    expected.emplace_back("Invalid authentication attempt to HTTP API");
    std::ofstream{folder / "key"} << "another\n";
    fs::permissions(folder / "key", fs::perms::owner_read);
    finds(check({{"doveadm_key_file", folder / "key"}}), "WRONG",
          "Dovecot: .*401: put Dovecot's doveadm_api_key into ");
}

BOOST_FIXTURE_TEST_CASE(postfix_is_asked, Checked)
{
    finds(check({{"postfix", "/nowhere"}}), "WRONG",
          "Postfix: postconf does not print .*/nowhere/main.cf");
    finds(check({{"postfix", postfix_with("main.cf", "/^virtual_alias_maps/d")}}), "WRONG",
          "Postfix: virtual_alias_maps does not name mailboxd-addresses.cf");
    expected = {"Access denied for user 'mailboxd_postfix'", "mailboxd-senders.cf: query error"};
    finds(check({{"postfix",
                  postfix_with("mailboxd-senders.cf", "s/^password.*/password = wrong/")}}),
          "WRONG", "Postfix: .*mailboxd-senders.cf does not answer: .*mailboxd_postfix");
    for (const std::string table : {"mailboxd-logins.cf"}) {
        expected.emplace_back(table + ": query error");
        finds(check({{"postfix", postfix_with(table, "s/^password.*/password = wrong/")}}), "WRONG",
              "Postfix: .*" + table + " does not answer: .*mailboxd_postfix");
    }
    finds(
        check({{"postfix", postfix_with("mailboxd-senders.cf",
                                        "s|^option_file.*|option_file = /nowhere/session.cnf|")}}),
        "WRONG", "Postfix: .*mailboxd-senders.cf names /nowhere/session.cnf, which cannot be read");
    finds(check({{"postfix", postfix_with("mailboxd-senders.cf", "/^option_file/d")}}), "note",
          "Postfix: .*mailboxd-senders.cf names no option_file");
    const auto counted = stack.value("SELECT COALESCE(SUM(recipients), 0) FROM sending_rate");
    finds(
        check({{"postfix", postfix_with("mailboxd-domains.cf",
                                        "s/^query.*/query = SELECT '%s' FROM DUAL WHERE FALSE/")}}),
        "WRONG",
        "Postfix: .*mailboxd-domains.cf finds nothing for .*check whether the file names this database");
    finds(check({{"postfix",
                  postfix_with("mailboxd-addresses.cf",
                               "s/SELECT mail_recipients(.*/SELECT 'other@example.net'/")}}),
          "WRONG", "Postfix: .*mailboxd-addresses.cf finds other@example.net for ");
    finds(check({{"postfix", postfix_with("main.cf", "s/ / /")}}), "ok", "Postfix");
    BOOST_TEST(stack.value("SELECT COALESCE(SUM(recipients), 0) FROM sending_rate") == counted);
    process::run(mail::as_root({"rm", "-rf", folder / "postfix"}));
}

BOOST_FIXTURE_TEST_CASE(certificates_are_checked_as_clients_check_them, Checked)
{
    const auto imaps = stack.setting("IMAPS_PORT");
    finds(check({{"tls_ca_file", "/etc/ssl/certs/ca-certificates.crt"}}), "WRONG",
          "certificates: imaps://localhost:" + imaps + ": ");
    finds(check({{"tls_urls", "imaps://localhost.localdomain:" + imaps}}), "WRONG",
          "certificates: imaps://localhost.localdomain");
    finds(check({{"tls_urls", "https://localhost:1"}}), "WRONG",
          "certificates: https://localhost:1: .*connect");
    finds(check({{"tls_urls", "imaps://localhost:" + stack.setting("IMAP_PORT")}}), "WRONG",
          "certificates: imaps://");

    struct Case {
        int over, left;
        const char* mark;
    };
    for (const auto& [over, left, mark] : {Case{80, 20, "ok"},
                                           {80, 10, "WRONG"},
                                           {4, 2, "ok"},
                                           {6, 1, "WRONG"},
                                           {10, -1, "WRONG"}}) {
        const Server server{folder, over, left};
        BOOST_TEST_CONTEXT(over << " days are over, " << left << " left")
        {
            finds(check({{"tls_urls", server.url()}, {"tls_ca_file", server.certificate()}}), mark,
                  mark == std::string{"ok"} ? "certificates"
                  : left < 0
                      ? "certificates: " + server.url() + ": "
                      : "certificates: " + server.url() + " shows a certificate that expires at 2");
        }
    }
}

BOOST_FIXTURE_TEST_CASE(settings_that_are_not_set_are_not_checked, Checked)
{
    const auto ended = check_by(std::regex_replace(
        story::configuration(stack, {}),
        std::regex{
            "\n(postfix|doveadm|store|store_user|dovecot_db_password_file|postfix_db_password_file) = [^\n]*"},
        ""));
    BOOST_TEST(ended.exit == 0, ended.err);
    for (const char* point : {"Dovecot", "Postfix", "settings of Postfix", "certificates",
                              "mail store", "rights of Dovecot", "rights of Postfix"}) {
        BOOST_TEST(
            std::regex_search(ended.out, std::regex{"\n\\? +" + std::string{point}
                                                    + ": .* the setting [a-z_]+ is missing\n"}),
            ended.out);
    }
}

BOOST_AUTO_TEST_SUITE_END()
