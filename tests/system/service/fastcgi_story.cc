// fastcgi_story.cc - clients of the service's socket that are not nginx: truncated, aborted and
// malformed records.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace {

// The record types of the FastCGI specification, section 8.
constexpr unsigned char kBegin = 1;
constexpr unsigned char kAbort = 2;
constexpr unsigned char kParams = 4;
constexpr unsigned char kStdin = 5;
constexpr unsigned char kData = 8;
constexpr unsigned char kGetValues = 9;
constexpr unsigned char kUnknown = 99;

std::string header(unsigned char type, std::size_t length, std::size_t padding = 0, char id = 1,
                   char version = 1)
{
    return {version,
            static_cast<char>(type),
            0,
            id,
            static_cast<char>(length >> 8U),
            static_cast<char>(length & 255U),
            static_cast<char>(padding),
            0};
}

std::string record(unsigned char type, const std::string& content, char id = 1)
{
    return header(type, content.size(), 0, id) + content;
}

std::string begin(char role = 1, char flags = 0)
{
    return record(kBegin, {0, role, flags, 0, 0, 0, 0, 0});
}

std::string pair(const std::string& name, const std::string& value)
{
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name
           + value;
}

// The parts that rows are made of: the parameters of a list that is answered with 200.
struct Wire {
    std::string params;  // the content of FCGI_PARAMS
    std::string change;  // the same for a POST, whose body has 33 bytes
};

constexpr char kForm[] = "mailbox=alice&password=Wonderland";

struct Sent {
    const char* why;
    std::string (*bytes)(const Wire& wire);
    std::string answer;  // the beginning of the answer; empty if there is none
};

std::ostream& operator<<(std::ostream& out, const Sent& row)
{
    return out << row.why;
}

std::string whole(const std::string& params)
{
    return begin() + record(kParams, params) + record(kParams, "");
}

