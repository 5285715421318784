// mail_alias_story.cc - where mail for aliases, catch-alls and alias domains arrives, and who may
// send from them, over SMTP, IMAP and POP3.
//
// TEST_MAIL_MESSAGES in the environment sets the number of messages of the load (200).

#include "system/harness/mail.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <ostream>
#include <set>
#include <sstream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

const Names kAll{"alice", "bob", "carol", "postmaster"};

struct Aliases : mail::Story {
    Aliases() : who{tenant()}
    {
        for (const auto& name : kAll) BOOST_TEST_REQUIRE(create(who, name).status == 200);
    }

    // Other stories expect that every alias leads to a mailbox.
    void teardown()
    {
        mail::Story::teardown();
        const auto account =
            stack.value("SELECT id FROM account WHERE name = " + stack::quote(who.account));
        stack.sql("DELETE FROM alias WHERE account_id = " + account);
    }

    // `name`: of the domain; empty: its catch-all.
    http::Answer route(const std::string& name, const Names& targets, bool has_stop = false) const
    {
        http::Fields fields{{"expression", "match_recipient('" + (name.empty() ? ".*" : name) + "@"
                                               + who.domain + "')"}};
        for (const auto& target : targets)
            fields.emplace_back("action", "forward(\"" + who.address(target) + "\")");
        if (has_stop) fields.emplace_back("action", "stop()");
        return call(who.key, "POST", "/v3/routes", http::form(fields));
    }
    std::string id_of(const http::Answer& answer) const
    {
        constexpr std::string_view kId = "\"id\":\"";
        return answer.body.substr(answer.body.find(kId) + kId.size(), 24);
    }
    void made(const std::string& name, const Names& targets, bool has_stop = false) const
    {
        const auto answer = route(name, targets, has_stop);
        BOOST_TEST_REQUIRE(answer.status == 200, answer.body);
    }
    void ctl(const process::Arguments& arguments) const
    {
        const auto ended = stack.mailboxctl(arguments);
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    }

    // Sends a message to these addresses at once and waits until Postfix has delivered it. Returns
    // the answer to it.
    std::string sent(const Names& addresses, const std::string& subject) const
    {
        auto answer =
            smtp().send("you@example.net", addresses, mail::message(subject, "Hello.\r\n"));
        BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); }));
        return answer;
    }
    // Returns the names of the mailboxes that have a message with this subject, once for each.
    Names holders(const std::string& subject, const Names& names) const
    {
        Names found;
        for (const auto& name : names) {
            auto session = imap(who.address(name));
            session.select();
            const auto hits = session.ask("SEARCH SUBJECT \"" + subject + "\"").text();
            const auto numbers = hits.substr(hits.find("SEARCH") + 6);
            std::istringstream words{numbers.substr(0, numbers.find('\n'))};
            for (std::string word; words >> word;) {
                if (word.find_first_not_of("0123456789") == std::string::npos)
                    found.push_back(name);
            }
        }
        return found;
    }
    std::string rcpt(const std::string& address) const
    {
        auto session = smtp();
        BOOST_TEST(session.ask("MAIL FROM:<you@example.net>").starts_with("250 "));
        return session.ask("RCPT TO:<" + address + ">").substr(0, 3);
    }

    story::Tenant who;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_aliases, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(mail_goes_where_routes_say, Aliases,
                        *story::shows("routes: where mail goes"))
{
    made("sales", {"alice", "bob"});
    made("carol", {"alice"});
    made("bob", {"carol"}, true);
    const struct {
        const char* why;
        Names to;
        Names arrives;
    } rows[] = {
        {"an alias with two targets, one of which has a stop", {"sales"}, {"alice", "carol"}},
        {"a mailbox with copies", {"carol"}, {"alice", "carol"}},
        {"a mailbox with a stop", {"bob"}, {"alice", "carol"}},
        {"an extension", {"carol+x"}, {"alice", "carol"}},
        {"a system address", {"abuse"}, {"postmaster"}},
        {"a mailbox without a route", {"alice"}, {"alice"}},
    };
    int number = 0;
    for (const auto& row : rows) {
        BOOST_TEST_CONTEXT(row.why)
        {
            const auto subject = "row" + std::to_string(++number);
            Names addresses;
            for (const auto& name : row.to) addresses.push_back(who.address(name));
            BOOST_TEST(sent(addresses, subject).starts_with("250 "));
            BOOST_TEST(holders(subject, kAll) == row.arrives, boost::test_tools::per_element());
        }
    }
}

