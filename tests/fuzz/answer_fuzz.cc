// answer_fuzz.cc - text of a request that an answer repeats never ends its JSON string early.

#include <cjson/cJSON.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/strings.h"
#include "fuzz/targets.h"
#include "mailboxd/answers.h"

namespace fuzz {
namespace {

struct Delete {
    void operator()(cJSON* value) const { cJSON_Delete(value); }
};
using Value = std::unique_ptr<cJSON, Delete>;

Value parsed(const std::string& text)
{
    expect(text.ends_with("}\n") && text.find('\n') == text.size() - 1, "an answer is one line");
    Value value{cJSON_ParseWithOpts(text.c_str(), nullptr, 1)};
    expect(value != nullptr && cJSON_IsObject(value.get()), "an answer is a JSON object");
    return value;
}

void check_member(const cJSON* object, const char* name, std::string_view wanted)
{
    const cJSON* const member = cJSON_GetObjectItemCaseSensitive(object, name);
    expect(cJSON_IsString(member) && member->valuestring == wanted, "a member is what was given");
}

void check_date(std::int64_t seconds)
{
    const auto text = answers::date(seconds);
    std::tm time{};
    const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
    expect(end != nullptr && *end == '\0' && ::timegm(&time) == seconds,
           "a date is read back as the same second");
}

void check_cgi(const std::string& body, int status, std::string_view extra_header)
{
    const auto text =
        http::cgi_header({.status = status, .body = body, .extra_header = extra_header});
    const auto end = text.find("\r\n\r\n");
    expect(end == text.size() - 4, "the header ends with the only empty line");
    expect(text.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") < end,
           "the header has the body's length");
    expect(text.starts_with("Status: " + std::to_string(status) + " "),
           "the header begins with the status");
    const auto line = "\r\n" + std::string{extra_header} + "\r\n";
    expect(extra_header.empty() || text.find(line) < end, "the header has the line that was added");
}

}  // namespace

void answer(std::string_view input)
{
    // Requests are checked to be UTF-8 without NUL before an answer repeats their text.
    const auto text = input.substr(0, input.find('\0'));
    if (strings::is_utf8(text)) {
        const auto body = answers::error(text, "some_code");
        const auto error = parsed(body);
        check_member(error.get(), "message", text);
        check_member(error.get(), "code", "some_code");
        check_member(parsed(answers::message(text)).get(), "message", text);
        check_member(parsed(answers::deleted("Mailbox has been deleted", text)).get(), "spec",
                     text);
        constexpr std::array kStatuses{200, 400, 401, 403, 404, 405, 409, 413, 415, 500, 503};
        check_cgi(body, kStatuses[text.size() % kStatuses.size()],
                  text.size() % 2 == 0 ? "" : "Allow: GET");
    }
    std::int64_t number = 0;
    std::memcpy(&number, input.data(), std::min(input.size(), sizeof number));
    constexpr std::uint64_t kYear10000 = 253'402'300'800;
    check_date(static_cast<std::int64_t>(static_cast<std::uint64_t>(number) % kYear10000));
    // From 1e15 on, printing a double loses digits; quotas may be larger.
    const auto listing =
        answers::listing(number, {{"alice", 0, number}, {"bob", 1, 0}}, "samples.mailgun.org");
    const auto items = parsed(listing);
    const cJSON* const array = cJSON_GetObjectItemCaseSensitive(items.get(), "items");
    expect(cJSON_GetArraySize(array) == 2, "every item is written");
    check_member(cJSON_GetArrayItem(array, 1), "mailbox", "bob@samples.mailgun.org");
    expect(answers::listing(number, {}, "samples.mailgun.org")
               == "{\"total_count\":" + std::to_string(number) + ",\"items\":[]}\n",
           "a page may be empty");
    const auto digits = std::to_string(number);
    expect(listing.starts_with("{\"total_count\":" + digits
                               + ",\"items\":[{\"size_bytes\":" + digits + ",\"created_at\":"),
           "numbers are written to the last digit");
}

}  // namespace fuzz
