// mail_load_story.cc - many messages while mailboxes are created and deleted, and Dovecot and the
// database stop and start. Every accepted message is in its mailbox and in no other.
//
// TEST_MAIL_MESSAGES in the environment sets the number of messages (200); if it is set, the
// figures are printed.

#include "system/harness/mail.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

constexpr char kSender[] = "you@example.net";
constexpr int kEach = 10;  // messages for each mailbox in a round

// Returns the text between the two; empty unless both are there.
std::string between(const std::string& line, std::string_view before, std::string_view behind)
{
    const auto at = line.find(before);
    if (at == std::string::npos) {
        return "";
    }
    const auto begin = at + before.size();
    const auto end = line.find(behind, begin);
    return end == std::string::npos ? "" : line.substr(begin, end - begin);
}

// What Postfix's log says of a message.
struct Message {
    bool accepted = false;
    bool sent = false;
    bool bounced = false;
    std::string address;
    std::string inside;
};

struct Load : mail::Breaking {
    std::map<std::string, Message> messages_by_log() const
    {
        std::map<std::string, Message> all;
        for (const auto& line : postfix.lines_since(postfix_begin)) {
            const auto id = between(line, "]: ", ": ");
            if (line.find(": from=<" + std::string{kSender} + ">") != std::string::npos) {
                all[id].accepted = true;
            } else if (line.find("/lmtp[") != std::string::npos
                       && line.find(", status=") != std::string::npos) {
                auto& message = all[id];
                message.inside = between(line, " to=<", "@");
                message.address = between(line, " orig_to=<", ">");
                if (message.address.empty()) {
                    // Deleted between RCPT and the end of the message, so it had no name inside
                    // Dovecot any more.
                    message.address = between(line, " to=<", ">");
                }
                message.sent |= line.find(" status=sent ") != std::string::npos;
                message.bounced |= line.find(" status=bounced ") != std::string::npos;
            }
        }
        return all;
    }

