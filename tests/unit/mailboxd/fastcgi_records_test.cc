// fastcgi_records_test.cc - a FastCGI request that arrives in pieces, and the records of an answer.

#include "mailboxd/fastcgi_records.h"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>

#include <array>
#include <string>

#include "base/descriptor.h"

namespace {

using records::Incoming;

std::string record(unsigned char type, const std::string& content, std::size_t padding = 0,
                   char version = 1)
{
    const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xFFU); };
    return std::string{version,
                       static_cast<char>(type),
                       0,
                       7,
                       byte(content.size() >> 8U),
                       byte(content.size()),
                       byte(padding),
                       0}
           + content + std::string(padding, 'x');
}

std::string pair(const std::string& name, const std::string& value)
{
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name
           + value;
}

const std::string kBegin = record(1, std::string("\0\1\0\0\0\0\0\0", 8));
const std::string kParams =
    pair("REQUEST_METHOD", "POST") + pair("REMOTE_ADDR", "192.0.2.1") + pair("EMPTY", "");
const std::string kHead = kBegin + record(4, kParams) + record(4, "");
const std::string kWhole = kHead + record(5, "mailbox=a") + record(5, "");

Incoming arrived(const std::string& bytes, std::size_t most = 100'000)
{
    Incoming incoming{most};
    incoming.add(bytes);
    return incoming;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fastcgi_records)

BOOST_AUTO_TEST_CASE(a_request_is_complete_with_its_last_byte)
{
    Incoming incoming{100'000};
    for (const char byte : kWhole) {
        BOOST_TEST(!incoming.is_complete());
        incoming.add({&byte, 1});
    }
    BOOST_TEST(incoming.is_complete());
    BOOST_TEST(incoming.bytes() == kWhole);
    BOOST_TEST(incoming.request_id() == 7);
    BOOST_TEST(incoming.parameter("REQUEST_METHOD").value() == "POST");
    BOOST_TEST(incoming.parameter("EMPTY").value().empty());
    BOOST_TEST(!incoming.parameter("ABSENT").has_value());
}

BOOST_AUTO_TEST_CASE(what_needs_no_more)
{
    BOOST_TEST(arrived(kHead + record(2, "")).is_complete());               // aborted
    BOOST_TEST(arrived("GET / HTTP/1.1\r\n\r\n").is_complete());            // not FastCGI
    BOOST_TEST(arrived(kHead + std::string(200, 'x'), 100).is_complete());  // more than is kept
    BOOST_TEST(arrived(kHead + std::string(200, 'x'), 100).bytes().size() == 100U);
    BOOST_TEST(!arrived("").is_complete());
    BOOST_TEST(!arrived(kHead).is_complete());
}

BOOST_AUTO_TEST_CASE(parameters_in_records_cut_anywhere)
{
    std::string bytes = kBegin;
    for (const char byte : kParams) bytes += record(4, {byte}, 3);
    const auto incoming = arrived(bytes + record(4, "") + record(5, ""));
    BOOST_TEST(incoming.parameter("REMOTE_ADDR").value() == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(long_lengths)
{
    const std::string value(300, 'v');
    const auto incoming =
        arrived(kBegin + record(4, std::string("\x80\0\0\x01\x80\0\x01\x2C", 8) + "n" + value)
                + record(4, ""));
    BOOST_TEST(incoming.parameter("n").value() == value);
}

// Nothing is read beyond the bytes that have arrived, whatever a length claims.
BOOST_AUTO_TEST_CASE(lengths_that_lie)
{
    for (const auto& params :
         {std::string("\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFE", 8), std::string("\x7F\x01x", 3),
          std::string("\x01\x7Fx", 3), std::string("\x80\0", 2), std::string("\x80", 1),
          std::string("\x01", 1)}) {
        BOOST_TEST(!arrived(kBegin + record(4, params) + record(4, "")).parameter("x").has_value());
        BOOST_TEST(arrived(kBegin + record(4, kParams + params) + record(4, ""))
                       .parameter("REQUEST_METHOD")
                       .value()
                   == "POST");
    }
    for (std::size_t size = 0; size < kWhole.size(); ++size)
        arrived(kWhole.substr(0, size)).parameter("REQUEST_METHOD");
}

BOOST_AUTO_TEST_CASE(an_answer_in_as_many_records_as_it_takes)
{
    std::array<int, 2> ends{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    const Descriptor ours{ends[0]};
    const Descriptor theirs{ends[1]};
    const std::string body(70'000, 'b');
    records::Outgoing answer{7};
    answer.add(body);
    answer.send(ours.number());
    std::string received(100'000, '\0');
    const auto count = ::recv(theirs.number(), received.data(), received.size(), 0);
    received.resize(static_cast<std::size_t>(count));
    BOOST_TEST(received
               == record(6, body.substr(0, 65'535)) + record(6, body.substr(65'535)) + record(6, "")
                      + record(3, std::string(8, '\0')));
}

BOOST_AUTO_TEST_SUITE_END()
