// figures.h - shared by the programs that print figures. They assert nothing about time.
#pragma once

#include "system/harness/stack.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace figures {

using Clock = std::chrono::steady_clock;

inline double since(Clock::time_point begin)
{
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

inline double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values.at(values.size() / 2);
}

// Returns the value that this percentage of the values does not exceed.
inline double percentile(std::vector<double> values, std::size_t percent)
{
    std::sort(values.begin(), values.end());
    return values.at((values.size() - 1) * percent / 100);
}

inline void print(const std::string& what, const std::string& value)
{
    std::cout << "  " << std::left << std::setw(76) << what << value << std::endl;
}

template <typename Number>
std::string text(Number value, const std::string& unit, int digits)
{
    std::ostringstream stream;
    stream << std::fixed << std::setprecision(digits) << value << unit;
    return stream.str();
}

struct Ended {
    ~Ended() { stack::end_all(); }
};
BOOST_TEST_GLOBAL_FIXTURE(Ended);

}  // namespace figures
