#include "json.h"

#include <cjson/cJSON.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <set>

namespace json {
namespace {

struct Delete {
    void operator()(cJSON* value) const { cJSON_Delete(value); }
};
using Tree = std::unique_ptr<cJSON, Delete>;

Tree new_object()
{
    Tree value{cJSON_CreateObject()};
    if (!value) throw std::bad_alloc{};
    return value;
}

// Names are literals, so they need not be copied.
void add(cJSON* object, const char* name, std::string_view text)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateString(std::string{text}.c_str()));
}

void add_flag(cJSON* object, const char* name, bool is_so)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateBool(is_so ? 1 : 0));
}

// As raw text: cJSON's numbers are doubles, and from 1e15 on it prints them as 9.007e+15.
void add(cJSON* object, const char* name, std::int64_t number)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateRaw(std::to_string(number).c_str()));
}

std::string printed(const cJSON* value)
{
    const std::unique_ptr<char, decltype(&std::free)> text{cJSON_PrintUnformatted(value), &std::free};
    if (!text) throw std::bad_alloc{};
    return std::string{text.get()} + "\n";
}

// Writes dates one after another. Most of a date is its day, and neighbours in a list
// often share it, so that is kept from one to the next.
class Dates {
public:
    static constexpr std::size_t kLength = std::char_traits<char>::length("Tue, 27 Sep 2011 20:24:22 GMT");

    std::string_view text(std::int64_t seconds_since_1970)
    {
        constexpr std::int64_t kDay = 86'400;
        const auto second = (seconds_since_1970 % kDay + kDay) % kDay;
        const auto day = seconds_since_1970 / kDay - (seconds_since_1970 % kDay < 0 ? 1 : 0);
        if (text_.empty() || day != day_) {
            day_ = day;
            text_ = with_day_of(seconds_since_1970);
        }
        const std::array<std::int64_t, 3> parts{second / 3600, second / 60 % 60, second % 60};
        for (std::size_t i = 0; i < parts.size(); ++i) put_two_digits(&text_[kDayLength + 3 * i], parts[i]);
        return text_;
    }

private:
    static constexpr std::size_t kDayLength = std::char_traits<char>::length("Tue, 27 Sep 2011 ");

    static void put_two_digits(char* place, std::int64_t number)
    {
        place[0] = static_cast<char>('0' + number / 10 % 10);
        place[1] = static_cast<char>('0' + number % 10);
    }

    static std::string with_day_of(std::int64_t seconds_since_1970)
    {
        constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const std::time_t time = seconds_since_1970;
        std::tm utc{};
        ::gmtime_r(&time, &utc);
        std::string text{"Day, 00 Mon 0000 00:00:00 GMT"};
        text.replace(0, 3, kDays.at(static_cast<std::size_t>(utc.tm_wday)));
        put_two_digits(&text[5], utc.tm_mday);
        text.replace(8, 3, kMonths.at(static_cast<std::size_t>(utc.tm_mon)));
        put_two_digits(&text[12], (utc.tm_year + 1900) / 100);
        put_two_digits(&text[14], utc.tm_year + 1900);
        return text;
    }

    std::int64_t day_ = 0;  // of the last date, counted from 1970
    std::string text_;      // the last date; empty before the first
};

[[noreturn]] void refuse(const std::string& sentence)
{
    throw http::Error(400, "bad_json", sentence);
}

}  // namespace

std::string message(std::string_view message)
{
    const auto value = new_object();
    add(value.get(), "message", message);
    return printed(value.get());
}

std::string error(std::string_view message, std::string_view code)
{
    const auto value = new_object();
    add(value.get(), "message", message);
    add(value.get(), "code", code);
    return printed(value.get());
}

std::string deleted(std::string_view message, std::string_view spec)
{
    const auto value = new_object();
    add(value.get(), "message", message);
    add(value.get(), "spec", spec);
    return printed(value.get());
}

