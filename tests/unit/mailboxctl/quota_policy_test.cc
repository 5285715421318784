// quota_policy_test.cc - which questions of Postfix are passed on to Dovecot, and how its answers
// are used.

#include "mailboxctl/quota_policy.h"

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Stands for Dovecot: `bob` has room for 100 bytes, `full` for none, and `away` cannot be asked.
struct Conversation {
    std::string operator()(const quota_policy::Attributes& request)
    {
        const auto& recipient = request.at("recipient");
        const auto size = request.contains("size") ? std::stoi(request.at("size")) : 0;
        asked.push_back(request.at("protocol_state") + " " + recipient + " "
                        + std::to_string(size));
        if (recipient == "away") throw std::runtime_error{"nobody there"};
        return recipient == "full" || (recipient == "bob" && size > 100) ? "552 5.2.2 Full"
                                                                         : "DUNNO";
    }

    // A word for each request: state, instance, recipient, size. Returns the answers.
    std::string hold(const std::vector<std::vector<std::string>>& requests)
    {
        std::string text;
        for (const auto& words : requests) {
            text += "request=smtpd_access_policy\nprotocol_state=" + words[0] + "\ninstance="
                    + words[1] + "\nrecipient=" + words[2] + "\nsize=" + words[3] + "\n\n";
        }
        std::istringstream in{text};
        std::ostringstream out;
        quota_policy::serve(
            in, out, [this](const quota_policy::Attributes& request) { return (*this)(request); });
        std::string answers = out.str();
        for (auto at = answers.find("\n\n"); at != std::string::npos; at = answers.find("\n\n"))
            answers.replace(at, 2, "|");
        return answers;
    }

    std::vector<std::string> asked;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(policies)

BOOST_FIXTURE_TEST_CASE(all_recipients_are_asked_about_again_with_the_size, Conversation)
{
    BOOST_TEST(hold({{"RCPT", "1", "alice", "0"},
                     {"RCPT", "1", "bob", "0"},
                     {"END-OF-MESSAGE", "1", "", "101"}})
               == "action=DUNNO|action=DUNNO|action=552 5.2.2 Full: bob|");
    BOOST_TEST(asked
                   == (std::vector<std::string>{"RCPT alice 0", "RCPT bob 0", "RCPT alice 101",
                                                "RCPT bob 101"}),
               boost::test_tools::per_element());
    BOOST_TEST(hold({{"RCPT", "1", "bob", "0"}, {"END-OF-MESSAGE", "1", "bob", "100"}})
               == "action=DUNNO|action=DUNNO|");
}

BOOST_FIXTURE_TEST_CASE(another_messages_recipients_are_forgotten, Conversation)
{
    BOOST_TEST(hold({{"RCPT", "1", "bob", "0"},
                     {"RCPT", "2", "alice", "0"},
                     {"END-OF-MESSAGE", "2", "alice", "500"},
                     {"END-OF-MESSAGE", "3", "bob", "500"}})
               == "action=DUNNO|action=DUNNO|action=DUNNO|action=DUNNO|");
}

BOOST_FIXTURE_TEST_CASE(who_was_refused_is_no_recipient, Conversation)
{
    BOOST_TEST(hold({{"RCPT", "1", "full", "0"},
                     {"RCPT", "1", "alice", "0"},
                     {"END-OF-MESSAGE", "1", "alice", "500"}})
               == "action=552 5.2.2 Full|action=DUNNO|action=DUNNO|");
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_asked_about_is_accepted, Conversation)
{
    BOOST_TEST(hold({{"RCPT", "1", "away", "0"},
                     {"END-OF-MESSAGE", "1", "away", "500"},
                     {"DATA", "1", "bob", "500"}})
               == "action=DUNNO|action=DUNNO|action=DUNNO|");
    std::istringstream in{"no attribute\n\ncut off=1\n"};
    std::ostringstream out;
    quota_policy::serve(in, out,
                        [](const quota_policy::Attributes&) { return std::string{"552 never"}; });
    BOOST_TEST(out.str() == "action=DUNNO\n\n");
}

BOOST_AUTO_TEST_SUITE_END()
