// mail_rehash_story.cc - old password hashes are replaced by Argon2id when their users log in, on
// the real Dovecot, and nothing else happens then.

#include "system/harness/mail.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <unistd.h>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

namespace {

constexpr char kCurrent[] = "{ARGON2ID}";

// What a story that has mailboxes with old hashes needs. `Base` is mail::Story or mail::Breaking.
template <typename Base>
struct WithOldHashes : Base {
    WithOldHashes() : who{this->tenant()} {}

    std::string hash(const std::string& scheme, const std::string& password) const
    {
        const auto made = this->doveadm({"pw", "-s", scheme, "-p", password});
        BOOST_TEST_REQUIRE(made.exit == 0, made.err);
        return made.out.substr(0, made.out.find('\n'));
    }
    // Creates the mailbox, and stores a hash as an import does.
    void add(const std::string& name, const std::string& stored)
    {
        BOOST_TEST_REQUIRE(this->create(who, name).status == 200);
        this->stack.sql("UPDATE mailbox m JOIN domain d ON d.id = m.domain_id SET m.password = "
                        + stack::quote(stored) + " WHERE d.name = " + stack::quote(who.domain)
                        + " AND m.local_part = " + stack::quote(name));
    }
    void teardown()
    {
        Base::teardown();
        this->replace_weak_hashes();
    }
    std::string stored(const std::string& name) const { return this->stored_password(who, name); }
    bool becomes_current(const std::string& name) const
    {
        return process::eventually([&] { return stored(name).starts_with(kCurrent); });
    }
    // Waits until all logins so far are dealt with: they are served in their order.
    void await_the_queue()
    {
        const auto last = story::unique("last");
        add(last, hash("SHA512-CRYPT", story::kPassword));
        this->imap(who.address(last));
        BOOST_TEST_REQUIRE(becomes_current(last));
    }

    story::Tenant who;
};

using Rehash = WithOldHashes<mail::Story>;
using Broken = WithOldHashes<mail::Breaking>;

const char* const kSchemes[] = {"MD5-CRYPT", "SHA512-CRYPT", "BLF-CRYPT"};
const char* const kProtocols[] = {"imap", "pop3", "smtp"};

// Returns the processes whose environment or command line contains these bytes.
std::vector<std::string> processes_with(const std::string& bytes)
{
    std::vector<std::string> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
        for (const char* name : {"environ", "cmdline"}) {
            std::ifstream file{entry.path() / name, std::ios::binary};
            const std::string text{std::istreambuf_iterator<char>{file}, {}};
            if (text.find(bytes) != std::string::npos) found.push_back(entry.path() / name);
        }
    }
    return found;
}

std::vector<std::string> files_with(const fs::path& folder, const std::string& bytes)
{
    const auto ended =
        process::run({"grep", "--recursive", "--files-with-matches", "--binary-files=binary",
                      "--fixed-strings", "--devices=skip", "-e", bytes, folder});
    std::vector<std::string> files;
    if (!ended.out.empty()) files.push_back(ended.out);
    return files;
}

// True if the stack has the part. It is left out if Dovecot cannot run Lua scripts.
boost::test_tools::assertion_result is_there(boost::unit_test::test_unit_id)
{
    boost::test_tools::assertion_result result{
        fs::exists(stack::with_mail().directory() / "run/rehash.part")};
    result.message() << "the package dovecot-auth-lua is not installed";
    return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_rehash, *mail::needs_mail() * boost::unit_test::precondition(is_there))

BOOST_DATA_TEST_CASE_F(Rehash, a_login_replaces_the_hash,
                       data::make(kSchemes) * data::make(kProtocols), scheme, protocol)
{
    const std::string password = "ol' \"d päss";
    add("alice", hash(scheme, password));
    const auto address = who.address("alice");
    const auto name = login_name(address);
    const auto audited = stack.value("SELECT COUNT(*) FROM audit_log");
    std::unique_ptr<mail::Imap> session;
    if (protocol == std::string{"imap"})
        session = std::make_unique<mail::Imap>(imap(address, password));
    else if (protocol == std::string{"pop3"}) pop3(address, password);
    else submission(address, password);
    BOOST_TEST_REQUIRE(becomes_current("alice"));

    // The same password goes on, and so do sessions: it is no change.
    imap(address, password);
    BOOST_TEST(login_name(address) == name);
    if (session) BOOST_TEST(session->ask("NOOP").result.starts_with("OK"));
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM audit_log") == audited);
    const auto current = stored("alice");
    pop3(address, password);
    await_the_queue();
    BOOST_TEST(stored("alice") == current);
}