// cJSON writes the frame; the rows are put between its brackets as text, each byte once:
// what they hold is digits, a date, and an address, none of which JSON escapes. A tree of
// four nodes a row took 140 us for a page of 100.
std::string listing(std::int64_t total, const std::vector<mailbox::Mailbox>& items, std::string_view domain, mailbox::As as)
{
    const auto value = new_object();
    add(value.get(), "total_count", total);
    cJSON_AddItemToObjectCS(value.get(), "items", cJSON_CreateArray());
    auto text = printed(value.get());
    constexpr std::string_view kEnd = "]}\n";
    text.resize(text.size() - kEnd.size());

    constexpr std::string_view kSize = R"(,{"size_bytes":)", kDate = R"(,"created_at":")", kMailbox = R"(","mailbox":")", kLogin = R"(","login":")", kRowEnd = R"("})";
    constexpr std::size_t kMostDigits = 20;
    constexpr auto kRow = kSize.size() + kMostDigits + kDate.size() + Dates::kLength + kMailbox.size() + kLogin.size() + 1 + kRowEnd.size();
    const std::size_t addresses = as == mailbox::As::credentials ? 2 : 1;  // in a row
    auto most = text.size() + items.size() * (kRow + addresses * (domain.size() + 1)) + kEnd.size();
    for (const auto& item : items) most += addresses * item.local_part.size();
    auto place = text.size();
    text.resize(most);
    const auto put = [&](std::string_view bytes) {
        bytes.copy(&text[place], bytes.size());
        place += bytes.size();
    };
    const auto put_address = [&](std::string_view name, std::string_view local_part) {
        put(name);
        put(local_part);
        put("@");
        put(domain);
    };
    Dates dates;
    for (const auto& item : items) {
        put(&item == items.data() ? kSize.substr(1) : kSize);
        place = static_cast<std::size_t>(std::to_chars(&text[place], &text[place] + kMostDigits, item.size_bytes).ptr - text.data());
        put(kDate);
        put(dates.text(item.created_at));
        put_address(kMailbox, item.local_part);
        if (as == mailbox::As::credentials) put_address(kLogin, item.local_part);
        put(kRowEnd);
    }
    put(kEnd);
    text.resize(place);
    return text;
}

std::string generated(std::string_view message, const Logins& logins)
{
    const auto value = new_object();
    add(value.get(), "message", message);
    add(value.get(), "note", "Keep these passwords: they are not shown again.");
    auto* const credentials = cJSON_AddObjectToObject(value.get(), "credentials");
    for (const auto& [login, password] : logins) {
        cJSON_AddItemToObject(credentials, login.c_str(), cJSON_CreateString(std::string{password}.c_str()));
    }
    return printed(value.get());
}

namespace {

// What the clients read, as far as it is true here: mail to names below the domain is not taken, and none is sorted out.
void fill(cJSON* object, const mailbox::Hosted& domain)
{
    add(object, "name", domain.name);
    add(object, "state", domain.is_active ? "active" : "disabled");
    add_flag(object, "is_disabled", !domain.is_active);
    add(object, "created_at", date(domain.created_at));
    add(object, "type", "custom");
    add_flag(object, "wildcard", false);
    add(object, "spam_action", "disabled");
}

}  // namespace

std::string domain(const mailbox::Hosted& domain)
{
    const auto value = new_object();
    fill(cJSON_AddObjectToObject(value.get(), "domain"), domain);
    return printed(value.get());
}

std::string domains(std::int64_t total, const std::vector<mailbox::Hosted>& items)
{
    const auto value = new_object();
    add(value.get(), "total_count", total);
    auto* const array = cJSON_AddArrayToObject(value.get(), "items");
    for (const auto& item : items) {
        auto object = new_object();
        fill(object.get(), item);
        cJSON_AddItemToArray(array, object.release());
    }
    return printed(value.get());
}

std::string object(const Members& members)
{
    const auto value = new_object();
    for (const auto& [name, member] : members) {
        if (const auto* number = std::get_if<std::int64_t>(&member)) add(value.get(), name, *number);
        else if (const auto* text = std::get_if<std::string>(&member)) add(value.get(), name, *text);
        else cJSON_AddItemToObjectCS(value.get(), name, cJSON_CreateNull());
    }
    return printed(value.get());
}

std::string quoted(std::string_view text)
{
    const Tree value{cJSON_CreateString(std::string{text}.c_str())};
    auto quoted = printed(value.get());
    quoted.pop_back();  // the line end
    return quoted;
}

std::string date(std::int64_t seconds_since_1970)
{
    return std::string{Dates{}.text(seconds_since_1970)};
}

namespace {

// RFC 8259's grammar, and no more: cJSON also takes 01, 1., control characters in
// strings and any byte below space between tokens, and cuts a string at \u0000.
class Grammar {
public:
    explicit Grammar(std::string_view text) : rest_{text} {}

    bool accepts()
    {
        skip_space();
        if (!value(0)) return false;
        skip_space();
        return rest_.empty();
    }

private:
    static constexpr int kMaxDepth = 32;

