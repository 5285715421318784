// main.cc - runs the stories, which test the whole system from outside.

#define BOOST_TEST_MODULE stories
#include <boost/test/unit_test.hpp>

#include <csignal>

#include "support/first.h"
#include "system/harness/stack.h"

namespace {

struct Stacks {
    Stacks()
    {
        std::signal(SIGPIPE, SIG_IGN);
    }  // a write to a closed connection is an error, not our end
    ~Stacks() { stack::end_all(); }
};

}  // namespace

using first::Ending;

BOOST_TEST_GLOBAL_FIXTURE(Stacks);
BOOST_TEST_GLOBAL_FIXTURE(Ending);
