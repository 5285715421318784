// json_fuzz.cc - application/json: the service accepts a body if cJSON does and each token is valid
// by RFC 8259; the fields are then those that cJSON found.

#include <cjson/cJSON.h>

#include <memory>
#include <optional>
#include <set>

#include "fuzz/targets.h"
#include "mailboxd/form.h"

namespace fuzz {
namespace {

using form::Arrays;

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kDigits = "0123456789";
constexpr int kMaxDepth = 32;

struct Delete {
    void operator()(cJSON* value) const { cJSON_Delete(value); }
};
using Value = std::unique_ptr<cJSON, Delete>;

// Returns what cJSON parses, if it accepts the whole text.
Value parsed_by_cjson(std::string_view text)
{
    const char* end = nullptr;
    Value value{cJSON_ParseWithLengthOpts(text.data(), text.size(), &end, 0)};
    if (!value
        || text.substr(static_cast<std::size_t>(end - text.data())).find_first_not_of(kSpace)
               != std::string_view::npos)
        return nullptr;
    return value;
}

// Returns the length of a string token; 0 if it is invalid. cJSON has already found its end and its
// escapes.
std::size_t string_token(std::string_view text)
{
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') return i + 1;
        if (text[i] >= 0 && text[i] < ' ') return 0;
        if (text[i] != '\\') continue;
        ++i;
        const auto hex = text.substr(std::min(i + 1, text.size()), 4);
        if (text[i] == 'u'
            && (hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos
                || hex == "0000"))
            return 0;
    }
    return 0;
}

std::size_t number_token(std::string_view text)
{
    const auto token = text.substr(0, text.find_first_not_of("0123456789+-.eE"));
    auto rest = token;
    const auto skip_digits = [&] {
        const auto count = std::min(rest.find_first_not_of(kDigits), rest.size());
        rest.remove_prefix(count);
        return count;
    };
    if (rest.starts_with('-')) rest.remove_prefix(1);
    const bool begins_with_zero = rest.starts_with('0');
    const auto whole = skip_digits();
    if (whole == 0 || (begins_with_zero && whole > 1)) return 0;
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        if (skip_digits() == 0) return 0;
    }
    if (rest.starts_with('e') || rest.starts_with('E')) {
        rest.remove_prefix(1);
        if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
        if (skip_digits() == 0) return 0;
    }
    return rest.empty() ? token.size() : 0;
}

// True if each token of a text that cJSON accepts is valid by RFC 8259 and the nesting is within
// our limit.
bool has_strict_tokens(std::string_view text)
{
    int depth = 0;
    while (!text.empty()) {
        std::size_t size = 1;
        const char c = text.front();
        if (kSpace.find(c) != std::string_view::npos || c == ',' || c == ':') {
        } else if (c == '}' || c == ']') {
            --depth;
        } else if (depth > kMaxDepth) {
            return false;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '"') {
            size = string_token(text);
        } else if (c == '-' || kDigits.find(c) != std::string_view::npos) {
            size = number_token(text);
        } else {
            size = text.starts_with("true") || text.starts_with("null") ? 4
                   : text.starts_with("false")                          ? 5
                                                                        : 0;
        }
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

// Adds an object's members; false if the object is not acceptable.
bool add_members(const cJSON* object, bool is_entry, Pairs& pairs)
{
    if (!cJSON_IsObject(object)) return false;
    std::set<std::string> names;
    for (const cJSON* member = object->child; member != nullptr; member = member->next) {
        const std::string name{member->string};
        const bool is_ours = name == "mailbox" || name == "password";
        if (!names.insert(name).second || (is_ours && !cJSON_IsString(member))) return false;
        if (is_ours) pairs.emplace_back(name, member->valuestring);
    }
    return !is_entry || (names.contains("mailbox") && names.contains("password"));
}

// Returns the parameters that the service should find in a body.
std::optional<Pairs> expected(std::string_view text, Arrays arrays)
{
    if (!is_well_formed_utf8(text)) return std::nullopt;
    const auto value = parsed_by_cjson(text);
    if (!value || !has_strict_tokens(text)) return std::nullopt;
    Pairs pairs;
    if (!cJSON_IsArray(value.get()))
        return add_members(value.get(), false, pairs) ? std::optional{pairs} : std::nullopt;
    if (arrays == Arrays::refused) return std::nullopt;
    for (const cJSON* entry = value->child; entry != nullptr; entry = entry->next) {
        if (!add_members(entry, true, pairs)) return std::nullopt;
    }
    return pairs;
}

std::optional<Pairs> parsed(std::string_view text, Arrays arrays)
{
    http::Fields fields;
    if (is_refused([&] { form::parse_json(text, arrays, fields); })) return std::nullopt;
    std::erase_if(fields, [](const auto& field) {
        return field.first != "mailbox" && field.first != "password";
    });
    return pairs_of(fields);
}

// Escapes every character below 0x80.
std::string escaped(std::string_view text)
{
    constexpr std::string_view kHex = "0123456789aBcDeF";
    std::string escaped;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) escaped += {'\\', 'u', '0', '0', kHex[byte / 16], kHex[byte % 16]};
        else escaped += c;
    }
    return escaped;
}

// Any text arrives unchanged, in one object and in an array.
void check_sending(std::string_view mailbox, std::string_view password)
{
    const auto is_text = [](std::string_view text) {
        return is_well_formed_utf8(text) && text.find('\0') == std::string_view::npos;
    };
    if (!is_text(mailbox) || !is_text(password)) return;
    const auto object = R"({ "mailbox" : ")" + escaped(mailbox) + "\"\t,\r\n\"password\":\""
                        + escaped(password) + R"(", "x": [{}, null, -0.5e+5]})";
    const Pairs one{{"mailbox", std::string{mailbox}}, {"password", std::string{password}}};
    expect(parsed(object, Arrays::refused) == one, "what was sent is what arrives");
    auto two = one;
    two.insert(two.end(), one.begin(), one.end());
    expect(parsed("[" + object + "," + object + "]", Arrays::allowed) == two,
           "what was sent in an array is what arrives");
}

}  // namespace

void json(std::string_view input)
{
    auto rest = input;
    const auto line = take_line(rest);
    check_sending(line, rest);
    for (const auto arrays : {Arrays::allowed, Arrays::refused}) {
        const auto pairs = parsed(input, arrays);
        expect(pairs == expected(input, arrays),
               "accepted is what cJSON accepts and RFC 8259 allows, with the same fields");
        if (!pairs) continue;
        for (const auto& [name, value] : *pairs) {
            expect(is_well_formed_utf8(value) && value.find('\0') == std::string::npos,
                   "a field is UTF-8 without NUL");
        }
        for (const auto* const more : {"x", "{}", ",", "]", "\"", "\f"}) {
            expect(!parsed(std::string{input} + more, arrays), "no text stands behind the value");
        }
        expect(parsed(" \t\r\n" + std::string{input} + "\r\n", arrays) == pairs,
               "space around the value changes nothing");
        expect(!parsed("\xEF\xBB\xBF" + std::string{input}, arrays),
               "a byte order mark is no JSON");
    }
}

}  // namespace fuzz