    bool take(char c)
    {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view word)
    {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
    bool digits()
    {
        const auto count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        rest_.remove_prefix(count);
        return count > 0;
    }
    bool number()
    {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (!take('e') && !take('E')) return true;
        if (!take('+')) take('-');
        return digits();
    }
    bool escape()
    {
        if (rest_.empty()) return false;
        const char kind = rest_.front();
        rest_.remove_prefix(1);
        if (kind != 'u') return std::string_view{"\"\\/bfnrt"}.find(kind) != std::string_view::npos;
        const auto hex = rest_.substr(0, 4);
        if (hex.size() < 4 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return false;
        rest_.remove_prefix(4);
        return hex != "0000";
    }
    bool string()
    {
        if (!take('"')) return false;
        while (!take('"')) {
            if (rest_.empty() || static_cast<unsigned char>(rest_.front()) < ' ') return false;
            const bool is_escape = rest_.front() == '\\';
            rest_.remove_prefix(1);
            if (is_escape && !escape()) return false;
        }
        return true;
    }
    // What stands between brackets, with commas: `item` reads one of it.
    template <typename Item>
    bool items(char close, Item item)
    {
        skip_space();
        if (take(close)) return true;
        do {
            skip_space();
            if (!item()) return false;
            skip_space();
        } while (take(','));
        return take(close);
    }
    bool member(int depth)
    {
        if (!string()) return false;
        skip_space();
        if (!take(':')) return false;
        skip_space();
        return value(depth);
    }
    bool value(int depth)
    {
        if (depth > kMaxDepth || rest_.empty()) return false;
        switch (rest_.front()) {
        case '{': take('{'); return items('}', [&] { return member(depth + 1); });
        case '[': take('['); return items(']', [&] { return value(depth + 1); });
        case '"': return string();
        case 't': return take("true");
        case 'f': return take("false");
        case 'n': return take("null");
        default: return number();
        }
    }

    std::string_view rest_;
};

enum class Wanted { any, all };

void take_object(const cJSON* object, Wanted wanted, http::Fields& fields, mailbox::As as)
{
    if (!cJSON_IsObject(object)) refuse("The JSON body must be an object, or on POST an array of objects.");
    std::set<std::string_view> names;
    for (const cJSON* member = object->child; member != nullptr; member = member->next) {
        const std::string_view name{member->string};
        const bool is_ours = name == "mailbox" || name == "password" || (name == "login" && as == mailbox::As::credentials);
        if (!names.insert(name).second) {
            refuse("The JSON body has a member twice: '" + std::string{name} + "'.");
        }
        if (is_ours && !cJSON_IsString(member)) refuse("'" + std::string{name} + "' must be a JSON string.");
        fields.emplace_back(name, Secret{is_ours ? std::string_view{member->valuestring} : std::string_view{}});
    }
    if (wanted == Wanted::any) return;
    if (as == mailbox::As::mailbox) {
        if (names.count("mailbox") + names.count("password") != 2) refuse("Each object of the JSON array must have 'mailbox' and 'password'.");
    } else if (names.count("mailbox") + names.count("login") == 0) {
        refuse("Each object of the JSON array must have 'login'.");
    }
}

}  // namespace

void parse_fields(std::string_view text, Arrays arrays, http::Fields& fields, mailbox::As as)
{
    if (!http::is_utf8(text)) refuse("The JSON body is not valid UTF-8.");
    if (!Grammar{text}.accepts()) refuse("The body is not valid JSON (RFC 8259).");
    const Tree value{cJSON_ParseWithLength(text.data(), text.size())};
    if (!value) refuse("The body is not valid JSON (RFC 8259).");
    if (!cJSON_IsArray(value.get())) return take_object(value.get(), Wanted::any, fields, as);
    if (arrays == Arrays::refused) refuse("The JSON body must be an object here.");
    for (const cJSON* entry = value->child; entry != nullptr; entry = entry->next) take_object(entry, Wanted::all, fields, as);
}

namespace {

Node node(const cJSON* value)
{
    Node read;
    if (cJSON_IsString(value)) read.text = value->valuestring;
    if (cJSON_IsNumber(value)) read.text = std::to_string(static_cast<std::int64_t>(value->valuedouble));
    for (const cJSON* member = value->child; member != nullptr; member = member->next) {
        read.members.push_back({member->string == nullptr ? "" : member->string, node(member)});
    }
    return read;
}

}  // namespace

std::optional<Node> parse(std::string_view text)
{
    if (!http::is_utf8(text) || !Grammar{text}.accepts()) return std::nullopt;
    const Tree value{cJSON_ParseWithLength(text.data(), text.size())};
    if (!value) return std::nullopt;
    return node(value.get());
}

}  // namespace json
