// notify_test.cc - what a service manager hears, and what is believed of it.

#include "base/notify.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "support/support.h"

namespace data = boost::unit_test::data;
using support::Variable;

namespace {

// A service manager's end of NOTIFY_SOCKET; a name that begins with @ is an abstract one.
class Manager {
public:
    explicit Manager(const std::string& name)
        : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)}
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@') address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0)
            throw std::runtime_error("bind " + name);
    }
    ~Manager() { ::close(socket_); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // The next datagram, or nothing.
    std::string hear() const
    {
        std::array<char, 100> text{};
        const auto size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
        return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
    }

private:
    int socket_;
};

struct Inherited : support::Row {
    const char* pid;  // nullptr: not set; "ours": this process
    const char* count;
    int sockets;
};

const Inherited kInherited[] = {
    {"nothing is said", nullptr, nullptr, 0}, {"two for us", "ours", "2", 2},
    {"none for us", "ours", "0", 0},          {"meant for another process", "1", "2", 0},
    {"meant for nobody", nullptr, "2", 0},    {"no number of sockets", "ours", nullptr, 0},
    {"an empty number", "ours", "", 0},       {"a word", "ours", "two", 0},
    {"fewer than none", "ours", "-1", 0},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(notify)

BOOST_DATA_TEST_CASE(the_manager_hears, data::make({false, true}), is_abstract)
{
    const support::Directory directory;
    const auto name = is_abstract ? support::unique("@mailboxd-") : directory.path("notify");
    const Manager manager{name};
    const Variable variable{"NOTIFY_SOCKET", name.c_str()};
    notify::ready();
    BOOST_TEST(manager.hear() == "READY=1");
    notify::alive();
    BOOST_TEST(manager.hear() == "WATCHDOG=1");
    notify::reloading();
    BOOST_TEST(manager.hear().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notify::stopping();
    BOOST_TEST(manager.hear() == "STOPPING=1");
    BOOST_TEST(manager.hear() == "nothing");
}

BOOST_AUTO_TEST_CASE(without_a_manager_nothing_happens)
{
    {
        const Variable variable{"NOTIFY_SOCKET", nullptr};
        notify::ready();
    }
    for (const std::string& name :
         {std::string{}, std::string{"/nonexistent/notify"}, "/" + std::string(200, 'x')}) {
        const Variable variable{"NOTIFY_SOCKET", name.c_str()};
        notify::ready();
        notify::stopping();
    }
}

BOOST_DATA_TEST_CASE(sockets_handed_over, data::make(kInherited), row)
{
    const auto ours = std::to_string(::getpid());
    const bool is_ours = row.pid != nullptr && std::strcmp(row.pid, "ours") == 0;
    const Variable pid{"LISTEN_PID", is_ours ? ours.c_str() : row.pid};
    const Variable count{"LISTEN_FDS", row.count};
    BOOST_TEST(notify::inherited_sockets() == row.sockets);
}

namespace {

struct Interval : support::Row {
    const char* microseconds;
    const char* pid;        // nullptr: not set; "ours": this process
    std::int64_t interval;  // 0: none
};

const Interval kIntervals[] = {
    {"nobody asks", nullptr, nullptr, 0},
    {"half of the limit", "30000000", "ours", 15'000'000},
    {"of anybody", "30000000", nullptr, 15'000'000},
    {"of another process", "30000000", "1", 0},
    {"none at all", "0", "ours", 0},
    {"less than none", "-5", "ours", 0},
    {"a word", "soon", "ours", 0},
    {"nothing", "", "ours", 0},
};

}  // namespace

BOOST_DATA_TEST_CASE(how_often_it_wants_to_hear, data::make(kIntervals), row)
{
    const auto ours = std::to_string(::getpid());
    const bool is_ours = row.pid != nullptr && std::strcmp(row.pid, "ours") == 0;
    const Variable limit{"WATCHDOG_USEC", row.microseconds};
    const Variable pid{"WATCHDOG_PID", is_ours ? ours.c_str() : row.pid};
    const auto interval = notify::alive_interval();
    BOOST_TEST((interval ? interval->count() : 0) == row.interval);
}

BOOST_AUTO_TEST_SUITE_END()
