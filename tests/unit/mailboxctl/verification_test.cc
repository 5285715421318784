// verification_test.cc - two stores of mail are compared as multisets.

#include "mailboxctl/verification.h"

#include <boost/test/unit_test.hpp>

namespace {

using verification::Contents;
using verification::Item;
using verification::Kind;

Contents contents(std::vector<Item> items)
{
    Contents all{.folders = {"INBOX"}, .items = std::move(items)};
    for (const auto& item : all.items) all.folders.insert(item.folder);
    return all;
}

const Item kHello{"INBOX", "<1@x>", 10, "\\Seen"};
const Item kNameless{"INBOX", "", 20, ""};

}  // namespace

BOOST_AUTO_TEST_SUITE(verifications)

BOOST_AUTO_TEST_CASE(the_same)
{
    const auto report =
        verification::compared(contents({kHello, kNameless}), contents({kNameless, kHello}));
    BOOST_TEST(report.same == 2);
    BOOST_TEST(report.differences.empty());
}

BOOST_AUTO_TEST_CASE(duplicates_are_counted)
{
    const auto missing =
        verification::compared(contents({kHello, kHello, kHello}), contents({kHello}));
    BOOST_TEST(missing.count(Kind::missing) == 2);
    BOOST_TEST(!missing.is_complete());
    const auto twice = verification::compared(contents({kHello}), contents({kHello, kHello}));
    BOOST_TEST(twice.count(Kind::extra) == 1);
    BOOST_TEST(twice.is_complete());
}

BOOST_AUTO_TEST_CASE(messages_without_a_message_id)
{
    auto other = kNameless;
    other.bytes = 21;
    const auto report =
        verification::compared(contents({kNameless, kNameless}), contents({kNameless, other}));
    BOOST_TEST(report.same == 1);
    BOOST_TEST(report.count(Kind::missing) == 1);
    BOOST_TEST(report.count(Kind::extra) == 1);
}

BOOST_AUTO_TEST_CASE(flags_and_sizes)
{
    auto flags = kHello, size = kHello;
    flags.flags = "\\Flagged \\Seen";
    size.bytes = 11;
    const auto one = verification::compared(contents({kHello}), contents({flags}));
    BOOST_TEST_REQUIRE(one.differences.size() == 1U);
    BOOST_TEST((one.differences[0].kind == Kind::other_flags));
    BOOST_TEST(one.differences[0].there == "\\Flagged \\Seen");
    const auto two = verification::compared(contents({kHello}), contents({size}));
    BOOST_TEST(two.count(Kind::other_size) == 1);
    BOOST_TEST(!two.is_complete());
}

BOOST_AUTO_TEST_CASE(another_folder)
{
    auto sent = kHello;
    sent.folder = "Sent";
    const auto report = verification::compared(contents({sent}), contents({kHello}));
    BOOST_TEST(report.count(Kind::missing_folder) == 1);
    BOOST_TEST(report.count(Kind::missing) == 1);
    BOOST_TEST(report.count(Kind::extra) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