BOOST_FIXTURE_TEST_CASE(a_wrong_password_changes_nothing, Rehash)
{
    const auto old = hash("MD5-CRYPT", "right");
    add("alice", old);
    BOOST_TEST(is_refused(who.address("alice"), "wrong"));
    await_the_queue();
    BOOST_TEST(stored("alice") == old);
}

BOOST_FIXTURE_TEST_CASE(a_suspended_mailbox_keeps_its_hash, Rehash)
{
    const auto old = hash("MD5-CRYPT", "right");
    add("alice", old);
    BOOST_TEST(stack.mailboxctl({"mailbox", "suspend", who.address("alice")}).exit == 0);
    BOOST_TEST(is_refused(who.address("alice"), "right"));
    await_the_queue();
    BOOST_TEST(stored("alice") == old);
}

// Dovecot has verified the old password, and the service has not stored its hash yet.
BOOST_FIXTURE_TEST_CASE(a_new_password_wins, Rehash)
{
    const auto address = who.address("alice");
    add("alice", hash("MD5-CRYPT", "old one"));
    std::string changed;
    {
        const process::Stopped halt{{stack.part("rehash")}};
        imap(address, "old one");
        BOOST_TEST(change(who, "alice", "the new one").status == 200);
        changed = stored("alice");
    }
    await_the_queue();
    BOOST_TEST(stored("alice") == changed);
    BOOST_TEST(is_refused(address, "old one"));
    imap(address, "the new one");
}

// While the service hangs, the kernel's queue is soon full. No login waits.
BOOST_FIXTURE_TEST_CASE(logins_do_not_wait_for_it, Rehash)
{
    const auto address = who.address("alice");
    const auto old = hash("MD5-CRYPT", "old one");
    add("alice", old);
    std::ifstream file{"/proc/sys/net/unix/max_dgram_qlen"};
    std::size_t length = 0;
    file >> length;
    BOOST_TEST_REQUIRE(length > 0U);
    {
        const process::Stopped halt{{stack.part("rehash")}};
        std::vector<std::string> answers(length + 5);
        mail::in_parallel(answers.size(), 8, [&](std::size_t n) {
            mail::Pop3 session{endpoint("POP3")};
            answers[n] = session.login(address, "old one");
        });
        for (const auto& answer : answers) BOOST_TEST(answer.starts_with("+OK"), answer);
        BOOST_TEST(stored("alice") == old);
    }
    BOOST_TEST(becomes_current("alice"));
}

BOOST_FIXTURE_TEST_CASE(logins_do_not_need_it, Broken)
{
    const auto address = who.address("alice");
    const auto old = hash("SHA512-CRYPT", "old one");
    add("alice", old);
    const auto service = stack.part("rehash");
    ::kill(service, SIGTERM);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(service); }));
    imap(address, "old one");
    pop3(address, "old one");
    submission(address, "old one");
    BOOST_TEST(stored("alice") == old);
    stack.up();
    imap(address, "old one");
    BOOST_TEST(becomes_current("alice"));
}

