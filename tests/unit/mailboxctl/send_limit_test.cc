// send_limit_test.cc - the limit of what a mailbox may send: what is counted, by which names, and
// the answers to Postfix.

#include "mailboxctl/send_limit.h"

#include <boost/test/unit_test.hpp>

#include <array>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "db/accounts.h"
#include "db/aliases.h"
#include "support/database.h"
#include "support/support.h"

namespace {

constexpr char kEnd[] = "END-OF-MESSAGE";
constexpr std::int64_t kLimit = 200;
constexpr send_limit::Limits kLimits{.send = kLimit, .forward = 3};

struct Sender : database::Tenant {
    Sender() : connection{database.connect()} { add("alice"); }

    void add(const std::string& name) { store.create(grant(), {mailbox(name)}, actor); }
    void remove(const std::string& name) { store.remove(grant(), address(name), actor); }
    send_limit::Request request(const std::string& name, std::int64_t recipients,
                                const std::string& stage)
    {
        return {{"protocol_state", stage},
                {"recipient_count", std::to_string(recipients)},
                {"sasl_username", storage_id(name) + ".1@" + domain.name()}};
    }
    std::string decide(const std::string& name, std::int64_t recipients,
                       const std::string& stage = kEnd)
    {
        return send_limit::decide(connection, request(name, recipients, stage), kLimits);
    }
    std::int64_t counted(const std::string& kind, const std::string& name)
    {
        return database.number(
            "SELECT CAST(COALESCE(SUM(recipients), 0) AS SIGNED) FROM sending_rate WHERE kind = ? AND name = ?",
            {kind, name});
    }
    std::string at(const std::string& name) const { return name + "@" + domain.name(); }

