// mail_dovecot_story.cc - the same files configure the stack's Dovecot and an operator's. The
// output of `doveconf -n` differs only in ports, paths and users. Also the effects of these files
// on clients.

#include "support/sources.h"
#include "system/harness/mail.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

// Returns what a block of the guide writes into this file.
std::string written_to(const std::string& file)
{
    const auto guide = sources::guide();
    const auto head = "cat >" + file + " <<'END'\n";
    const auto at = guide.find(head);
    BOOST_TEST_REQUIRE(at != std::string::npos, file);
    const auto begin = at + head.size();
    return guide.substr(begin, guide.find("\nEND\n", begin) + 1 - begin);
}

// Returns one line for each setting that differs from Dovecot's default, with the blocks around it:
// "service imap/process_limit = 1".
std::set<std::string> settings(const fs::path& file)
{
    const auto said = process::run(mail::as_root({"doveconf", "-n", "-c", file}));
    BOOST_TEST_REQUIRE(said.exit == 0, said.err);
    BOOST_TEST(said.err.find("arning") == std::string::npos, said.err);
    std::set<std::string> found;
    std::vector<std::string> blocks;
    std::istringstream lines{said.out};
    for (std::string line; std::getline(lines, line);) {
        line.erase(0, line.find_first_not_of(' '));
        if (line.empty() || line.starts_with("#")) continue;
        if (line.ends_with('{')) {
            blocks.push_back(line.substr(0, line.size() - 2));
        } else if (line == "}") {
            blocks.pop_back();
        } else {
            std::string name;
            for (const auto& block : blocks) name += block + "/";
            found.insert(name + line);
        }
    }
    return found;
}

// The permitted differences, with reasons.
const std::regex kPaths{
    "(base_dir|state_dir|log_path|instance_name|(.*/)?args|.*_file|dict/mailboxd|ssl_cert|ssl_key|ssl_server_.*|ssl_dh|ssl_client_ca_dir) .*"};
const std::regex kPorts{".*(inet_listener|unix_listener) .*|listen = .*|doveadm_password = .*"};
const std::regex kUsers{
    "(default_.*_user|default_.*_group|first_valid_.id|service .*/user|service .*/chroot) =.*"};
const std::regex kLoopback{
    "(disable_plaintext_auth|auth_allow_cleartext) = .*"};  // the stack has no network in between
// Debian's defaults for the server's own users.
const std::regex kOfOthers{
    "(namespace inbox/.*|mail_.*|protocols = .*|passdb pam/.*|userdb passwd/.*)"};
const std::regex kVersions{"dovecot_(config|storage)_version = .*"};

