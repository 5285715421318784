// guide_story.cc - runs the guide's commands for a running system, unchanged. The backup is made
// under load and restored into an empty system: nothing that was acknowledged before the backup is
// missing.
//
// `make guide` runs the commands that install a system.

#include "support/sources.h"
#include "system/harness/mail.h"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
namespace ut = boost::unit_test;
using story::Tenant;

namespace {

std::string environment_or(const char* name, const char* otherwise)
{
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : otherwise;
}

fs::path checkout()
{
    return fs::absolute(sources::directory());
}

struct Block {
    std::string places;  // the words after ```sh
    std::string commands;

    bool is_for(const std::string& place) const
    {
        return (places + " ").find(" " + place + " ") != std::string::npos;
    }
};

std::vector<Block> guide()
{
    std::istringstream text{sources::guide()};
    std::vector<Block> blocks;
    bool is_inside = false;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("```")) {
            is_inside = !is_inside;
            if (is_inside) blocks.push_back({line.substr(3), ""});
        } else if (is_inside) {
            blocks.back().commands += line + "\n";
        }
    }
    BOOST_TEST_REQUIRE(blocks.size() > 10U);
    return blocks;
}

struct Endpoints {
    static mail::Endpoint of(const stack::Stack& stack, const std::string& port)
    {
        return {.port = stack.port(port)};
    }
};

// Creates, changes and deletes mailboxes and delivers mail until it is told to stop. It records a
// change only after the complete acknowledgement.
class Load {
public:
    struct Done {
        std::map<std::string, std::string> passwords;  // of each mailbox; empty if it was deleted
        int letters = 0;  // the last number n of "Letter n" in the mailbox `reader`
    };

    Load(const stack::Stack& stack, const Tenant& who, const std::string& reader)
        : stack_{stack}, who_{who}, reader_{reader}
    {
        for (int i = 0; i < 2; ++i)
            threads_.emplace_back([this, i] { guarded([this, i] { change(i); }); });
        threads_.emplace_back([this] { guarded([this] { deliver(); }); });
    }
    ~Load() { stop(); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    Done done() const
    {
        const std::lock_guard lock{mutex_};
        return done_;
    }
    void stop()
    {
        is_over_ = true;
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }
    std::string problem() const
    {
        const std::lock_guard lock{mutex_};
        return problem_;
    }

private:
    template <typename Work>
    void guarded(Work&& work)
    {
        try {
            work();
        } catch (const std::exception& error) {
            const std::lock_guard lock{mutex_};
            problem_ = error.what();
        }
    }

    void ask(const std::string& method, const std::string& target, const http::Fields& fields) const
    {
        http::Request request{.method = method,
                              .target = target,
                              .headers = {{"Authorization", http::basic(who_.key)}}};
        if (!fields.empty()) request.body = http::form(fields);
        const auto answer = stack_.server().send(request);
        if (answer.status != 200)
            throw std::runtime_error{method + " " + target + ": " + std::to_string(answer.status)
                                     + " " + answer.body};
    }

    // Every third one gets a new password, every other third is deleted.
    void change(int thread)
    {
        for (int i = 0; !is_over_; ++i) {
            const auto name = "load" + std::to_string(thread) + "-" + std::to_string(i);
            std::string password = "first-" + name + "-word";
            ask("POST", who_.mailboxes(), {{"mailbox", name}, {"password", password}});
            if (i % 3 == 1) {
                password = "second-" + name + "-word";
                ask("PUT", who_.mailbox(name), {{"password", password}});
            } else if (i % 3 == 2) {
                password.clear();
                ask("DELETE", who_.mailbox(name), {});
            }
            const std::lock_guard lock{mutex_};
            done_.passwords[name] = password;
        }
    }

    void deliver()
    {
        mail::Smtp lmtp{Endpoints::of(stack_, "LMTP_PORT"), "LHLO"};
        for (int i = 1; !is_over_; ++i) {
            const auto answer =
                lmtp.send("you@example.net", {reader_},
                          mail::message("Letter " + std::to_string(i) + " of the load"));
            if (!answer.starts_with("250 ")) throw std::runtime_error{"LMTP: " + answer};
            const std::lock_guard lock{mutex_};
            done_.letters = i;
        }
    }

    const stack::Stack& stack_;
    const Tenant who_;
    const std::string reader_;  // its name inside Dovecot
    std::atomic<bool> is_over_ = false;
    mutable std::mutex mutex_;
    Done done_;
    std::string problem_;
    std::vector<std::thread> threads_;
};

struct Guide {
    Guide() { fs::create_directory(backups); }