    db::Connection connection;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sendings)

BOOST_FIXTURE_TEST_CASE(what_was_accepted_is_counted_by_three_names, Sender)
{
    add("bob");
    BOOST_TEST(decide("alice", 3) == "DUNNO");
    BOOST_TEST(decide("bob", 1) == "DUNNO");
    BOOST_TEST(counted("mailbox", at("alice")) == 3);
    BOOST_TEST(counted("mailbox", at("bob")) == 1);
    BOOST_TEST(counted("domain", domain.name()) == 4);
    BOOST_TEST(counted("account", account) == 4);
}

// A message that is aborted or refused is not counted.
BOOST_FIXTURE_TEST_CASE(asking_does_not_count, Sender)
{
    for (const char* stage : {"DATA", "RCPT", "MAIL", "CONNECT", ""})
        BOOST_TEST(decide("alice", 5, stage) == "DUNNO");
    BOOST_TEST(decide("alice", 201, "DATA").starts_with("550 5.5.3 "));
    BOOST_TEST(decide("alice", 201).starts_with("550 5.5.3 "));
    BOOST_TEST(counted("mailbox", at("alice")) == 0);
    BOOST_TEST(decide("alice", 200, "DATA") == "DUNNO");
    BOOST_TEST(decide("alice", 200) == "DUNNO");
    for (const char* stage : {"DATA", kEnd})
        BOOST_TEST(decide("alice", 1, stage).starts_with("450 4.7.1 "));
    BOOST_TEST(counted("mailbox", at("alice")) == 200);
    BOOST_TEST(counted("domain", domain.name()) == 200);
}

BOOST_FIXTURE_TEST_CASE(a_refusal_names_limit_and_time, Sender)
{
    BOOST_TEST(
        decide("alice", 201)
        == "550 5.5.3 This mailbox may send to 200 recipients an hour; this message has 201: send it in parts, an hour apart");
    BOOST_TEST(decide("alice", 150) == "DUNNO");
    const auto until = database.number(
        "SELECT since + 3600 FROM sending_rate WHERE kind = 'mailbox' AND name = ?", {at("alice")});
    BOOST_TEST(
        decide("alice", 51)
        == "450 4.7.1 This mailbox may send to 200 recipients an hour and has sent to 150; this message has 51: try again at "
               + admin::time_text(until));
    BOOST_TEST(decide("alice", 50) == "DUNNO");
}

BOOST_FIXTURE_TEST_CASE(an_hour_later_there_is_room_again, Sender)
{
    BOOST_TEST(decide("alice", 200) == "DUNNO");
    database.execute(
        "UPDATE sending_rate SET since = since - 3599 WHERE kind = 'mailbox' AND name = ?",
        {at("alice")});
    BOOST_TEST(decide("alice", 1, "DATA").starts_with("450 "));
    for (const auto& name : {at("alice"), domain.name(), account})
        database.execute("UPDATE sending_rate SET since = since - 3600 WHERE name = ?", {name});
    BOOST_TEST(decide("alice", 1, "DATA") == "DUNNO");
    BOOST_TEST(decide("alice", 200) == "DUNNO");
    BOOST_TEST(counted("mailbox", at("alice")) == 200);
}

// DELETE and POST of the same name, or of another one, do not reset the limit.
BOOST_FIXTURE_TEST_CASE(another_mailbox_of_the_name_has_the_same_limit, Sender)
{
    BOOST_TEST(decide("alice", 200) == "DUNNO");
    remove("alice");
    add("alice");
    BOOST_TEST(
        decide("alice", 1)
            .starts_with(
                "450 4.7.1 This mailbox may send to 200 recipients an hour and has sent to 200; "));
    remove("alice");
    add("eve");
    BOOST_TEST(decide("eve", 1).starts_with(
        "450 4.7.1 The mailboxes of " + domain.name()
        + " together may send to 200 recipients an hour and have sent to 200; "));
    add("bob");
    BOOST_TEST(decide("bob", 200) == "DUNNO");
    BOOST_TEST(decide("eve", 1).starts_with("450 4.7.1 The mailboxes of " + domain.name()
                                            + " together may send to 400 "));
}

BOOST_FIXTURE_TEST_CASE(another_domain_of_the_account_has_no_more, Sender)
{
    const auto second = mailbox::Domain::parse(support::unique("d") + ".example").value();
    const auto id = admin::Admin{connection}.add_domain(second, account);
    database.execute(
        "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password) VALUES (?, 1, 'carl', 1, LEFT(SHA2(?, 256), 32), '{PLAIN}x')",
        {id, second.name()});
    database.execute("UPDATE domain SET mailboxes = 1 WHERE id = ?", {id});
    database.execute(
        "INSERT INTO sending_rate (kind, name, since, recipients) VALUES ('account', ?, UNIX_TIMESTAMP(), 400)",
        {account});
    BOOST_TEST(
        decide("alice", 1)
            .starts_with(
                "450 4.7.1 The mailboxes of this account together may send to 400 recipients an hour "));
}

BOOST_FIXTURE_TEST_CASE(it_is_exact_however_many_send_at_once, Sender)
{
    constexpr int kThreads = 8, kMessages = 10, kRecipients = 7;
    std::array<int, kThreads> sent{};
    std::vector<std::thread> threads;
    const auto asked = request("alice", kRecipients, kEnd);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            auto its = database.connect();
            for (int n = 0; n < kMessages; ++n)
                sent.at(static_cast<std::size_t>(i)) +=
                    send_limit::decide(its, asked, kLimits) == "DUNNO" ? 1 : 0;
        });
    }
    for (auto& thread : threads) thread.join();
    int all = 0;
    for (const int each : sent) all += each;
    BOOST_TEST(all == kLimit / kRecipients);
    BOOST_TEST(counted("mailbox", at("alice")) == kLimit / kRecipients * kRecipients);
}

BOOST_FIXTURE_TEST_CASE(other_users_are_not_counted, Sender)
{
    const std::string zeros(32, '0');
    for (const std::string& user :
         {std::string{}, std::string{"root"}, std::string{"you@example.net"}, zeros,
          zeros + ".1@" + domain.name(),
          std::string{"0123456789abcdef0123456789abcd\xC3\xB6.1@example.net"}, std::string{"'"},
          storage_id("alice")}) {
        BOOST_TEST(
            send_limit::decide(
                connection,
                {{"protocol_state", kEnd}, {"recipient_count", "900"}, {"sasl_username", user}},
                kLimits)
                == "DUNNO",
            user);
    }
    BOOST_TEST(counted("mailbox", at("alice")) == 0);
    BOOST_TEST(send_limit::decide(connection, request("alice", 900, kEnd), {})
               == "DUNNO");  // no limit
    BOOST_TEST(counted("mailbox", at("alice")) == 0);
}