// The password of a master user is not the mailbox's.
BOOST_FIXTURE_TEST_CASE(a_master_user_changes_nothing, Broken)
{
    const auto address = who.address("alice");
    const auto old = hash("SHA512-CRYPT", "old one");
    add("alice", old);
    const auto masters = stack.directory() / "dovecot/run/masters";
    const auto written = process::run(mail::as_root(
        {"bash", "-c", "echo 'boss:{PLAIN}of the boss::::::' >\"$0\" && chmod 644 \"$0\"",
         masters}));
    BOOST_TEST_REQUIRE(written.exit == 0, written.err);
    const auto block =
        "auth_master_user_separator = *\npassdb "
        + (mail::dovecot_is_24() ? "masters {\n passwd_file_path = " : std::string{"{\n args = "})
        + masters.string()
        + "\n driver = passwd-file\n master = yes\n result_success = continue\n}\n";
    std::ofstream{stack.setting("DOVECOT_CONF"), std::ios::app} << block;
    ::kill(stack.part("dovecot"), SIGHUP);
    BOOST_TEST_REQUIRE(process::eventually([&] {
        mail::Imap session{endpoint("IMAP")};
        return session.login(address + "*boss", "of the boss").starts_with("OK ");
    }));
    await_the_queue();
    BOOST_TEST(stored("alice") == old);
    imap(address, "old one");
    BOOST_TEST(becomes_current("alice"));
}

BOOST_FIXTURE_TEST_CASE(the_password_is_nowhere, Rehash)
{
    const auto secret = story::unique("Canary") + "Zq7Xw9Kv3";
    // Without -p, so that no command line has the password.
    const auto made =
        process::run({"doveadm", "-c", stack.setting("DOVECOT_CONF"), "pw", "-s", "SHA512-CRYPT"},
                     {.input = secret + "\n" + secret + "\n"});
    const auto begin = made.out.find("{SHA512-CRYPT}");
    BOOST_TEST_REQUIRE(begin != std::string::npos, made.out << made.err);
    add("alice", made.out.substr(begin, made.out.find('\n', begin) - begin));
    const auto address = who.address("alice");
    const auto check = [&](const char* when) {
        for (const auto& place : processes_with(secret))
            BOOST_ERROR(when << ": it is in " << place);
        for (const auto& place : files_with(stack.directory(), secret))
            BOOST_ERROR(when << ": it is in " << place);
    };
    auto session = imap(address, secret);
    {
        const process::Stopped halt{{stack.part("rehash")}};
        pop3(address, secret);
        submission(address, secret);
        check("before it is hashed");
    }
    BOOST_TEST(becomes_current("alice"));
    await_the_queue();
    check("after it was hashed");
}

// Whoever can write to the socket can set the password of a mailbox with an old hash.
BOOST_FIXTURE_TEST_CASE(only_dovecot_can_write_to_the_socket, Rehash)
{
    const auto socket = stack.directory() / "dovecot/run/mailboxd-rehash";
    BOOST_TEST_REQUIRE(fs::is_socket(socket));
    BOOST_TEST(((fs::status(socket).permissions() & fs::perms::mask)
                == (fs::perms::owner_read | fs::perms::owner_write)));
    const auto owner = process::run(mail::as_root({"stat", "-c", "%U", socket})).out;
    BOOST_TEST(owner == (::geteuid() == 0 ? "dovecot\n" : process::run({"id", "-un"}).out));
}

BOOST_FIXTURE_TEST_CASE(what_is_left_can_be_counted, Rehash)
{
    add("alice", hash("MD5-CRYPT", "old one"));
    add("bob", hash("BLF-CRYPT", "old one"));
    imap(who.address("bob"), "old one");
    BOOST_TEST_REQUIRE(becomes_current("bob"));
    const auto listed = stack.mailboxctl({"password-schemes", "--by", "domain", "--json"});
    BOOST_TEST(listed.exit == 0, listed.err);
    BOOST_TEST(story::has(listed.out, "{\"domain\":\"" + who.domain
                                          + "\",\"scheme\":\"MD5-CRYPT\",\"mailboxes\":1,"
                                            "\"never_logged_in\":1,\"dovecot_2.4\":\"refuses\"}"),
               listed.out);
    const auto names = stack.mailboxctl({"password-schemes", "--list"});
    BOOST_TEST(story::has(names.out, who.address("alice")), names.out);
    BOOST_TEST(!story::has(names.out, who.address("bob")), names.out);
}

BOOST_AUTO_TEST_SUITE_END()