const Sent kSent[] =
    {
        {"nothing", [](const Wire&) { return std::string{}; }, ""},
        {"HTTP", [](const Wire&) { return std::string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}; }, ""},
        {"zeros", [](const Wire&) { return std::string(4096, '\0'); }, ""},
        {"ones", [](const Wire&) { return std::string(4096, '\xFF'); }, ""},
        {"another version",
         [](const Wire& wire) {
    return header(kBegin, 8, 0, 1, 2) + std::string("\0\1\0\0\0\0\0\0", 8)
           + record(kParams, wire.params) + record(kParams, "") + record(kStdin, "");
         },
         ""},
        {"half a header", [](const Wire&) { return begin().substr(0, 5); }, ""},
        {"half a beginning", [](const Wire&) { return begin().substr(0, 12); }, ""},
        {"a beginning that is too short",
         [](const Wire&) {
    return record(kBegin, {0, 1});
         },
         ""},
           {"a beginning alone", [](const Wire&) { return begin(); }, ""},
           {"no beginning",
            [](const Wire& wire) {
    return record(kParams, wire.params) + record(kParams, "") + record(kStdin, "");
            },
            ""},
    {"an authorizer",
     [](const Wire& wire) {
    return begin(2) + record(kParams, wire.params) + record(kParams, "") + record(kStdin, "");
     },
     ""},
    {"a filter",
     [](const Wire& wire) {
    return begin(3) + record(kParams, wire.params) + record(kParams, "") + record(kStdin, "")
           + record(kData, "");
     },
     ""},
    {"a role that is none",
     [](const Wire& wire) {
    return begin(99) + record(kParams, wire.params) + record(kParams, "") + record(kStdin, "");
     },
     ""},
    {"parameters cut short",
     [](const Wire& wire) {
    const auto bytes = begin() + record(kParams, wire.params);
    return bytes.substr(0, bytes.size() - 10);
     },
     ""},
    {"parameters without their end",
     [](const Wire& wire) { return begin() + record(kParams, wire.params); }, ""},
    {"a name that goes beyond its record",
     [](const Wire& wire) {
    return whole(wire.params + std::string("\x7F\x01x", 3)) + record(kStdin, "");
     },
     ""},
    {"a value that goes beyond its record",
     [](const Wire& wire) {
    return whole(wire.params + std::string("\x01\x7Fx", 3)) + record(kStdin, "");
     },
     ""},
    {"a length cut short",
     [](const Wire& wire) {
    return whole(wire.params + std::string("\x80\0", 2)) + record(kStdin, "");
     },
     ""},
    {"no parameters at all", [](const Wire&) { return whole("") + record(kStdin, ""); }, ""},
    {"no method", [](const Wire&) { return whole(pair("REQUEST_URI", "/")) + record(kStdin, ""); },
     ""},
    {"aborted in its parameters",
     [](const Wire& wire) { return begin() + record(kParams, wire.params) + record(kAbort, ""); },
     ""},
    {"aborted in its body",
     [](const Wire& wire) {
    return whole(wire.change) + record(kStdin, "mailbox=alice") + record(kAbort, "");
     },
     ""},
    {"a body shorter than announced, with its end",
     [](const Wire& wire) {
    return whole(wire.change) + record(kStdin, "mailbox=alice") + record(kStdin, "");
     },
     "Status: 400 "},
    {"a body shorter than announced, without",
     [](const Wire& wire) { return whole(wire.change) + record(kStdin, "mailbox=alice"); }, ""},
    {"no body where one was announced",
     [](const Wire& wire) { return whole(wire.change) + record(kStdin, ""); }, "Status: 400 "},
    {"a body of another request",
     [](const Wire& wire) {
    return whole(wire.change) + record(kStdin, kForm, 2) + record(kStdin, "", 2);
     },
     ""},
    {"a length that is none",
     [](const Wire& wire) {
    return whole(wire.params + pair("CONTENT_LENGTH", "x")) + record(kStdin, "");
     },
     "Status: 400 "},
    {"a length below nothing",
     [](const Wire& wire) {
    return whole(wire.params + pair("CONTENT_LENGTH", "-1")) + record(kStdin, "");
     },
     "Status: 400 "},
    {"a length of more than 64 bits",
     [](const Wire& wire) {
    return whole(wire.params + pair("CONTENT_LENGTH", "99999999999999999999")) + record(kStdin, "");
     },
     "Status: 413 "},
    {"a length above the limit",
     [](const Wire& wire) {
    return whole(wire.params + pair("CONTENT_LENGTH", "65537")) + record(kStdin, "");
     },
     "Status: 413 "},
    {"no path",
     [](const Wire&) { return whole(pair("REQUEST_METHOD", "GET")) + record(kStdin, ""); },
     "Status: 400 "},

    {"a record of a type that is none",
     [](const Wire& wire) {
    return begin() + record(kUnknown, "x") + record(kParams, wire.params) + record(kParams, "")
           + record(kStdin, "");
     },
     ""},
    {"a question that is none",
     [](const Wire& wire) {
    return record(kUnknown, "x", 0) + whole(wire.params) + record(kStdin, "");
     },
     ""},

    // Unusual but valid records.
    {"a list, after a question about the service",
     [](const Wire& wire) {
    return record(kGetValues, pair("FCGI_MAX_CONNS", ""), 0) + whole(wire.params)
           + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a list", [](const Wire& wire) { return whole(wire.params) + record(kStdin, ""); },
     "Status: 200 OK\r\n"},
    {"a list, in records of one byte",
     [](const Wire& wire) {
    std::string bytes = begin();
    for (const char c : wire.params) {
        bytes += record(kParams, {c});
    }
    return bytes + record(kParams, "") + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a list, with padding",
     [](const Wire& wire) {
    return begin() + header(kParams, wire.params.size(), 255) + wire.params + std::string(255, 'x')
           + header(kParams, 0, 7) + std::string(7, 'x') + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a list, whose sender wants to keep the connection",
     [](const Wire& wire) {
    return begin(1, 1) + record(kParams, wire.params) + record(kParams, "") + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a list, with long lengths",
     [](const Wire& wire) {
    return whole(wire.params + std::string("\x80\0\0\1\x80\0\0\1xy", 10)) + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a list, with a body that nobody announced",
     [](const Wire& wire) {
    return whole(wire.params) + record(kStdin, std::string(1000, 'x')) + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    {"a change that says nothing is wrong",
     [](const Wire& wire) {
    return whole(wire.change) + record(kStdin, "mailbox=") + record(kStdin, "alice&password=Wonder")
           + record(kStdin, "land") + record(kStdin, "");
     },
     "Status: 200 OK\r\n"},
    };

struct Socket : story::Story {
    Wire wire(const story::Tenant& who) const
    {
        const auto params = [&](const std::string& method) {
            return pair("FCGI_ROLE", "RESPONDER") + pair("REQUEST_METHOD", method)
                   + pair("REQUEST_URI", who.mailboxes()) + pair("REMOTE_ADDR", "127.0.0.1")
                   + pair("REQUEST_ID", story::unique("request"))
                   + pair("HTTP_AUTHORIZATION", http::basic(who.key));
        };
        return {params("GET"), params("POST")
                                   + pair("CONTENT_LENGTH", std::to_string(sizeof kForm - 1))
                                   + pair("CONTENT_TYPE", "application/x-www-form-urlencoded")};
    }

    // Sends the bytes and returns the content of all FCGI_STDOUT records.
    std::string send_to(const std::string& socket, const std::string& bytes) const
    {
        http::Connection connection{stack.setting(socket)};
        connection.send(bytes);
        connection.finish();
        constexpr char kStdout = 6;
        std::string out;
        for (std::string rest = connection.receive_all(); rest.size() >= 8;) {
            const auto length = static_cast<std::size_t>(static_cast<unsigned char>(rest[4]) << 8U
                                                         | static_cast<unsigned char>(rest[5]));
            if (rest[1] == kStdout) {
                out += rest.substr(8, length);
            }
            rest.erase(0, 8 + length + static_cast<unsigned char>(rest[6]));
        }
        return out;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fastcgi)

BOOST_TEST_DECORATOR(*story::shows("rules: a body shorter than announced"))
BOOST_DATA_TEST_CASE_F(Socket, somebody_sends, data::make(kSent), row)
{
    const auto who = tenant();
    const auto workers = stack.workers();
    for (const char* socket : {"FASTCGI_SOCKET", "FASTCGI_WRITE_SOCKET"}) {
        BOOST_TEST_CONTEXT(socket)
        {
            const auto before = snapshot();
            const auto mark = log.mark();
            const auto answer = send_to(socket, row.bytes(wire(who)));
            if (row.answer.empty()) {
                BOOST_TEST(answer.empty(), answer);
                BOOST_TEST(!log.expect(mark, {"warning "}).empty());
                BOOST_TEST(snapshot() == before);
            } else {
                BOOST_TEST(answer.starts_with(row.answer), answer);
                if (!row.answer.starts_with("Status: 200")) {
                    BOOST_TEST(snapshot() == before);
                }
            }
            // For the other socket.
            call(who.key, "DELETE", who.mailbox("alice"));
        }
    }
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    BOOST_TEST(list(who).status == 200);
}

// A valid change, cut after each byte, is done completely or not at all.
BOOST_FIXTURE_TEST_CASE(cut_at_every_byte, Socket)
{
    const auto who = tenant();
    const auto workers = stack.workers();
    const auto good = whole(wire(who).change) + record(kStdin, kForm) + record(kStdin, "");
    // The record that ends the body may be missing, because the announced length has arrived.
    const auto needed = good.size() - record(kStdin, "").size();
    for (std::size_t size = 0; size < needed; ++size) {
        const auto answer = send_to("FASTCGI_WRITE_SOCKET", good.substr(0, size));
        BOOST_TEST(answer.empty(), "cut at " << size << " of " << good.size() << ": " << answer);
    }
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(send_to("FASTCGI_WRITE_SOCKET", good).starts_with("Status: 200 OK\r\n"));
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

// Debian's libfcgi aborts on this length. The worker is then replaced, and no other client notices.
// scripts/run-asan knows these requests and their number, and accepts no others.
BOOST_FIXTURE_TEST_CASE(a_length_that_ends_the_worker, story::Breaking)
{
    const auto who = tenant();
    for (const char* socket : {"FASTCGI_SOCKET", "FASTCGI_WRITE_SOCKET"}) {
        for (int i = 0; i < 4; ++i) {
            const auto mark = log.mark();
            http::Connection connection{stack.setting(socket)};
            connection.send(whole(std::string("\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFE", 8)));
            connection.finish();
            BOOST_TEST(connection.receive_all().empty());
            BOOST_TEST(!log.expect(mark, {"worker-exit", "cause=SIGABRT"}).empty());
        }
    }
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(stack.await_workers());
}

// A client that connects and sends nothing occupies a worker for a short time only.
BOOST_FIXTURE_TEST_CASE(silence, Socket)
{
    const auto who = tenant();
    const auto workers = stack.workers();
    std::vector<std::unique_ptr<http::Connection>> silent;
    for (int i = 0; i < 4; ++i) {
        silent.push_back(std::make_unique<http::Connection>(stack.setting("FASTCGI_SOCKET")));
        silent.back()->send(begin());
    }
    for (const auto& connection : silent) {
        connection->receive_all();
    }
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
