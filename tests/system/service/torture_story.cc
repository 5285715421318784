// torture_story.cc - a few rounds of `make torture` with each kind of fault once, except a full
// disk. The seed differs each time; failures report it.

#include "torture/torture.h"

#include "system/harness/mail.h"

#include <random>
#include <sstream>

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(torture)

// On a stack of its own, because mailboxctl check examines the whole stack at the end and would
// find what other stories left.
BOOST_AUTO_TEST_CASE(acknowledged_changes_survive_every_fault, *mail::needs_mail())
{
    stack::Stack stack{{"--workers", "2"}};
    const ::torture::Options options{.seed = std::random_device{}() % 1'000'000,
                                     .rounds = 2,
                                     .extent = {.steps = 40, .faults = 12, .hold = 500}};
    std::ostringstream progress;
    const auto outcome = ::torture::run(stack, nullptr, options, progress);
    BOOST_TEST(outcome.breaches.empty(), progress.str());
    for (const auto& breach : outcome.breaches) BOOST_ERROR(breach);
    BOOST_TEST(outcome.faults.size() == 24U);
    BOOST_TEST(outcome.requests.at("200") > 100U);
}

BOOST_AUTO_TEST_SUITE_END()