// What the aliases of a domain send to other servers is counted by the domain.
BOOST_FIXTURE_TEST_CASE(forwarded_mail_is_counted_by_its_domain, Sender)
{
    database.execute("UPDATE domain SET forward_outside = 1 WHERE id = ?", {domain_id});
    const auto made = alias::Changes{connection}.add(
        {.whose = {}, .is_operator = true},
        {.priority = {},
         .description = {},
         .expression = "match_recipient('sales@" + domain.name() + "')",
         .actions = std::vector<std::string>{"forward('bob@elsewhere.example')"}});
    const auto decide_to =
        [&](const std::string& recipient, const std::string& stage, const std::string& user = "") {
        return send_limit::decide(connection,
                                  {{"protocol_state", stage},
                                   {"recipient_count", "1"},
                                   {"sasl_username", user},
                                   {"recipient", recipient}},
                                  kLimits);
    };
    const auto target = "bob=elsewhere.example@" + std::to_string(made.number) + ".forward.invalid";
    for (std::int64_t i = 0; i < kLimits.forward; ++i) {
        BOOST_TEST(decide_to(target, "DATA") == "DUNNO");
        BOOST_TEST(decide_to(target, kEnd) == "DUNNO");
    }
    BOOST_TEST(counted("forwarded", domain.name()) == kLimits.forward);
    for (const auto& stage : {"DATA", kEnd}) {
        BOOST_TEST(
            decide_to(target, stage)
                .starts_with("450 4.7.1 The aliases of " + domain.name()
                             + " may send 3 messages an hour to other servers: try again at "));
    }
    BOOST_TEST(counted("forwarded", domain.name()) == kLimits.forward);
    // A program of this host may write the address as it likes.
    BOOST_TEST(
        decide_to("bob=elsewhere.example@" + std::to_string(made.number) + ".Forward.INVALID", kEnd)
            .starts_with("450 "));
    // Other addresses are not counted, and nobody's own limit can be evaded by such an address.
    for (const std::string other : {"bob@elsewhere.example", "x@0.forward.invalid",
                                    "x@forward.invalid", "x@y.forward.invalid", ".forward.invalid"})
        BOOST_TEST(decide_to(other, kEnd) == "DUNNO", other);
    decide_to(target, kEnd, storage_id("alice") + ".1@" + domain.name());
    BOOST_TEST(counted("mailbox", at("alice")) == 1);
}

BOOST_FIXTURE_TEST_CASE(a_trial_counts_nothing, Sender)
{
    send_limit::try_to_count(connection);
    BOOST_TEST(counted("mailbox", "") == 0);
    BOOST_TEST(database.number("SELECT COUNT(*) FROM sending_rate WHERE name = ''") == 0);
}

BOOST_FIXTURE_TEST_CASE(it_answers_until_its_input_ends, Sender)
{
    auto config = database.config();
    config.postfix_db = config.db;
    const auto asked =
        "request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\nqueue_id=a=b\nrecipient_count=150\nsasl_username="
        + storage_id("alice") + ".1@" + domain.name() + "\n\n";
    std::istringstream in{asked + asked};
    std::ostringstream out;
    send_limit::serve(config, in, out);
    BOOST_TEST(out.str().starts_with("action=DUNNO\n\naction=450 4.7.1 This mailbox "), out.str());
    BOOST_TEST(out.str().ends_with("\n\n"), out.str());
    // While the database is away, other users of this Postfix can still send.
    config.postfix_db.user = "absent_user";
    std::istringstream again{
        asked
        + "protocol_state=END-OF-MESSAGE\nrecipient_count=1\nsasl_username=bob@own.example\n\n"};
    std::ostringstream refused;
    send_limit::serve(config, again, refused);
    BOOST_TEST(
        refused.str()
        == "action=451 4.3.0 Sending cannot be counted at present; try again later\n\naction=DUNNO\n\n");
}

BOOST_AUTO_TEST_CASE(who_does_not_answer_is_named)
{
    const support::Directory directory;
    BOOST_CHECK_EXCEPTION(send_limit::ask(directory.path("absent.sock")), std::runtime_error,
                          [](const std::exception& error) {
        return std::string{error.what()}.find("absent.sock: No such file or directory")
               != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()
