#include "peers/uidlist.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "peers/folder_names.h"

namespace uidlist {
namespace {

constexpr auto kGreatest = std::numeric_limits<std::uint32_t>::max();

std::optional<std::uint32_t> number(std::string_view text)
{
    const auto value = strings::whole_number(text, kGreatest);
    return value ? std::optional{static_cast<std::uint32_t>(*value)} : std::nullopt;
}

// Returns the lines that have an end: a last line without one may be cut off.
std::vector<std::string> whole_lines(std::string_view text)
{
    auto lines = folder_names::split(text, '\n');
    lines.pop_back();
    return lines;
}

bool read_header(const std::string& line, List& list)
{
    const auto fields = strings::words(line, " ");
    if (fields.size() < 3) return false;
    std::optional<std::uint32_t> validity, next;
    if (fields[0] == "1") {
        validity = number(fields[1]);
        next = number(fields[2]);
    } else if (fields[0] == "3") {
        for (std::size_t i = 1; i < fields.size(); ++i) {
            const auto value = std::string_view{fields[i]}.substr(1);
            if (fields[i][0] == 'V') validity = number(value);
            if (fields[i][0] == 'N') next = number(value);
            if (fields[i][0] == 'G') list.guid = value;
        }
    }
    if (!validity || !next || *validity == 0) return false;
    list.validity = *validity;
    list.next = *next;
    return true;
}

// "7 W75 :name" of version 3, "7 name" of version 1 and of Courier.
std::optional<Record> read_record(const std::string& line, bool has_extensions)
{
    const auto blank = line.find(' ');
    const auto uid = number(line.substr(0, blank));
    if (!uid || *uid == 0 || blank == std::string::npos) return std::nullopt;
    Record record{.uid = *uid, .base = {}};
    if (!has_extensions) {
        record.base = base_of(line.substr(blank + 1));
    } else {
        const auto colon = line.find(" :", blank);
        if (colon == std::string::npos) return std::nullopt;
        record.base = base_of(line.substr(colon + 2));
        record.extensions = strings::words(line.substr(blank, colon - blank), " ");
    }
    if (record.base.empty()) return std::nullopt;
    return record;
}

// A later line replaces an earlier one of the same UID or the same message.
void tidy(List& list)
{
    std::map<std::string, std::size_t> last;
    for (std::size_t i = 0; i < list.records.size(); ++i) last[list.records[i].base] = i;
    std::map<std::uint32_t, Record> by_uid;
    for (std::size_t i = 0; i < list.records.size(); ++i) {
        if (last[list.records[i].base] == i)
            by_uid.insert_or_assign(list.records[i].uid, list.records[i]);
    }
    list.records.clear();
    for (auto& [uid, record] : by_uid) {
        list.next = std::max(list.next, uid + 1);
        list.records.push_back(std::move(record));
    }
}

std::optional<List> parsed(std::string_view text, bool is_courier)
{
    const auto lines = whole_lines(text);
    List list;
    if (lines.empty() || !read_header(lines[0], list)) return std::nullopt;
    const bool has_extensions = !is_courier && lines[0].starts_with("3");
    for (std::size_t i = 1; i < lines.size(); ++i) {
        if (auto record = read_record(lines[i], has_extensions))
            list.records.push_back(std::move(*record));
    }
    tidy(list);
    return list;
}

}  // namespace

std::string base_of(std::string_view file)
{
    return std::string{file.substr(0, file.find(':'))};
}

std::optional<List> parse(std::string_view text)
{
    return parsed(text, false);
}

std::optional<List> parse_courier(std::string_view text)
{
    return text.starts_with("1 ") ? parsed(text, true) : std::nullopt;
}

std::string text_of(const List& list)
{
    auto text = "3 V" + std::to_string(list.validity) + " N" + std::to_string(list.next);
    if (!list.guid.empty()) text += " G" + list.guid;
    text += '\n';
    for (const auto& record : list.records) {
        text += std::to_string(record.uid) + ' ';
        for (const auto& extension : record.extensions) text += extension + ' ';
        text += ':' + record.base + '\n';
    }
    return text;
}

namespace {

// Courier escapes what a UIDL must not have.
std::string uidl_of_name(const std::string& base)
{
    std::string text;
    for (const char c : base) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x21 && byte <= 0x7E && c != '\'' && c != '"' && c != '+') {
            text += c;
            continue;
        }
        char escaped[4];
        std::snprintf(escaped, sizeof escaped, "+%02X", byte);
        text += escaped;
    }
    return text;
}

}  // namespace

// A line is "name size uid:uidvalidity", from version 3 on with ":flag" after it. The first
// version had no header and "name uid".
std::map<std::string, std::string> courier_uidls(std::string_view text)
{
    std::map<std::string, std::string> uidls;
    for (const auto& line : whole_lines(text)) {
        if (line.starts_with('/')) continue;
        const auto fields = strings::words(line, " ");
        if (fields.size() < 2) continue;
        const auto base = base_of(fields[0]);
        const auto ids = strings::words(fields.back(), ":");
        if (ids.empty() || !number(ids[0])) continue;
        if (ids[0] == "0") uidls[base] = uidl_of_name(base);
        else if (ids.size() < 2 || ids[1] == "0") uidls[base] = "UID" + ids[0];
        else uidls[base] = "UID" + ids[0] + "-" + ids[1];
    }
    return uidls;
}

namespace {

struct Variable {
    char name = 0;
    bool is_hexadecimal = false;
    int width = 0;
    std::size_t length = 0;  // in the format
};

Variable variable_at(std::string_view format, std::size_t at)
{
    Variable found;
    auto end = at + 1;
    while (end < format.size() && std::isdigit(static_cast<unsigned char>(format[end])) != 0)
        found.width = found.width * 10 + (format[end++] - '0');
    if (end < format.size() && (format[end] == 'X' || format[end] == 'x')) {
        found.is_hexadecimal = true;
        ++end;
    }
    if (end < format.size()) found.name = format[end++];
    found.length = end - at;
    return found;
}

std::string filled(const Variable& variable, std::uint32_t value)
{
    constexpr std::size_t kLongest = 64;
    char text[kLongest];
    const int width = std::min(variable.width, 32);
    std::snprintf(text, sizeof text, variable.is_hexadecimal ? "%0*x" : "%0*u", width, value);
    return text;
}

}  // namespace

std::string uidl(std::string_view format, std::uint32_t uid, std::uint32_t validity,
                 const std::string& base)
{
    std::string text;
    for (std::size_t at = 0; at < format.size();) {
        if (format[at] != '%') {
            text += format[at++];
            continue;
        }
        const auto variable = variable_at(format, at);
        if (variable.name == 'u') text += filled(variable, uid);
        if (variable.name == 'v') text += filled(variable, validity);
        if (variable.name == 'f') text += base;
        at += variable.length;
    }
    return text;
}

bool is_uidl_format(std::string_view format)
{
    constexpr std::string_view kKnown = "uvf";
    bool has_any = false;
    for (std::size_t at = 0; at < format.size();) {
        if (format[at] <= ' ' || format[at] > '~') return false;
        if (format[at] != '%') {
            ++at;
            continue;
        }
        const auto variable = variable_at(format, at);
        if (variable.name == 0 || kKnown.find(variable.name) == std::string_view::npos)
            return false;
        has_any = has_any || variable.name != 'v';
        at += variable.length;
    }
    return has_any;
}

}  // namespace uidlist
