// main.cc - the units, and what the store does to a real database. scripts/run-tests starts that
// database.

#define BOOST_TEST_MODULE units
#include <boost/test/unit_test.hpp>

#include <sodium.h>

#include <stdexcept>

#include "support/first.h"

namespace {

struct Libraries {
    Libraries()
    {
        if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    }
};

}  // namespace

using first::Ending;

BOOST_TEST_GLOBAL_FIXTURE(Libraries);
BOOST_TEST_GLOBAL_FIXTURE(Ending);
