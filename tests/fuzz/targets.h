// targets.h - what is fuzzed: one function a parser, with what must hold for every input.
//
// libfuzzer.cc looks for inputs that break it; fuzz_test.cc and replay.cc replay those in
// corpus/. Complains by throwing Violated.
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
void multipart(std::string_view input);   // Content-Type, line end, body
void json(std::string_view input);        // a body
void address(std::string_view input);     // domain, line end, mailbox
void grant(std::string_view input);       // what the database says of a key, bit by bit
void ranges(std::string_view input);      // client, line end, ranges of a key
void config(std::string_view input);      // a configuration file
void answer(std::string_view input);      // what an answer repeats of its request

// --- What several of them need -------------------------------------------------------------

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(const http::Fields& fields);

// Unicode, table 3-7: byte by byte, where http::is_utf8 computes code points.
bool is_well_formed_utf8(std::string_view text);

// True for one of our parameters as an array writes it.
inline bool is_array(std::string_view name)
{
    return name.starts_with("mailbox[") || name.starts_with("password[");
}

// Takes up to the first line end off the front, and that, too.
std::string_view take_line(std::string_view& text);

std::string percent_encoded(std::string_view text);  // every byte

// Whether `call` refuses with http::Error of a status below 500, and with a sentence.
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
