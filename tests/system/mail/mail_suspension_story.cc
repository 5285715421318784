// mail_suspension_story.cc - asks API, IMAP, POP3, submission and SMTP while an account, a domain
// or a mailbox is suspended, and compares the answers with the guide's table.

#include "support/sources.h"
#include "system/harness/mail.h"

#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using process::Arguments;

namespace {

struct Suspension {
    std::string level;  // account, domain or mailbox; empty if nothing is suspended
    bool is_disabled = false;

    std::string text() const
    {
        return level.empty() ? "nothing" : level + (is_disabled ? ", `--disabled`" : "");
    }
};

const std::vector<Suspension> kTable{
    {""},        {"mailbox"},      {"mailbox", true}, {"domain"}, {"domain", true},
    {"account"}, {"account", true}};

constexpr char kHeading[] = "| suspended | GET | POST | PUT | IMAP | POP3 | AUTH | RCPT | LMTP |";

std::vector<std::string> table_of_guide()
{
    std::istringstream guide{sources::guide()};
    std::vector<std::string> lines;
    for (std::string line; std::getline(guide, line) && (lines.empty() || !line.empty());) {
        if (line == kHeading || !lines.empty()) {
            lines.push_back(line);
        }
    }
    return lines;
}

// Returns the text up to the first blank: `OK`, `-ERR`, `450`.
std::string first_word(const std::string& answer)
{
    return answer.substr(0, answer.find_first_of(" \r\n"));
}

// A tenant with the mailbox alice, and the answers that the API and the mail servers give for it.
struct TestedAccount {
    story::Tenant who;
    // the address that its logins come from, because failed logins delay the next ones from there
    std::string source;
    std::string of_api{};
    std::string of_mail{};

    std::string row() const { return of_api + of_mail; }
};

struct Suspensions : mail::Story {
    TestedAccount tested_account()
    {
        TestedAccount made{tenant(), "127.0.1." + std::to_string(++count)};
        BOOST_TEST_REQUIRE(create(made.who, "alice").status == 200);
        return made;
    }

    void set(const TestedAccount& account, const std::string& command, const Suspension& what) const
    {
        const auto& who = account.who;
        Arguments arguments{what.level, command,
                            what.level == "account"  ? who.account
                            : what.level == "domain" ? who.domain
                                                     : who.address("alice")};
        if (what.is_disabled && command == "suspend") {
            arguments.emplace_back("--disabled");
        }
        const auto ended = stack.mailboxctl(arguments);
        BOOST_TEST(ended.exit == 0, ended.err);
    }

    // Asks for all of them at once, because each failed login takes two seconds.
    void ask(std::vector<TestedAccount>& accounts)
    {
        std::vector<std::string> names;
        for (auto& each : accounts) {
            const auto status = [](const http::Answer& answer) {
                return " " + std::to_string(answer.status) + " |";
            };
            each.of_api = status(list(each.who)) + status(create(each.who, story::unique("new")))
                          + status(change(each.who, "alice", story::kPassword));
            names.push_back(inside(each.who.address("alice")));
        }
        mail::in_parallel(accounts.size(), accounts.size(), [&](std::size_t n) {
            const auto alice = accounts[n].who.address("alice");
            const auto from = [&](const std::string& name) {
                auto where = endpoint(name);
                where.source = accounts[n].source;
                return where;
            };
            mail::Smtp smtp{from("SMTP")};
            smtp.ask("MAIL FROM:<you@example.net>");
            mail::Smtp lmtp{from("LMTP"), "LHLO"};
            std::string row;
            for (const auto& answer :
                 {mail::Imap{from("IMAP")}.login(alice, story::kPassword),
                  mail::Pop3{from("POP3")}.login(alice, story::kPassword),
                  mail::Smtp{from("SUBMISSION")}.login(alice, story::kPassword),
                  smtp.ask("RCPT TO:<" + alice + ">"),
                  lmtp.send("you@example.net", {names[n]}, mail::message("Accepted before"))}) {
                row += " " + first_word(answer) + " |";
            }
            accounts[n].of_mail = row;
        });
    }

    int count = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_suspension, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(of_each_level, Suspensions)
{
    std::vector<TestedAccount> accounts;
    for (const auto& what : kTable) {
        accounts.push_back(tested_account());
        if (!what.level.empty()) {
            set(accounts.back(), "suspend", what);
        }
    }
    ask(accounts);
    std::vector<std::string> table{kHeading, "|---|---|---|---|---|---|---|---|---|"};
    std::string text = "the table is:\n";
    for (std::size_t n = 0; n < kTable.size(); ++n) {
        table.push_back("| " + kTable[n].text() + " |" + accounts[n].row());
    }
    for (const auto& line : table) {
        text += line + "\n";
    }
    BOOST_TEST((table == table_of_guide()), text);

    for (std::size_t n = 1; n < kTable.size(); ++n) {
        set(accounts[n], "resume", kTable[n]);
    }
    ask(accounts);
    for (std::size_t n = 1; n < kTable.size(); ++n) {
        BOOST_TEST(accounts[n].row() == accounts[0].row(), kTable[n].text());
    }
}

// If two levels are suspended and one is resumed, the other one's suspension remains.
BOOST_FIXTURE_TEST_CASE(of_two_levels, Suspensions)
{
    struct Pair {
        Suspension resumed;
        Suspension left;
    };
    const Pair pairs[] = {
        {{"account"}, {"mailbox", true}}, {{"account", true}, {"mailbox"}},
        {{"mailbox", true}, {"account"}}, {{"mailbox"}, {"account", true}},
        {{"domain", true}, {"mailbox"}},  {{"account", true}, {"domain"}},
    };
    std::vector<TestedAccount> twice;
    std::vector<TestedAccount> once;
    for (const auto& [resumed, left] : pairs) {
        twice.push_back(tested_account());
        set(twice.back(), "suspend", resumed);
        set(twice.back(), "suspend", left);
        once.push_back(tested_account());
        set(once.back(), "suspend", left);
    }
    // While both are suspended nobody logs in, and one that takes no mail is enough to refuse mail.
    ask(twice);
    for (std::size_t n = 0; n < twice.size(); ++n) {
        BOOST_TEST(twice[n].of_mail == " NO | -ERR | 535 | 450 | 250 |",
                   pairs[n].resumed.text() << " and " << pairs[n].left.text());
        set(twice[n], "resume", pairs[n].resumed);
    }
    auto all = once;
    for (auto each : twice) {
        each.source = "127.0.1." + std::to_string(++count);
        all.push_back(each);
    }
    ask(all);
    for (std::size_t n = 0; n < once.size(); ++n) {
        BOOST_TEST(all[once.size() + n].row() == all[n].row(),
                   pairs[n].resumed.text() << " resumed, " << pairs[n].left.text() << " left");
    }
}

BOOST_AUTO_TEST_SUITE_END()
