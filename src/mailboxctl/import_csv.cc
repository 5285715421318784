#include "mailboxctl/import_csv.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "db/accounts.h"

namespace import_csv {
namespace {

using import_row::Kind;
using import_row::Problem;
using import_row::Read;
using import_row::Row;

constexpr std::size_t kLongestLine = 64UL * 1024;

// Splits a line at the separators. Returns the rule that it breaks; empty if none. The strings of
// `values` are used again, because a million rows would make ten million of them.
std::string_view split(std::string_view line, char separator, std::vector<std::string>& values)
{
    std::size_t count = 0;
    const auto next_value = [&]() -> std::string& {
        if (count == values.size()) values.emplace_back();
        values[count].clear();
        return values[count++];
    };
    for (std::size_t at = 0;;) {
        auto& value = next_value();
        if (at < line.size() && line[at] == '"') {
            for (++at;; ++at) {
                const auto quote = line.find('"', at);
                if (quote == std::string_view::npos)
                    return "a quote is not closed before the end of the line";
                value.append(line, at, quote - at);
                at = quote + 1;
                if (at == line.size() || line[at] != '"') break;
                value += '"';
            }
            if (at < line.size() && line[at] != separator)
                return "there is text after a closing quote; a quote within quotes is doubled";
        } else {
            const auto end = std::min(line.find(separator, at), line.size());
            value.append(line, at, end - at);
            if (value.find('"') != std::string::npos)
                return "there is a quote in the middle of a value without quotes";
            at = end;
        }
        if (at == line.size()) break;
        ++at;
    }
    values.resize(count);
    return {};
}

}  // namespace

const std::vector<Column>& columns()
{
    static const std::vector<Column> all{{"address", &Row::address},
                                         {"password", &Row::password},
                                         {"hash", &Row::hash},
                                         {"quota", &Row::quota},
                                         {"state", &Row::state},
                                         {"created_at", &Row::created_at},
                                         {"aliases", &Row::aliases},
                                         {"maildir", &Row::maildir},
                                         {"targets", &Row::targets},
                                         {"stop", &Row::stop},
                                         {"description", &Row::description}};
    return all;
}

void set_kind(Row& row)
{
    row.kind = row.address.find('@') == std::string::npos ? Kind::alias_domain
               : row.targets.empty()                      ? Kind::mailbox
                                                          : Kind::alias;
}

std::string line_of(const std::vector<std::string>& values, char separator)
{
    std::string line;
    for (const auto& value : values) {
        if (&value != &values.front()) line += separator;
        const bool needs_quotes = value.find_first_of("\"\r\n,;\t") != std::string::npos
                                  || value.starts_with(' ') || value.ends_with(' ');
        if (!needs_quotes) {
            line += value;
            continue;
        }
        line += '"';
        for (const char c : value) line.append(c == '"' ? 2 : 1, c);
        line += '"';
    }
    return line;
}

Source::Source(import_file::File& file) : file_{file}
{
    read_heading();
}

void Source::read_heading()
{
    bool is_cut = false;
    line_.clear();
    if (!file_.line(line_, is_cut, kLongestLine) || strings::trimmed(line_).empty())
        throw admin::Refused(file_.name()
                             + " is empty; the first line of CSV names its columns, for example "
                               "address,hash,quota");
    lines_ = 1;
    for (const char candidate : {'\t', ';', ','}) {
        if (line_.find(candidate) != std::string::npos) separator_ = candidate;
    }
    if (const auto rule = split(line_, separator_, values_); !rule.empty())
        throw admin::Refused(file_.name() + ", line 1: " + std::string{rule});
    if (line_.find('\r') != std::string::npos)
        throw admin::Refused(file_.name()
                             + " has lines that end with CR alone; tr '\\r' '\\n' converts them");
    heading_ = values_;
    members_.clear();
    unknown_.clear();
    std::set<std::string> names;
    for (const auto& written : heading_) {
        const auto name = strings::lower_case(strings::trimmed(written));
        const auto column = std::find_if(columns().begin(), columns().end(),
                                         [&](const Column& each) { return each.name == name; });
        if (!names.insert(name).second)
            throw admin::Refused(file_.name() + ", line 1: there are two columns " + name);
        members_.push_back(column == columns().end() ? nullptr : column->member);
        if (column == columns().end() && name != kReason) unknown_.push_back(written);
    }
    if (!names.contains("address")) {
        std::vector<std::string_view> known;
        for (const auto& each : columns()) known.push_back(each.name);
        throw admin::Refused(file_.name()
                             + ", line 1: there is no column named address. The columns are "
                             + strings::joined(known, ", "));
    }
}

void Source::rewind()
{
    file_.rewind();
    read_heading();
}

bool Source::next(Read& read)
{
    bool is_cut = false;
    do {
        line_.clear();
        if (!file_.line(line_, is_cut, kLongestLine + 1)) return false;
        ++lines_;
    } while (strings::trimmed(line_).empty());
    read.row = {};
    read.row.line = lines_;
    read.problem.reset();
    read.record = line_;
    const auto complain = [&](std::string reason) {
        read.problem = Problem{lines_, {}, std::move(reason)};
        return true;
    };
    if (line_.size() > kLongestLine) return complain("the line is longer than 64 KiB");
    if (is_cut)
        return complain("the file ends in this line, without a line end. If it is complete, add "
                        "one; otherwise it was cut off");
    if (const auto rule = split(line_, separator_, values_); !rule.empty())
        return complain(std::string{rule});
    if (values_.size() != members_.size())
        return complain("the line has " + std::to_string(values_.size()) + " values, but there are "
                        + std::to_string(members_.size()) + " columns");
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i] != nullptr) (read.row.*members_[i]).swap(values_[i]);
    }
    set_kind(read.row);
    return true;
}

std::string Source::bad_heading() const
{
    auto names = heading_;
    const auto is_reason = [](const std::string& name) {
        return strings::lower_case(strings::trimmed(name)) == kReason;
    };
    std::erase_if(names, is_reason);
    names.emplace_back(kReason);
    return line_of(names, separator_) + "\n";
}

std::string Source::bad_record(const Read& read, const Problem& problem) const
{
    std::vector<std::string> values;
    if (!split(read.record, separator_, values).empty() || values.size() != heading_.size()) {
        // Not a row of these columns: the whole line is kept as its first value.
        values.assign(heading_.size(), "");
        values.front() = read.record;
    }
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < heading_.size(); ++i) {
        if (strings::lower_case(strings::trimmed(heading_[i])) != kReason)
            kept.push_back(values[i]);
    }
    kept.push_back("line " + std::to_string(problem.line)
                   + (problem.column.empty() ? "" : ", " + std::string{problem.column}) + ": "
                   + problem.reason);
    return line_of(kept, separator_) + "\n";
}

}  // namespace import_csv
