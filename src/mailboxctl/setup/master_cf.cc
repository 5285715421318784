#include "mailboxctl/setup/master_cf.h"

#include <algorithm>
#include <cctype>

#include "base/strings.h"

namespace master_cf {
namespace {

constexpr std::size_t kName = 0, kType = 1, kChroot = 4, kProgram = 7;  // fields, master(5)

// A service's lines in the text: [begin, end) in bytes.
struct Entry {
    std::string name;
    std::vector<std::string> fields;
    std::size_t begin = 0, end = 0;
};

std::vector<Entry> entries(std::string_view text)
{
    std::vector<Entry> all;
    for (std::size_t at = 0; at < text.size();) {
        const auto length = std::min(text.find('\n', at), text.size() - 1) + 1 - at;
        const auto line = text.substr(at, length);
        at += length;
        const auto words = strings::words(line);
        if (words.empty() || words[0].starts_with('#')) continue;
        if (std::isspace(static_cast<unsigned char>(line.front())) != 0) {
            if (!all.empty()) all.back().end = at;
        } else if (words.size() > kProgram) {
            all.push_back({words[kName] + "/" + words[kType], words, at - length, at});
        }
    }
    return all;
}

// Of two entries for one service, Postfix uses the last one.
std::optional<Entry> last(std::string_view text, std::string_view service)
{
    std::optional<Entry> found;
    for (auto& entry : entries(text)) {
        if (entry.name == service) found = std::move(entry);
    }
    return found;
}

// Where an option's text "-o NAME=VALUE" or "-o { NAME = VALUE }" stands: [begin, end) in bytes.
struct Option {
    std::string name, value;
    std::size_t begin = 0, end = 0;
};

bool is_space(char c)
{
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// Returns the end of the word at `at`. A word that begins with a brace ends after its partner.
std::size_t word_end(std::string_view text, std::size_t at, std::size_t limit)
{
    int depth = 0;
    while (at < limit && (depth > 0 || !is_space(text[at]))) {
        if (text[at] == '{') ++depth;
        if (text[at] == '}') --depth;
        ++at;
    }
    return at;
}

std::size_t word_begin(std::string_view text, std::size_t at, std::size_t limit)
{
    while (at < limit && is_space(text[at])) ++at;
    return at;
}

std::vector<Option> options(std::string_view text, const Entry& entry)
{
    std::vector<Option> all;
    for (auto at = word_begin(text, entry.begin, entry.end); at < entry.end;) {
        const auto end = word_end(text, at, entry.end);
        const auto word = text.substr(at, end - at);
        if (word != "-o") {
            // A comment between the lines of an entry is skipped as a whole.
            const bool is_comment = word.starts_with('#') && (at == 0 || text[at - 1] == '\n');
            at = word_begin(text, is_comment ? std::min(text.find('\n', at), entry.end) : end,
                            entry.end);
            continue;
        }
        const auto begin = word_begin(text, end, entry.end);
        const auto its_end = word_end(text, begin, entry.end);
        auto setting = text.substr(begin, its_end - begin);
        if (setting.starts_with('{') && setting.ends_with('}'))
            setting = setting.substr(1, setting.size() - 2);
        const auto equals = setting.find('=');
        if (equals != std::string_view::npos)
            all.push_back({std::string{strings::trimmed(setting.substr(0, equals))},
                           std::string{strings::trimmed(setting.substr(equals + 1))}, at, its_end});
        at = word_begin(text, its_end, entry.end);
    }
    return all;
}

std::string written(std::string_view name, std::string_view value)
{
    const bool has_blank = value.find_first_of(" \t") != std::string_view::npos;
    const auto setting = std::string{name} + (has_blank ? " = " : "=") + std::string{value};
    return has_blank ? "-o { " + setting + " }" : "-o " + setting;
}

}  // namespace

std::vector<Service> services(std::string_view text)
{
    std::vector<Service> all;
    for (const auto& entry : entries(text))
        all.push_back({entry.name, entry.fields[kProgram], entry.fields[kChroot] == "y"});
    return all;
}

std::optional<std::string> option(std::string_view text, std::string_view service,
                                  std::string_view name)
{
    const auto entry = last(text, service);
    std::optional<std::string> found;
    if (!entry) return found;
    for (const auto& each : options(text, *entry)) {
        if (each.name == name) found = each.value;
    }
    return found;
}

std::string with_option(std::string_view text, std::string_view service, std::string_view name,
                        std::string_view value)
{
    std::string changed{text};
    const auto entry = last(text, service);
    if (!entry) return changed;
    std::optional<Option> found;
    for (const auto& each : options(text, *entry)) {
        if (each.name == name) found = each;
    }
    if (found && found->value == value) return changed;
    if (found)
        return changed.replace(found->begin, found->end - found->begin, written(name, value));
    auto line = "    " + written(name, value) + "\n";
    if (changed[entry->end - 1] != '\n') line.insert(0, "\n");
    return changed.insert(entry->end, line);
}

std::string without_chroot(std::string_view text, std::string_view service)
{
    std::string changed{text};
    const auto entry = last(text, service);
    if (!entry || entry->fields[kChroot] == "n") return changed;
    auto at = entry->begin;
    for (std::size_t field = 0; field < kChroot; ++field)
        at = word_begin(text, word_end(text, at, entry->end), entry->end);
    return changed.replace(at, entry->fields[kChroot].size(), "n");
}

}  // namespace master_cf
