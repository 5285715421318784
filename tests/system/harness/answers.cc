#include "system/harness/answers.h"

#include <charconv>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string_view>

namespace answers {
namespace {

// Reads JSON byte by byte. It knows only the forms that the answers have; anything else is an
// error.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_{text}, rest_{text} {}

    bool has(std::string_view literal) const { return rest_.starts_with(literal); }
    void take(std::string_view literal)
    {
        if (!has(literal)) {
            fail(std::string{literal});
        }
        rest_.remove_prefix(literal.size());
    }
    std::int64_t number()
    {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc{}) {
            fail("a number");
        }
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    std::string string()
    {
        take("\"");
        std::string value;
        while (!has("\"")) {
            if (rest_.size() < 2 || static_cast<unsigned char>(rest_[0]) < 0x20) {
                fail("the end of a string");
            }
            if (rest_[0] == '\\') {
                rest_.remove_prefix(1);
            }
            value += rest_[0];
            rest_.remove_prefix(1);
        }
        take("\"");
        return value;
    }
    void end() const
    {
        if (!rest_.empty()) {
            fail("the end");
        }
    }

private:
    [[noreturn]] void fail(const std::string& expected) const
    {
        throw std::runtime_error{"expected " + expected + " before '" + std::string{rest_}
                                 + "' in: " + std::string{text_}};
    }

    std::string_view text_;
    std::string_view rest_;
};

struct Error {
    std::string message;
    std::string code;
};

Error error_of(const http::Answer& answer)
{
    Scanner scanner{answer.body};
    Error error;
    scanner.take("{\"message\":");
    error.message = scanner.string();
    scanner.take(",\"code\":");
    error.code = scanner.string();
    scanner.take("}\n");
    scanner.end();
    return error;
}

bool is_word(const std::string& code)
{
    return !code.empty()
           && code.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
}

}  // namespace

std::vector<std::string> Page::names() const
{
    std::vector<std::string> names;
    for (const auto& item : items) {
        names.push_back(item.mailbox);
    }
    return names;
}

std::string text(const http::Answer& answer)
{
    return std::to_string(answer.status) + " " + answer.body;
}

std::string refusal(const http::Answer& answer)
{
    try {
        const Error error = error_of(answer);
        return std::to_string(answer.status) + " " + error.code + ": " + error.message;
    } catch (const std::exception& error) {
        return text(answer) + " (" + error.what() + ")";
    }
}

boost::test_tools::assertion_result is_refused(const http::Answer& answer, int status,
                                               const std::vector<std::string>& words)
{
    const std::string said = refusal(answer);
    boost::test_tools::assertion_result result{answer.status == status && breach(answer).empty()};
    for (const auto& word : words) {
        result = result && said.find(word) != std::string::npos;
    }
    if (!result) {
        std::string expected = std::to_string(status);
        for (const auto& word : words) {
            expected += " '" + word + "'";
        }
        result.message() << "expected " << expected << ", came: " << said << ' ' << breach(answer);
    }
    return result;
}

Page page(const http::Answer& answer, Items items)
{
    if (answer.status != 200) {
        throw std::runtime_error{"no page: " + text(answer)};
    }
    Scanner scanner{answer.body};
    Page page{};
    scanner.take("{\"total_count\":");
    page.total_count = scanner.number();
    scanner.take(",\"items\":[");
    while (!scanner.has("]")) {
        if (!page.items.empty()) {
            scanner.take(",");
        }
        Item item{};
        scanner.take("{\"size_bytes\":");
        item.size_bytes = scanner.number();
        scanner.take(",\"created_at\":");
        item.created_at = scanner.string();
        scanner.take(",\"mailbox\":");
        item.mailbox = scanner.string();
        if (items == Items::credentials) {
            scanner.take(",\"login\":\"" + item.mailbox + "\"");
        }
        scanner.take("}");
        page.items.push_back(item);
    }
    scanner.take("]}\n");
    scanner.end();
    return page;
}

std::string breach(const http::Answer& answer, http::Expect expect)
{
    const auto is_only = [&answer](std::string_view name, std::string_view value) {
        const auto values = answer.all(name);
        return values.size() == 1 && values[0] == value;
    };
    if (answer.status == 0) {
        return "no answer";
    }
    if (!is_only("Content-Type", "application/json")) {
        return "Content-Type is not exactly one application/json: " + answer.header("Content-Type");
    }
    if (!is_only("Cache-Control", "no-store")) {
        return "Cache-Control is not exactly one no-store";
    }
    if (answer.all("X-Request-Id").size() != 1 || answer.header("X-Request-Id").empty()) {
        return "X-Request-Id is not exactly one";
    }
    if (expect == http::Expect::no_body) {
        return answer.body.empty() && answer.all("Content-Length").size() == 1
                   ? ""
                   : "a body, or no Content-Length, where HEAD was asked";
    }
    if (!is_only("Content-Length", std::to_string(answer.body.size()))) {
        return "Content-Length is not exactly one " + std::to_string(answer.body.size());
    }
    if (!answer.body.starts_with('{') || !answer.body.ends_with("}\n")) {
        return "the body is not an object and one newline: " + answer.body;
    }
    if (answer.status == 200) {
        return "";
    }
    if (answer.status < 400) {
        return "a status that is neither 200 nor an error";
    }
    try {
        const Error error = error_of(answer);
        return error.message.empty() || !is_word(error.code)
                   ? "an error without message or code: " + answer.body
                   : "";
    } catch (const std::exception& error) {
        return error.what();
    }
}

std::int64_t seconds(const std::string& date)
{
    constexpr char kForm[] = "%a, %d %b %Y %H:%M:%S GMT";
    std::tm time{};
    const char* end = ::strptime(date.c_str(), kForm, &time);
    const std::time_t value = ::timegm(&time);
    char again[64] = "";
    std::strftime(again, sizeof again, kForm, &time);
    if (end == nullptr || *end != '\0' || date != again) {
        throw std::runtime_error{"not a date as the contract has it: " + date};
    }
    return value;
}

}  // namespace answers
