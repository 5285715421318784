// urlencoded_fuzz.cc - application/x-www-form-urlencoded.

#include "fuzz/targets.h"
#include "mailboxd/form.h"

namespace fuzz {
namespace {

Pairs parsed(std::string_view body, std::string_view type)
{
    http::Request request;
    request.method = "POST";
    request.content_type = type;
    request.body = Secret{body};
    return pairs_of(form::parse(request));
}

std::string encoded(const Pairs& pairs)
{
    std::string text;
    for (const auto& [name, value] : pairs) {
        if (!text.empty()) text += '&';
        text += percent_encoded(name) + "=" + percent_encoded(value);
    }
    return text;
}

// Every pair of name and value arrives unchanged.
void check_sending(std::string_view input)
{
    Pairs sent;
    while (!input.empty()) {
        const auto name = take_line(input);
        sent.emplace_back(name, take_line(input));
        if (is_array(sent.back().first)) return;  // its name arrives without the brackets
    }
    expect(parsed(encoded(sent), "application/x-www-form-urlencoded") == sent,
           "what was sent is what arrives");
}

}  // namespace

void urlencoded(std::string_view input)
{
    check_sending(input);
    Pairs pairs;
    const bool refused = is_refused([&] { pairs = parsed(input, ""); });
    expect(refused == is_refused([&] {
               parsed(input, "Application/X-WWW-Form-Urlencoded ; charset=utf-8");
           }),
           "type and charset change nothing");
    if (refused) {
        expect(input.find_first_of("%[") != std::string_view::npos,
               "only percent-encoding and arrays can be wrong");
        return;
    }
    expect(parsed(encoded(pairs), "") == pairs, "what was read and is written again is the same");
}

}  // namespace fuzz