    // Runs a block; programs in the folder `first` come before the system's in PATH.
    process::Ended attempt(const stack::Stack& where, const Block& block,
                           const fs::path& first = {}) const
    {
        const auto file = where.directory() / "block.sh";
        std::ofstream{file} << block.commands;
        std::vector<std::string> environment{
            "TEST_STACK=" + environment_or("TEST_STACK", "./scripts/stack"),
            "SOURCES=" + checkout().string(), "BACKUPS=" + backups.string()};
        if (!first.empty())
            environment.push_back("PATH=" + first.string() + ":"
                                  + environment_or("PATH", "/usr/bin:/bin"));
        return process::run({"bash", checkout() / "tests" / "system" / "guide" / "on-stack.sh",
                             where.directory(), file},
                            {.environment = environment});
    }
    void run(const stack::Stack& where, const Block& block) const
    {
        const auto ended = attempt(where, block);
        BOOST_TEST_REQUIRE(ended.exit == 0, block.commands << "ended with " << ended.exit << ":\n"
                                                           << ended.out << ended.err);
    }

    static Block block_for(const std::string& place, const std::string& word)
    {
        for (const auto& block : guide()) {
            if (block.is_for(place) && story::has(block.commands, word)) return block;
        }
        throw std::runtime_error{"no block for " + place + " has " + word};
    }
    static std::string text_of(const fs::path& file)
    {
        std::ostringstream text;
        text << std::ifstream{file}.rdbuf();
        return text.str();
    }
    static fs::path store_of(const stack::Stack& where) { return where.setting("STORE"); }
    // The restore is refused with these words, and what worked before still works.
    void check_refused(const stack::Stack& where, const std::string& words) const
    {
        const auto accounts = where.value("SELECT COUNT(*) FROM account");
        const auto ended = attempt(where, block_for("restore", "DROP DATABASE"));
        BOOST_TEST(ended.exit != 0);
        BOOST_TEST(story::has(ended.err, "Nothing was changed"), ended.out << ended.err);
        BOOST_TEST(story::has(ended.err, words), ended.err);
        BOOST_TEST(where.value("SELECT COUNT(*) FROM account") == accounts);
        BOOST_TEST(where.mailboxctl({"check"}).exit == 0);
    }

