// common.h - the headers that most tests include, precompiled once for all of them (PRECOMPILED in
// the Makefile).
//
// Every test still includes what it uses; this file only saves time.
//
// Without an include guard, because only the compiler's option -include names this file.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>
