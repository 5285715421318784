#include "mailboxctl/import_json.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "mailboxctl/import_csv.h"

namespace import_json {
namespace {

using import_file::File;
using import_row::Problem;
using import_row::Read;
using import_row::Row;

constexpr std::size_t kLongestObject = 64UL * 1024;
constexpr std::string_view kItems = "\"items\":[";

// Members of a list of mailboxes that say nothing that is imported, and the reason of a bad row.
constexpr std::array<std::string_view, 3> kPassedOver{"size_bytes", "login", import_csv::kReason};

// Sets the member of the row. Returns a sentence if its value cannot be read.
std::string set(Row& row, const json::Document::Object::Member& member,
                std::set<std::string>& unknown)
{
    const auto name = member.name == "mailbox" ? std::string_view{"address"} : member.name;
    const auto column = std::find_if(import_csv::columns().begin(), import_csv::columns().end(),
                                     [&](const auto& each) { return each.name == name; });
    if (column == import_csv::columns().end()) {
        const bool is_passed_over =
            std::find(kPassedOver.begin(), kPassedOver.end(), name) != kPassedOver.end();
        if (!is_passed_over) unknown.emplace(name);
        return {};
    }
    auto& value = row.*column->member;
    if (member.text) value = *member.text;
    else if (member.is_list && (name == "aliases" || name == "targets"))
        value = strings::joined(member.list, " ");
    else if (member.is_list) return std::string{name} + " is a list or an object, not a text";
    else if (member.scalar == "true" && name == "stop") value = "yes";
    else if (member.scalar == "false" && name == "stop") value = "no";
    else value = member.scalar == "null" ? "" : member.scalar;
    return {};
}

}  // namespace

void Source::rewind()
{
    file_.rewind();
    lines_ = 1;
    open_ = 0;
    is_broken_ = false;
}

// Goes on to the next `{`. Lists, commas and what follows the items of a list are passed over. A
// list that is open at the end was cut off, perhaps after one of its objects.
bool Source::find_object()
{
    bool is_string = false, is_escaped = false;
    for (int byte = file_.peek(); byte != File::kEnd; byte = file_.peek()) {
        if (byte == '{' && !is_string) return true;
        file_.get();
        if (byte == '\n') {
            ++lines_;
            is_string = false;
        } else if (is_escaped) is_escaped = false;
        else if (byte == '\\') is_escaped = is_string;
        else if (byte == '"') is_string = !is_string;
        else if (byte == '[' && !is_string) ++open_;
        else if ((byte == ']' || byte == '}') && !is_string && open_ > 0) --open_;
    }
    if (open_ > 0 && !is_broken_)
        throw admin::Refused(file_.name() + " ends within a list; it was cut off");
    return false;
}

// True if the object's text so far is the beginning of a list of mailboxes.
bool Source::is_list_of_mailboxes() const
{
    std::string squeezed;
    for (const char c : object_) {
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') squeezed += c;
    }
    return squeezed.ends_with(kItems);
}

// Takes the text of an object, from its brace to the one that closes it. Stops after a line end
// within a string, which no JSON has: the object is broken, and the next one may be whole. Returns
// the rule that it breaks; empty if none.
std::string Source::take_object()
{
    object_.clear();
    begin_ = lines_;
    int depth = 0;
    bool is_string = false, is_escaped = false;
    for (int byte = file_.get(); byte != File::kEnd; byte = file_.get()) {
        const char c = static_cast<char>(byte);
        if (c == '\n') ++lines_;
        if (c == '\n' && is_string) return "a quote is not closed before the end of the line";
        if (object_.size() < kLongestObject) object_ += c;
        if (is_string) {
            if (is_escaped) is_escaped = false;
            else if (c == '\\') is_escaped = true;
            else if (c == '"') is_string = false;
            continue;
        }
        if (c == '"') is_string = true;
        if (c == '[' && depth == 1 && is_list_of_mailboxes()) {
            object_.clear();
            depth = 0;
            open_ += 2;  // the list, and the object that has it
            if (!find_object()) return {};
            begin_ = lines_;
            continue;
        }
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return {};
    }
    return "the file ends within this object; it was cut off";
}

bool Source::next(Read& read)
{
    // After the items of a list there may be text and a brace that are no object.
    if (!find_object()) return false;
    auto rule = take_object();
    if (object_.empty() && rule.empty()) return false;
    read.row = {};
    read.row.line = begin_;
    read.problem.reset();
    read.record = object_;
    const auto complain = [&](std::string reason, std::string_view column = {}) {
        read.problem = Problem{begin_, column, std::move(reason)};
        return true;
    };
    is_broken_ = is_broken_ || !rule.empty();
    if (!rule.empty()) return complain(std::move(rule));
    if (object_.size() >= kLongestObject) return complain("the object is longer than 64 KiB");
    if (!strings::is_utf8(object_))
        return complain(
            "it is not valid UTF-8; is it Latin-1? iconv -f LATIN1 -t UTF-8 converts it");
    const auto document = json::Document::parse(object_);
    if (!document) return complain("it is not valid JSON");
    for (const auto& object : document->objects()) {
        std::set<std::string_view> names;
        for (const auto& member : object.members) {
            if (!names.insert(member.name).second)
                return complain("there are two members " + std::string{member.name});
            if (auto problem = set(read.row, member, unknown_); !problem.empty())
                return complain(std::move(problem));
        }
    }
    import_csv::set_kind(read.row);
    return true;
}

std::string Source::bad_record(const Read& read, const Problem& problem) const
{
    const auto reason = "line " + std::to_string(problem.line)
                        + (problem.column.empty() ? "" : ", " + std::string{problem.column}) + ": "
                        + problem.reason;
    if (!strings::is_utf8(read.record) || !json::Document::parse(read.record))
        return json::object(
            {{"record", strings::is_utf8(read.record) ? read.record : std::string{}},
             {"reason", reason}});
    auto line = read.record;
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::replace(line.begin(), line.end(), '\r', ' ');
    line.pop_back();
    return line + (strings::trimmed(line).ends_with('{') ? "" : ",")
           + "\"reason\":" + json::quoted(reason) + "}\n";
}

std::string line_of(const Row& row)
{
    json::Members members;
    for (const auto& [name, member] : import_csv::columns()) {
        if (!(row.*member).empty()) members.emplace_back(name.data(), row.*member);
    }
    return json::object(members);
}

}  // namespace import_json