BOOST_FIXTURE_TEST_CASE(a_catch_all_takes_only_what_nothing_else_has, Aliases,
                        *story::shows("routes: a catch-all"))
{
    made("", {"carol"});
    made("sales", {"alice"});
    BOOST_TEST(sent({who.address("anything"), who.address("sales"), who.address("bob")}, "all")
                   .starts_with("250 "));
    BOOST_TEST(holders("all", kAll) == (Names{"alice", "bob", "carol"}),
               boost::test_tools::per_element());
    BOOST_TEST(rcpt(inside(who.address("alice")).substr(0, 32) + "@" + who.domain) == "550");
    BOOST_TEST(rcpt(std::string(32, 'f') + "@" + who.domain) == "550");
}

// Bound to the mailbox: what bob got before stays his, and the new bob gets nothing.
BOOST_FIXTURE_TEST_CASE(a_new_mailbox_of_the_same_name_gets_nothing, Aliases,
                        *story::shows("routes: bound to mailboxes"))
{
    made("sales", {"alice", "bob"});
    made("only", {"bob"});
    BOOST_TEST(sent({who.address("sales")}, "before").starts_with("250 "));
    BOOST_TEST(remove(who, "bob").status == 200);
    BOOST_TEST(create(who, "bob").status == 200);
    BOOST_TEST(sent({who.address("sales")}, "after").starts_with("250 "));
    BOOST_TEST(rcpt(who.address("only")) == "550");
    BOOST_TEST(holders("before", kAll) == Names{"alice"}, boost::test_tools::per_element());
    BOOST_TEST(holders("after", kAll) == Names{"alice"}, boost::test_tools::per_element());
    const auto why = stack.mailboxctl({"why", who.address("only")});
    BOOST_TEST(why.exit == 1);
    BOOST_TEST(why.out.find("leads nowhere") != std::string::npos, why.out);
    BOOST_TEST(stack.mailboxctl({"check"}).out.find("aliases: mail to " + who.address("only"))
               != std::string::npos);
    BOOST_TEST(remove(who, "bob").status == 200);
    const auto first =
        stack.value("SELECT storage_id FROM deleted_mailbox WHERE domain = "
                    + stack::quote(who.domain) + " ORDER BY created_at, place LIMIT 1");
    ctl({"mailbox", "restore", who.address("bob"), "--id", first});
    BOOST_TEST(rcpt(who.address("only")) == "250");
    BOOST_TEST(holders("before", kAll) == (Names{"alice", "bob"}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_alias_domain_takes_mail_and_logins, Aliases,
                        *story::shows("routes: alias domains"))
{
    const auto alias = story::unique("alias") + ".example.org";
    BOOST_TEST(rcpt("nobody@" + alias) == "550");
    ctl({"domain", "alias", "add", alias, who.domain});
    made("sales", {"bob"});
    BOOST_TEST(sent({"alice@" + alias, "sales@" + alias, "abuse@" + alias}, "to an alias domain")
                   .starts_with("250 "));
    BOOST_TEST(holders("to an alias domain", kAll) == (Names{"alice", "bob", "postmaster"}),
               boost::test_tools::per_element());
    auto session = imap("alice@" + alias);
    BOOST_TEST(session.select() == 1U);
    BOOST_TEST(pop3("alice@" + alias).messages() == 1U);
    auto sending = submission("alice@" + alias);
    BOOST_TEST(
        sending
            .send("alice@" + alias, {who.address("carol")}, mail::message("from an alias domain"))
            .starts_with("250 "));
    BOOST_TEST(rcpt("nobody@" + alias) == "550");
    ctl({"domain", "alias", "remove", alias});
    BOOST_TEST(rcpt("bob@" + alias) == "550");
    BOOST_TEST(is_refused("alice@" + alias, story::kPassword));
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_sends_from_aliases_that_lead_to_it_alone, Aliases,
                        *story::shows("routes: who may send"))
{
    made("one", {"alice"});
    made("two", {"alice", "bob"});
    made("", {"alice"});
    auto session = submission(who.address("alice"));
    const auto from = [&](const std::string& name) {
        auto answer = session.ask("MAIL FROM:<" + who.address(name) + ">");
        session.ask("RSET");
        return answer.substr(0, 3);
    };
    BOOST_TEST(from("alice") == "250");
    BOOST_TEST(from("one") == "250");
    BOOST_TEST(from("two") == "553");
    BOOST_TEST(from("bob") == "553");
    BOOST_TEST(from("anything") == "553");
    auto outside = smtp();
    BOOST_TEST(outside.ask("MAIL FROM:<" + who.address("one") + ">").starts_with("250 "));
    BOOST_TEST(outside.ask("RCPT TO:<" + who.address("bob") + ">").starts_with("550 5.7.1 "));
}

// --- RCPT, in each state --------------------------------------------------------------------

namespace {

// What an address is, and which mailboxes get its mail.
struct Kind {
    const char* name;
    Names mailboxes;
};
const Kind kKinds[] = {{"alice", {"alice"}},      {"alice+x", {"alice"}}, {"one", {"alice"}},
                       {"two", {"alice", "bob"}}, {"chain", {"alice"}},   {"anything", {"carol"}},
                       {"abuse", {"postmaster"}}};

// What is done before, and what RCPT answers then: by whether the mail would reach alice alone, her
// and others, or only others.
struct State {
    const char* why;
    std::vector<process::Arguments>
        commands;  // of mailboxctl; {D}, {A} stand for domain and account
    const char* alice;
    const char* alice_and_others;
    const char* others;
};
std::ostream& operator<<(std::ostream& out, const State& row)
{
    return out << row.why;
}
const State kStates[] = {
    {"active", {}, "250", "250", "250"},
    {"the mailbox without logins", {{"mailbox", "suspend", "alice@{D}"}}, "250", "250", "250"},
    {"the mailbox disabled",
     {{"mailbox", "suspend", "alice@{D}", "--disabled"}},
     "450",
     "250",
     "250"},
    {"the mailbox deleted", {{"mailbox", "remove", "alice@{D}"}}, "550", "250", "250"},
    {"the mailbox restored",
     {{"mailbox", "remove", "alice@{D}"}, {"mailbox", "restore", "alice@{D}"}},
     "250",
     "250",
     "250"},
    {"the mailbox full", {{"mailbox", "quota", "alice@{D}", "1"}}, "552", "250", "250"},
    {"the domain without logins", {{"domain", "suspend", "{D}"}}, "250", "250", "250"},
    {"the domain disabled", {{"domain", "suspend", "{D}", "--disabled"}}, "450", "450", "450"},
    {"the account disabled", {{"account", "suspend", "{A}", "--disabled"}}, "450", "450", "450"},
    {"the domain removed", {{"domain", "remove", "{D}", "--yes"}}, "550", "550", "550"},
    {"the domain restored",
     {{"domain", "remove", "{D}", "--yes"}, {"domain", "restore", "{D}"}},
     "250",
     "250",
     "250"},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Aliases, what_rcpt_answers, data::make(kStates), row)
{
    const auto alias = story::unique("alias") + ".example.org";
    ctl({"domain", "alias", "add", alias, who.domain});
    made("one", {"alice"});
    made("two", {"alice", "bob"});
    made("chain", {"one"});
    made("", {"carol"});
    deliver(who.address("alice"), mail::message("first"));
    for (auto command : row.commands) {
        for (auto& word : command)
            word = mail::fill(word, {{"{D}", who.domain}, {"{A}", who.account}});
        ctl(command);
    }
    // A catch-all takes the mail of a name that is free.
    const bool is_free = std::string_view{row.why} == "the mailbox deleted";
    for (const auto& kind : kKinds) {
        for (const auto& domain : {who.domain, alias}) {
            const auto address = std::string{kind.name} + "@" + domain;
            const bool has_alice = kind.mailboxes.front() == "alice";
            std::string answer = !has_alice                    ? row.others
                                 : kind.mailboxes.size() == 1U ? row.alice
                                                               : row.alice_and_others;
            if (is_free && std::string_view{kind.name}.starts_with("alice")) answer = "250";
            BOOST_TEST(rcpt(address) == answer, address);
        }
    }
    if (!row.commands.empty() && row.commands.back()[0] == "domain"
        && row.commands.back()[1] == "remove")
        ctl({"domain", "restore", who.domain});
}

// --- under load ------------------------------------------------------------------------------

namespace {

using Clock = std::chrono::steady_clock;

// A mailbox that was a target of the alias from some time on until another. Around each change
// there is a time in which nobody can say.
struct Membership {
    std::string storage_id;
    Clock::time_point may_begin, begins;
    Clock::time_point ends = Clock::time_point::max(), has_ended = Clock::time_point::max();
};

struct Sent {
    Clock::time_point begin, end;  // of the SMTP dialogue; accepted in between
};

struct Load : Aliases {
    fs::path maildir(const std::string& storage_id) const
    {
        return stack.directory() / "mail" / storage_id.substr(0, 2) / storage_id / "Maildir";
    }
    // Returns how often each subject is in the mailbox, deleted or not.
    std::map<std::string, int> subjects(const std::string& storage_id) const
    {
        std::map<std::string, int> found;
        for (const char* folder : {"new", "cur"}) {
            if (!fs::exists(maildir(storage_id) / folder)) continue;
            for (const auto& entry : fs::directory_iterator{maildir(storage_id) / folder}) {
                std::ifstream file{entry.path()};
                for (std::string line; std::getline(file, line);) {
                    constexpr std::string_view kSubject = "Subject: load";
                    if (!line.starts_with(kSubject)) continue;
                    ++found[line.substr(kSubject.size(), line.find('\r') - kSubject.size())];
                    break;
                }
            }
        }
        return found;
    }
    std::string storage_id(const std::string& name) const
    {
        return inside(who.address(name)).substr(0, 32);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(each_message_is_in_the_mailboxes_that_were_targets, Load,
                        *story::shows("routes: bound to mailboxes"))
{
    expected = {"foreign key constraint fails"};  // deliveries to mailboxes that are deleted
    const char* const wanted = std::getenv("TEST_MAIL_MESSAGES");
    const std::size_t count = wanted != nullptr ? std::stoul(wanted) : 200;
    constexpr std::size_t kSenders = 4;
    const Names names{"t0", "t1", "t2", "t3"};
    for (const auto& name : names) BOOST_TEST_REQUIRE(create(who, name).status == 200);
    std::vector<Membership> memberships;
    std::map<std::string, std::size_t> member;  // by name: its membership that is on
    std::set<std::string> mailboxes;
    auto begin = Clock::now();
    const auto created = route("team", names);
    BOOST_TEST_REQUIRE(created.status == 200);
    const auto item = "/v3/routes/" + id_of(created);
    for (const auto& name : names) {
        member[name] = memberships.size();
        memberships.push_back({storage_id(name), begin, Clock::now()});
    }

    std::map<std::size_t, Sent> sent;
    std::mutex mutex;
    std::size_t next = 0, permitted = 0, done = 0;
    std::condition_variable changed;
    const auto permit = [&](std::size_t number) {
        const std::lock_guard lock{mutex};
        permitted = number;
        changed.notify_all();
    };
    std::vector<std::future<void>> senders;
    for (std::size_t i = 0; i < kSenders; ++i) {
        senders.push_back(std::async(std::launch::async, [&] {
            auto session = smtp();
            for (;;) {
                std::unique_lock turn{mutex};
                changed.wait(turn, [&] { return next < permitted || next == count; });
                if (next == count) return;
                const auto number = next++;
                turn.unlock();
                const auto start = Clock::now();
                const auto answer =
                    session.send("you@example.net", {who.address("team")},
                                 "Subject: load" + std::to_string(number) + "\r\n\r\nHello.\r\n");
                const std::lock_guard lock{mutex};
                if (answer.starts_with("250 ")) sent[number] = {start, Clock::now()};
                ++done;
                changed.notify_all();
            }
        }));
    }
    const auto await_done = [&](std::size_t number) {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return done >= number; });
    };
    const auto await_delivery = [&] {
        BOOST_TEST(process::eventually(
            [&] {
            mail::flush(stack);
            return mail::is_queue_empty(stack);
            },
            std::chrono::seconds{120}, std::chrono::milliseconds{200}));
    };
    // In each turn, most messages are delivered before a target is deleted and created again, and
    // the others are sent meanwhile. Every third time the route is set again, and leads to the
    // mailboxes that there are then.
    constexpr std::size_t kTurns = 12;
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
        const auto most = (turn * 10 + 9) * count / (kTurns * 10);
        permit(most);
        await_done(most);
        await_delivery();
        permit((turn + 1) * count / kTurns);
        const auto& name = names[turn % names.size()];
        begin = Clock::now();
        BOOST_TEST(remove(who, name).status == 200);
        if (const auto found = member.find(name); found != member.end()) {
            memberships[found->second].ends = begin;
            memberships[found->second].has_ended = Clock::now();
            member.erase(found);
        }
        BOOST_TEST(create(who, name).status == 200);
        mailboxes.insert(storage_id(name));
        if (turn % 3 != 2) continue;
        http::Fields fields;
        for (const auto& each : names)
            fields.emplace_back("action", "forward('" + who.address(each) + "')");
        begin = Clock::now();
        BOOST_TEST(call(who.key, "PUT", item, http::form(fields)).status == 200);
        for (const auto& each : names) {
            if (member.contains(each)) continue;
            member[each] = memberships.size();
            memberships.push_back({storage_id(each), begin, Clock::now()});
        }
    }
    for (auto& each : senders) each.get();
    await_delivery();

    // Mail that was accepted for a mailbox and not delivered when it was deleted is not in it.
    std::size_t delivered = 0, unsure = 0, late = 0;
    for (const auto& each : memberships) mailboxes.insert(each.storage_id);
    for (const auto& id : mailboxes) {
        const auto found = subjects(id);
        const auto is_at = std::find_if(memberships.begin(), memberships.end(),
                                        [&](const auto& each) { return each.storage_id == id; });
        for (const auto& [number, message] : sent) {
            const auto copies = found.find(std::to_string(number));
            const int times = copies == found.end() ? 0 : copies->second;
            BOOST_TEST_INFO("message " << number << " in " << id);
            if (is_at == memberships.end() || message.end < is_at->may_begin
                || message.begin > is_at->has_ended) {
                BOOST_TEST(times == 0);
            } else if (message.begin >= is_at->begins && message.end <= is_at->ends) {
                const bool may_be_lost = is_at->ends != Clock::time_point::max();
                if (times == 0 && may_be_lost) ++late;
                else BOOST_TEST(times == 1);
                delivered += static_cast<std::size_t>(times);
            } else {
                BOOST_TEST(times <= 1);
                ++unsure;
            }
        }
    }
    BOOST_TEST(delivered > 0U);
    if (wanted != nullptr) {
        std::cout << sent.size() << " messages to an alias with " << names.size()
                  << " targets, which were " << mailboxes.size()
                  << " mailboxes one after another: " << delivered << " copies as they had to be, "
                  << late << " that a deletion overtook, " << unsure
                  << " sent during a change, none elsewhere\n";
    }
}

BOOST_AUTO_TEST_SUITE_END()
