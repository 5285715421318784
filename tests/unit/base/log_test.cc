// log_test.cc - one event is one line by one write, whatever is in a value.

#include "base/log.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <regex>
#include <sstream>
#include <system_error>

#include <sys/stat.h>

#include "support/sources.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using support::bytes;
using support::Stderr;

namespace {

// Removes the time at the beginning of each line. A line without one stays.
std::string without_times(const std::string& text)
{
    static const std::regex time{R"((^|\n)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?=[a-z]))"};
    return std::regex_replace(text, time, "$1");
}

std::string line_with(std::string_view value)
{
    Stderr standard_error;
    logging::info("event")("key", value);
    const auto writes = standard_error.take();
    return writes.size() == 1 ? writes[0] : std::to_string(writes.size()) + " writes";
}

struct Value : support::Row {
    std::string value;
    std::string written;
};

const Value kValues[] = {
    {"a word", "SIGALRM", "SIGALRM"},
    {"signs that divide nothing", "/run/a.sock:1,<b>[2]'*?", "/run/a.sock:1,<b>[2]'*?"},
    {"nothing", "", R"("")"},
    {"a space", "a b", R"("a b")"},
    {"a quote", R"(a"b)", R"("a\"b")"},
    {"a backslash", R"(a\b)", R"("a\\b")"},
    {"an equals sign would look like a key", "a=b", R"("a=b")"},
    {"a line end would be an event of its own", "a\nfatal forged", R"("a\x0afatal forged")"},
    {"a carriage return", "a\rb", R"("a\x0db")"},
    {"a tab", "a\tb", R"("a\x09b")"},
    {"a terminal's escape", "\x1B[2J", R"("\x1b[2J")"},
    {"NUL", bytes("a\0b"), R"("a\x00b")"},
    {"DEL", "a\x7F", R"("a\x7f")"},
    {"UTF-8 stays readable", "caf\xC3\xA9", "\"caf\xC3\xA9\""},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(logging)

BOOST_DATA_TEST_CASE(a_value, data::make(kValues), row)
{
    BOOST_TEST(line_with(row.value) == "info event key=" + row.written + "\n");
}

BOOST_AUTO_TEST_CASE(no_byte_ends_a_line_early)
{
    for (int byte = 0; byte < 256; ++byte) {
        const auto line = line_with(std::string{"a"} + static_cast<char>(byte) + "b");
        BOOST_TEST(line.find_first_of(bytes("\n\r\0\x1B")) == line.size() - 1, "byte " << byte);
    }
}

BOOST_AUTO_TEST_CASE(several_values_in_their_order)
{
    Stderr standard_error;
    logging::warning("worker-exit")("pid", 812)("cause", "SIGALRM")("age", "312s");
    const auto writes = standard_error.take();
    BOOST_TEST_REQUIRE(writes.size() == 1U);
    BOOST_TEST(writes[0] == "warning worker-exit pid=812 cause=SIGALRM age=312s\n");
}

BOOST_AUTO_TEST_CASE(each_severity_has_its_word)
{
    Stderr standard_error;
    logging::info("a");
    logging::warning("b");
    logging::error("c");
    const std::vector<std::string> expected{"info a\n", "warning b\n", "error c\n"};
    BOOST_TEST(standard_error.take() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(numbers_of_every_size)
{
    Stderr standard_error;
    logging::info("a")("b", -1)("c", std::numeric_limits<std::int64_t>::min())(
        "d", std::numeric_limits<std::uint64_t>::max());
    const auto writes = standard_error.take();
    BOOST_TEST_REQUIRE(writes.size() == 1U);
    BOOST_TEST(writes[0] == "info a b=-1 c=-9223372036854775808 d=18446744073709551615\n");
}

BOOST_AUTO_TEST_CASE(a_long_value_is_still_one_write)
{
    BOOST_TEST(line_with(std::string(20'000, 'x')).size()
               == 20'000 + std::string{"info event key=\n"}.size());
}

// As logrotate does it: the file is renamed, and opened again.
BOOST_AUTO_TEST_CASE(to_a_file_that_is_renamed)
{
    Stderr standard_error;
    const support::Directory directory;
    const auto path = directory.path("log");
    logging::open(path);
    logging::info("first");
    std::filesystem::rename(path, path + ".1");
    logging::info("second");
    logging::open(path);
    logging::info("third");
    BOOST_CHECK_THROW(logging::open(directory.path("nowhere/log")), std::system_error);
    logging::info("fourth");
    BOOST_TEST(standard_error.take().empty());
    logging::open("");
    logging::info("fifth");
    BOOST_TEST(standard_error.take().size() == 1U);
    BOOST_TEST(without_times(sources::contents(path + ".1")) == "info first\ninfo second\n");
    BOOST_TEST(without_times(sources::contents(path)) == "info third\ninfo fourth\n");
    BOOST_TEST(((std::filesystem::status(path).permissions() & std::filesystem::perms::others_all)
                == std::filesystem::perms::none));
}

BOOST_AUTO_TEST_CASE(json_for_programs)
{
    const support::Directory directory;
    const auto path = directory.path("log");
    logging::open(path, logging::Format::json);
    logging::warning("worker-exit")("pid", 812)("cause", "a \"word\"\n");
    logging::reopen(path);
    logging::info("second");
    logging::open("");
    std::istringstream lines{sources::contents(path)};
    std::string line;
    std::getline(lines, line);
    BOOST_TEST(
        std::regex_match(
            line,
            std::regex{R"re(\{"time":"[-0-9]+T[:0-9]+\.[0-9]{3}Z","severity":"warning",)re"
                       R"re("event":"worker-exit","pid":"812","cause":"a \\"word\\"\\n"\})re"}),
        line);
    std::getline(lines, line);
    BOOST_TEST(line.ends_with(R"("severity":"info","event":"second"})"), line);
}

// Nobody reads it: opened as any other file it would keep the service waiting for ever.
BOOST_AUTO_TEST_CASE(a_fifo_without_a_reader_is_refused)
{
    const support::Directory directory;
    BOOST_TEST_REQUIRE(::mkfifo(directory.path("fifo").c_str(), 0600) == 0);
    BOOST_CHECK_THROW(logging::open(directory.path("fifo")), std::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