    // If a new backup cannot be made, the previous one is kept.
    void check_failing_backups()
    {
        const auto block = block_for("stack", "mariadb-dump");
        const auto kept = text_of(backups / "mailboxd" / "mailboxd.sql");
        const auto mark =
            backups / "mailboxd" / "mail" / "mark";  // a pass of rsync would remove it
        std::ofstream{mark} << "kept\n";
        const auto programs = stack.directory() / "programs";
        fs::create_directory(programs);
        for (const std::string commands : {"echo 'CREATE TABLE a (i INT);'; exit 2",
                                           "echo 'CREATE TABLE a (i INT);'", "exit 0"}) {
            std::ofstream{programs / "mariadb-dump"} << "#!/bin/sh\n" << commands << "\n";
            fs::permissions(programs / "mariadb-dump",
                            fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
            BOOST_TEST(attempt(stack, block, programs).exit != 0, commands);
            BOOST_TEST((text_of(backups / "mailboxd" / "mailboxd.sql") == kept), commands);
            BOOST_TEST(fs::exists(mark), commands);
        }
        // A store that is not mounted.
        const auto store = store_of(stack);
        const auto away = fs::path{store.string() + ".away"};
        fs::rename(store, away);
        fs::create_directory(store);
        BOOST_TEST(attempt(stack, block).exit != 0);
        BOOST_TEST(fs::exists(mark));
        fs::remove(store);
        fs::rename(away, store);
        fs::remove(mark);
    }

    void check_refused_restores(const Tenant& who)
    {
        // Into a system in use: first with accounts, then with mail alone.
        const auto mailboxes = stack.value("SELECT COUNT(*) FROM mailbox");
        check_refused(stack, "has accounts");
        BOOST_TEST(stack.value("SELECT COUNT(*) FROM mailbox") == mailboxes);
        BOOST_TEST(stack.server()
                       .send({.method = "GET",
                              .target = who.mailboxes(),
                              .headers = {{"Authorization", http::basic(who.key)}}})
                       .status
                   == 200);
        check_refused(empty, "has accounts");
        BOOST_TEST(empty.mailboxctl({"account", "remove", "demo", "--yes"}).exit == 0);
        const auto letter = store_of(empty) / "letter";
        std::ofstream{letter} << "a mail\n";
        check_refused(empty, "has mail");
        BOOST_TEST(text_of(letter) == "a mail\n");
        fs::remove(letter);
        // From a truncated backup, and from a file that is no backup.
        const auto dump = backups / "mailboxd" / "mailboxd.sql";
        const auto whole = text_of(dump);
        for (const auto& text :
             {whole.substr(0, whole.size() / 2), whole.substr(0, whole.rfind("-- Dump completed")),
              std::string{}}) {
            std::ofstream{dump, std::ios::trunc} << text;
            check_refused(empty, "cut off");
        }
        fs::remove(dump);
        check_refused(empty, "cut off");
        // From a dump with a failing statement: no mail is copied, and nothing is started.
        std::ofstream{dump, std::ios::trunc}
            << "CREATE TABLE account (id INT);\nno statement;\n-- Dump completed\n";
        const auto ended = attempt(empty, block_for("restore", "DROP DATABASE"));
        BOOST_TEST(ended.exit != 0);
        BOOST_TEST(fs::is_empty(store_of(empty)));
        BOOST_TEST(!process::is_alive(empty.master()));
        empty.sql("DROP DATABASE mailboxd");
        std::ofstream{dump, std::ios::trunc} << whole;
    }

    void check_mailboxes(const Tenant& who, const Load::Done& done) const
    {
        for (const auto& [name, password] : done.passwords) {
            const auto stored = empty.sql(
                "SELECT m.password FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
                + stack::quote(who.domain) + " AND m.local_part = " + stack::quote(name));
            if (password.empty()) {
                BOOST_TEST(stored.empty(), name << " was deleted, and is back");
            } else if (stored.empty()) {
                BOOST_ERROR(name + " was created, and is not there");
            } else {
                BOOST_TEST(story::is_hash_of(stored[0][0], password),
                           name << " has another password");
            }
        }
    }

    void check_letters(const Tenant& who, int letters) const
    {
        mail::Imap reader{Endpoints::of(empty, "IMAP_PORT")};
        const auto said = reader.login(who.address("reader"), story::kPassword);
        BOOST_TEST_REQUIRE(said.starts_with("OK "), said);
        reader.select();
        std::string all;
        for (const auto& header :
             reader.ask("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").literals)
            all += header;
        for (int i = 1; i <= letters; ++i) {
            BOOST_TEST(story::has(all, "Letter " + std::to_string(i) + " of the load"),
                       "letter " << i << " is not there");
        }
    }

    stack::Stack stack{{"--workers", "2"}};
    stack::Stack empty{{"--workers", "2"}};
    const fs::path backups = stack.directory() / "backups";
};

}  // namespace

// The guide's backup uses MariaDB's own program.
BOOST_AUTO_TEST_SUITE(guide_for_operators, *mail::needs_mail() * mail::needs_mariadb())

BOOST_FIXTURE_TEST_CASE(each_command_on_a_system_that_runs_and_a_backup_under_load, Guide)
{
    const auto who = story::add_tenant(stack);
    BOOST_TEST_REQUIRE(
        stack.server()
            .send({.method = "POST",
                   .target = who.mailboxes(),
                   .headers = {{"Authorization", http::basic(who.key)}},
                   .body = http::form({{"mailbox", "reader"}, {"password", story::kPassword}})})
            .status
        == 200);
    const auto reader = stack.value(
        "SELECT CONCAT(m.storage_id, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
        " WHERE d.name = "
        + stack::quote(who.domain) + " AND m.local_part = 'reader'");
    Load::Done acknowledged;
    bool is_backed_up = false;
    for (const auto& block : guide()) {
        if (!block.is_for("stack")) continue;
        if (!story::has(block.commands, "mariadb-dump")) {
            run(stack, block);
            continue;
        }
        is_backed_up = true;
        Load load{stack, who, reader};
        const auto has_begun = [&] {
            return load.done().passwords.size() >= 12 && load.done().letters >= 5;
        };
        BOOST_TEST(process::eventually([&] { return has_begun() || !load.problem().empty(); },
                                       std::chrono::seconds{60}));
        acknowledged = load.done();
        run(stack, block);
        load.stop();
        BOOST_TEST(load.problem() == "");
        BOOST_TEST(load.done().passwords.size() > acknowledged.passwords.size(), "it was no load");
    }
    BOOST_TEST_REQUIRE(is_backed_up);
    BOOST_TEST_REQUIRE(acknowledged.passwords.size() >= 12U);

    check_failing_backups();
    check_refused_restores(who);
    for (const auto& block : guide()) {
        if (block.is_for("restore")) run(empty, block);  // its last command is `mailboxctl check`
    }
    empty.sql("USE mailboxd");  // the restore has replaced the database
    check_mailboxes(who, acknowledged);
    check_letters(who, acknowledged.letters);
    // The restored system serves requests with the old key.
    const auto later = empty.server().send(
        {.method = "POST",
         .target = who.mailboxes(),
         .headers = {{"Authorization", http::basic(who.key)}},
         .body = http::form({{"mailbox", "later"}, {"password", story::kPassword}})});
    BOOST_TEST(later.status == 200, later.body);
    const auto total = empty.value("SELECT CAST(d.mailboxes AS CHAR) FROM domain d WHERE d.name = "
                                   + stack::quote(who.domain));
    BOOST_TEST(
        total
        == empty.value(
            "SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
            + stack::quote(who.domain)));
}

BOOST_AUTO_TEST_SUITE_END()
