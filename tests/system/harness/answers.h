// answers.h - strict readers for the service's answers.
//
// They accept only the few forms of JSON that the contract allows, byte by byte. Anything else
// throws std::runtime_error or makes a check fail.

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

    std::vector<std::string> names() const;  // the addresses, in the list's order
};

// Returns the status and the body, for example "200 {…}\n".
std::string text(const http::Answer& answer);
// Returns status, code and message of a refusal, for example "409 mailbox_exists: Mailbox already
// exists: alice@example.org".
std::string refusal(const http::Answer& answer);
// True if the answer is a refusal with this status whose message contains all of these words.
boost::test_tools::assertion_result is_refused(const http::Answer& answer, int status,
                                               const std::vector<std::string>& words = {});
// Parses a list. Throws at any byte that the contract does not allow. In a list of credentials each
// item has its address twice.
enum class Items { mailboxes, credentials };
Page page(const http::Answer& answer, Items items = Items::mailboxes);
// Checks the rules that every answer follows. Returns the first violation; empty if there is none.
std::string breach(const http::Answer& answer, http::Expect expect = http::Expect::body);

// Returns the seconds since 1970 of an RFC 2822 date in the contract's form; throws for any other
// form.
std::int64_t seconds(const std::string& date);

}  // namespace answers