    std::size_t accepted() const
    {
        const auto all = messages_by_log();
        return static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [](const auto& each) { return each.second.accepted; }));
    }

    void await(std::size_t count) const
    {
        BOOST_TEST_REQUIRE(process::eventually([&] { return accepted() >= count; },
                                               std::chrono::seconds{60},
                                               std::chrono::milliseconds{100}));
    }

    // Runs one smtp-source for each mailbox, all at once.
    std::future<void> start_round(const story::Tenant& who, std::size_t mailboxes) const
    {
        const auto server = "inet:127.0.0.1:" + stack.setting("SMTP_PORT");
        return std::async(std::launch::async, [who, mailboxes, server] {
            mail::in_parallel(mailboxes, mailboxes, [&](std::size_t i) {
                process::run({"smtp-source", "-A", "-R", "1", "-m", std::to_string(kEach), "-l",
                              "400", "-f", kSender, "-t", who.address("u" + std::to_string(i)),
                              server});
            });
        });
    }

    // Changes passwords, and deletes and creates mailboxes, until it is told to stop. Returns how
    // often each status came.
    std::map<int, int> change(const story::Tenant& who, std::size_t mailboxes, unsigned seed,
                              const std::atomic<bool>& is_over) const
    {
        const auto server = stack.server();
        const auto send =
            [&](const std::string& method, const std::string& target, const http::Body& body) {
            return server.send({method, target, {{"Authorization", http::basic(who.key)}}, body})
                .status;
        };
        std::mt19937 random{seed};
        std::map<int, int> statuses;
        while (!is_over) {
            const auto name = "u" + std::to_string(random() % mailboxes);
            if (random() % 4 != 0) {
                ++statuses[send("PUT", who.mailbox(name),
                                http::form({{"password", "Looking-Glass"}}))];
            } else {
                ++statuses[send("DELETE", who.mailbox(name), {})];
                ++statuses[send("POST", who.mailboxes(),
                                http::form({{"mailbox", name}, {"password", story::kPassword}}))];
            }
        }
        return statuses;
    }

    // Returns the address that each storage id has or had.
    std::map<std::string, std::string> addresses(const story::Tenant& who,
                                                 const std::string& table) const
    {
        std::map<std::string, std::string> found;
        const std::string rows =
            table == "mailbox" ? "mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
                               : "deleted_mailbox WHERE domain = ";
        for (const auto& row :
             stack.sql("SELECT storage_id, local_part FROM " + rows + stack::quote(who.domain))) {
            found[row.at(0)] = who.address(row.at(1));
        }
        return found;
    }

    struct File {
        std::string inside;   // the mailbox that it is in
        std::string address;  // the address that it was sent to
        std::int64_t size;
    };

    // Returns every message in the stores of these mailboxes, by Postfix's queue id.
    std::multimap<std::string, File> files(
        const std::map<std::string, std::string>& mailboxes) const
    {
        std::multimap<std::string, File> found;
        for (const auto& [inside, address] : mailboxes) {
            for (const char* folder : {"new", "cur"}) {
                const auto place =
                    stack.directory() / "mail" / inside.substr(0, 2) / inside / "Maildir" / folder;
                if (!fs::exists(place)) {
                    continue;
                }
                for (const auto& entry : fs::directory_iterator{place}) {
                    std::ifstream file{entry.path()};
                    const std::string text{std::istreambuf_iterator<char>{file}, {}};
                    const auto by_postfix =
                        text.substr(std::min(text.find("(Postfix) with"), text.size()));
                    found.emplace(between(by_postfix, " id ", "\n"),
                                  File{inside, between(text, "X-Original-To: ", "\n"),
                                       std::stoll("0"
                                                  + between(entry.path().filename().string() + ":",
                                                            ",W=", ":"))});
                }
            }
        }
        return found;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_load, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(each_message_in_its_mailbox_and_in_no_other, Load)
{
    const char* const wanted = std::getenv("TEST_MAIL_MESSAGES");
    const std::size_t count = wanted != nullptr ? std::stoul(wanted) : 200;
    const std::size_t mailboxes = count / kEach;
    const auto begin = std::chrono::steady_clock::now();

    const auto who = tenant();
    for (std::size_t i = 0; i < mailboxes; ++i) {
        BOOST_TEST(create(who, "u" + std::to_string(i)).status == 200);
    }
    std::atomic<bool> is_over{false};
    std::vector<std::future<std::map<int, int>>> changes;
    for (unsigned seed = 1; seed <= 2; ++seed) {
        changes.push_back(std::async(std::launch::async,
                                     [&, seed] { return change(who, mailboxes, seed, is_over); }));
    }

    // In the middle of the first round Dovecot stops, then the database; then both start again.
    auto round = start_round(who, mailboxes);
    await(count / 4);
    stop_dovecot();
    await(count / 3);
    stop_database();
    stack.up();
    round.get();
    // Messages that were not accepted are not required. More rounds follow until enough were
    // accepted.
    for (int rounds = 1; accepted() < count; ++rounds) {
        BOOST_TEST_REQUIRE(rounds < 10);
        start_round(who, mailboxes).get();
    }
    is_over = true;
    std::map<int, int> statuses;
    for (auto& each : changes) {
        for (const auto& [status, times] : each.get()) {
            statuses[status] += times;
        }
    }
    BOOST_TEST(process::eventually(
        [&] {
        mail::flush(stack);
        return mail::is_queue_empty(stack);
        },
        std::chrono::seconds{120}, std::chrono::seconds{1}));

    const auto now = addresses(who, "mailbox");
    const auto deleted = addresses(who, "deleted_mailbox");
    auto ever = now;
    ever.insert(deleted.begin(), deleted.end());
    const auto found = files(ever);
    const auto messages = messages_by_log();
    const auto was_deleted = [&deleted](const std::string& address) {
        return std::any_of(deleted.begin(), deleted.end(),
                           [&](const auto& each) { return each.second == address; });
    };
    std::size_t delivered = 0;
    std::size_t bounced = 0;
    for (const auto& [id, message] : messages) {
        if (!message.accepted) {
            continue;
        }
        BOOST_TEST_INFO("message " << id << " for " << message.address << ", inside "
                                   << message.inside);
        if (message.bounced) {
            // Dovecot may have been stopped after storing the message and before its answer; then
            // the bounced message is in the store, too.
            ++bounced;
            BOOST_TEST((deleted.contains(message.inside) || was_deleted(message.address)));
        } else {
            ++delivered;
            BOOST_TEST(message.sent);
            BOOST_TEST(found.count(id) >= 1U);
        }
    }
    std::map<std::string, std::int64_t> sizes;
    for (const auto& [id, file] : found) {
        BOOST_TEST_INFO("the file of " << id);
        BOOST_TEST(messages.contains(id));
        BOOST_TEST(file.inside == messages.at(id).inside);
        BOOST_TEST(file.address == messages.at(id).address);
        BOOST_TEST(file.address == ever.at(file.inside));
        sizes[file.inside] += file.size;
    }
    for (const auto& [status, times] : statuses) {
        BOOST_TEST((status == 200 || status == 404 || status == 409 || status == 503),
                   times << " times " << status);
    }

    if (wanted != nullptr) {
        std::size_t late = 0;
        for (const auto& row : stack.sql("SELECT storage_id, size_bytes FROM mailbox")) {
            late += now.contains(row.at(0)) && std::stoll(row.at(1)) != sizes[row.at(0)] ? 1 : 0;
        }
        std::cout << delivered + bounced << " messages accepted for " << mailboxes
                  << " addresses: " << delivered << " delivered (" << found.size() - delivered
                  << " of them twice), " << bounced << " bounced since their mailbox was deleted; "
                  << statuses[200] << " changes meanwhile, of " << statuses[503]
                  << " more the database was away; sizes that lag: " << late << " of " << now.size()
                  << "; "
                  << std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::steady_clock::now() - begin)
                         .count()
                  << " s\n";
    }
}

BOOST_AUTO_TEST_SUITE_END()
