// answers.h - what the contract says of answers, read strictly.
//
// The few forms of JSON that answers have are taken byte by byte: whatever else stands
// there throws std::runtime_error, or makes a check fail.

#pragma once

#include "system/harness/http.h"

#include <cstdint>
#include <string>
#include <vector>

#include <boost/test/tools/assertion_result.hpp>

namespace answers {

struct Item {
    std::int64_t size_bytes;
    std::string created_at;
    std::string mailbox;
};

struct Page {
    std::int64_t total_count;
    std::vector<Item> items;

    std::vector<std::string> names() const;  // the addresses, in their order
};

// "200 {…}\n": the status and the body to the byte.
std::string text(const http::Answer& answer);
// "409 mailbox_exists: Mailbox already exists: alice@example.org"
std::string refusal(const http::Answer& answer);
// A refusal with this status whose sentence has all of these words.
boost::test_tools::assertion_result is_refused(const http::Answer& answer, int status,
                                               const std::vector<std::string>& words = {});
// The list, read strictly: any byte that the contract does not have throws. Of credentials each
// item has its address twice.
enum class Items { mailboxes, credentials };
Page page(const http::Answer& answer, Items items = Items::mailboxes);
// What the contract says of every answer; the text of the first breach, or nothing.
std::string breach(const http::Answer& answer, http::Expect expect = http::Expect::body);

// Seconds since 1970 of an RFC 2822 date as the contract wants it; throws for any other form.
std::int64_t seconds(const std::string& date);

}  // namespace answers
