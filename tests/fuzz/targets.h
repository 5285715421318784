// targets.h - the fuzzed functions, one for each parser. Each checks the properties that hold for
// every input, and throws Violated if one does not.
//
// libfuzzer.cc searches for inputs that violate a property; fuzz_test.cc and replay.cc replay the
// inputs in corpus/.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailboxd/http.h"

namespace fuzz {

struct Violated : std::logic_error {
    using std::logic_error::logic_error;
};

inline void expect(bool holds, const char* property)
{
    if (!holds) throw Violated{property};
}

void path(std::string_view input);        // a request target, with its query
void basic(std::string_view input);       // an Authorization header
void urlencoded(std::string_view input);  // a body
void multipart(std::string_view input);   // Content-Type, newline, body
void json(std::string_view input);        // a body
void address(std::string_view input);     // domain, newline, mailbox
void grant(std::string_view input);       // the database's columns about a key, bit by bit
void ranges(std::string_view input);      // client, newline, ranges of a key
void config(std::string_view input);      // a configuration file
void answer(std::string_view input);      // the parts of a request that an answer repeats

// --- Helpers -------------------------------------------------------------------------------

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(const http::Fields& fields);

// Checks byte by byte by Unicode's table 3-7; http::is_utf8 computes code points instead.
bool is_well_formed_utf8(std::string_view text);

// True for the array form of one of our parameters' names.
inline bool is_array(std::string_view name)
{
    return name.starts_with("mailbox[") || name.starts_with("password[");
}

// Removes the first line and its newline from the front, and returns the line.
std::string_view take_line(std::string_view& text);

std::string percent_encoded(std::string_view text);  // encodes every byte

// True if `call` throws http::Error with a status below 500 and a message.
template <typename Call>
bool is_refused(Call&& call)
{
    try {
        call();
        return false;
    } catch (const http::Error& error) {
        const std::string sentence = error.what();
        expect(error.status >= 400 && error.status < 500, "a refusal has a status of 4xx");
        expect(!error.code.empty() && !sentence.empty(), "a refusal has a code and a sentence");
        return true;
    }
}

}  // namespace fuzz
