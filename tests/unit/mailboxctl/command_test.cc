// command_test.cc - what the commands of mailboxctl share.

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

#include "db/accounts.h"
#include "mailboxctl/command.h"
#include "support/support.h"

namespace {

namespace data = boost::unit_test::data;
using Outcome = admin::Refused::Outcome;

struct Refusal : support::Row {
    std::string sentence;
    Outcome outcome;
    std::string complaint;
};
const Refusal kRefusals[] = {
    {"a clause", "there is no account demo", Outcome::unsaid,
     "there is no account demo; nothing was changed"},
    {"a whole sentence", "The account demo is gone.", Outcome::unsaid,
     "The account demo is gone. Nothing was changed."},
    {"one that says so itself", "Nothing was removed; to remove it, add --yes", Outcome::said,
     "Nothing was removed; to remove it, add --yes"},
    // The words of a sentence do not decide: here they are a name that the caller gave.
    {"one with the words in a name", "there is no domain nothing was changed", Outcome::unsaid,
     "there is no domain nothing was changed; nothing was changed"},
};

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_DATA_TEST_CASE(a_refusal_says_that_nothing_was_changed_once, data::make(kRefusals), row)
{
    BOOST_TEST(command::with_outcome(admin::Refused{row.sentence, row.outcome}) == row.complaint);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