struct SetUp {
    explicit SetUp(const stack::Stack& stack) : folder{stack.directory() / "set-up"}
    {
        fs::create_directories(folder);
        fs::copy("/usr/share/dovecot", folder / "etc",
                 fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }
    ~SetUp() { process::run(mail::as_root({"rm", "-rf", folder})); }
    SetUp(const SetUp&) = delete;
    SetUp& operator=(const SetUp&) = delete;

    fs::path folder;
};

struct Clients : mail::Story {
    // Logs in. Returns the connection; null if the login was refused.
    std::unique_ptr<mail::Imap> session(const mail::Endpoint& endpoint,
                                        const std::string& user) const
    {
        auto imap = std::make_unique<mail::Imap>(endpoint);
        return imap->login(user, story::kPassword).starts_with("OK ") ? std::move(imap) : nullptr;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_dovecot, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(the_set_up_is_the_stack, mail::Story)
{
    const SetUp set_up{stack};
    const auto& folder = set_up.folder;
    const auto secrets = (stack.directory() / "secrets").string();
    const auto files =
        fs::absolute(mail::dovecot_is_24() ? "sql/dovecot-2.4" : "sql/dovecot").string();
    std::ofstream{folder / "fill"}
        << mail::fill(written_to("/etc/mailboxd/fill"),
                      {{"/etc/mailboxd/doveadm-key", secrets + "/doveadm"},
                       {"/run/mysqld/mysqld.sock", stack.setting("DB_SOCKET")}});
    // `fill` runs mailboxctl.
    const auto path =
        "PATH=" + (stack.directory() / "bin").string() + ":/usr/sbin:/usr/bin:/sbin:/bin";
    const auto group = process::run({"id", "-gn"}).out;
    const auto filled = process::run(
        mail::as_root({"env", path, "bash", folder / "fill", files, folder / "mailboxd",
                       group.substr(0, group.find('\n')), secrets + "/mailboxd_dovecot"}));
    BOOST_TEST_REQUIRE(filled.exit == 0, filled.err);
    // The stack always replaces old password hashes, if Dovecot can run Lua scripts.
    if (fs::exists(stack.directory() / "dovecot/rehash")) {
        const auto rehash = process::run(
            mail::as_root({"env", path, "bash", folder / "fill", fs::absolute("sql/dovecot-rehash"),
                           folder / "mailboxd/rehash", group.substr(0, group.find('\n')),
                           secrets + "/mailboxd_dovecot"}));
        BOOST_TEST_REQUIRE(rehash.exit == 0, rehash.err);
    }
    const auto tls = (stack.directory() / "tls").string();
    const std::string certificate =
        mail::dovecot_is_24()
            ? "ssl_server_cert_file = " + tls + "/cert.pem\nssl_server_key_file = " + tls
                  + "/key.pem\n"
            : "ssl_cert = <" + tls + "/cert.pem\nssl_key = <" + tls + "/key.pem\n";
    std::ofstream{folder / "etc/local.conf"}
        << mail::fill(written_to("/etc/dovecot/local.conf"),
                      {{"/etc/dovecot/mailboxd", (folder / "mailboxd").string()}})
        << certificate;
    // The guide's command.
    process::run({"sed", "-i", "s/^!include auth-system/#&/", folder / "etc/conf.d/10-auth.conf"});
    process::run(
        {"sed", "-i", "s/^ *auth_username_format/#&/", folder / "etc/conf.d/20-lmtp.conf"});

    const auto of_stack = settings(stack.directory() / "dovecot/dovecot.conf"),
               of_set_up = settings(folder / "etc/dovecot.conf");
    BOOST_TEST(of_stack.contains("service imap-login/client_limit = 4000"));
    const auto check = [](const auto& those, const auto& others, const char* whose) {
        for (const auto& line : those) {
            if (others.contains(line)) continue;
            bool is_known = false;
            for (const auto* kind : {&kPaths, &kPorts, &kUsers, &kLoopback, &kOfOthers, &kVersions})
                is_known = is_known || std::regex_match(line, *kind);
            BOOST_TEST(is_known, whose << " alone has " << line);
        }
    };
    check(of_stack, of_set_up, "the stack");
    check(of_set_up, of_stack, "an operator's server");
}

// Outlook cannot use PLAIN.
BOOST_FIXTURE_TEST_CASE(both_ways_to_log_in, Clients)
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    mail::Imap imap{endpoint("IMAP")};
    const auto can = imap.ask("CAPABILITY").text();
    BOOST_TEST(story::has(can, "AUTH=PLAIN"), can);
    BOOST_TEST(story::has(can, "AUTH=LOGIN"), can);
    mail::Smtp smtp{endpoint("SUBMISSION")};
    BOOST_TEST(story::has(smtp.welcome(), "AUTH PLAIN LOGIN"), smtp.welcome());
}

// By default Dovecot accepts 10 connections of a user from one address, and 100 connections with
// TLS in all; the next one waits.
BOOST_FIXTURE_TEST_CASE(many_sessions_at_once, Clients)
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(create(who, "bob").status == 200);
    constexpr std::size_t kOfOne = 12;
    std::vector<std::unique_ptr<mail::Imap>> open;
    for (std::size_t n = 0; n < kOfOne; ++n) {
        open.push_back(session(endpoint("IMAP"), who.address("alice")));
        BOOST_TEST_REQUIRE((open.back() != nullptr), n);
    }
    constexpr std::size_t kWithTls = 105;
    std::vector<std::unique_ptr<mail::Imap>> encrypted(kWithTls);
    mail::in_parallel(kWithTls, 8, [&](std::size_t n) {
        encrypted[n] = std::make_unique<mail::Imap>(endpoint("IMAPS", mail::Tls::from_the_start));
    });
    BOOST_TEST(
        (session(endpoint("IMAPS", mail::Tls::from_the_start), who.address("bob")) != nullptr));
}

BOOST_FIXTURE_TEST_CASE(old_tls_is_refused, Clients)
{
    const auto port = "127.0.0.1:" + stack.setting("IMAPS_PORT");
    for (const auto& [version, is_taken] :
         {std::pair{"-tls1", false}, {"-tls1_1", false}, {"-tls1_2", true}}) {
        // With OpenSSL's lowest security level the client offers it, so the server must refuse.
        const auto said = process::run(
            {"openssl", "s_client", "-connect", port, version, "-cipher", "DEFAULT:@SECLEVEL=0"});
        BOOST_TEST((said.out.find("\n* OK ") != std::string::npos
                    || said.out.find("Cipher is (NONE)") == std::string::npos)
                       == is_taken,
                   version << said.out << said.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
