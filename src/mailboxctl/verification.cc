#include "mailboxctl/verification.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "base/strings.h"

namespace verification {
namespace {

std::string flags_of(const foreign::Message& message, const foreign::Keywords& keywords)
{
    static const std::map<char, std::string> kFlags{{'D', "\\Draft"},    {'F', "\\Flagged"},
                                                    {'R', "\\Answered"}, {'S', "\\Seen"},
                                                    {'T', "\\Deleted"},  {'P', "$Passed"}};
    std::set<std::string> names;
    for (const char letter : message.flags) {
        if (const auto found = kFlags.find(letter); found != kFlags.end())
            names.insert(found->second);
        if (const auto found = keywords.find(letter); found != keywords.end())
            names.insert(found->second);
    }
    return strings::joined(names, " ");
}

// Takes the messages out of both lists that `is_less` puts in one place, and calls `take` for each
// pair. Both lists are sorted by it before.
using Less = std::function<bool(const Item&, const Item&)>;
void match(std::vector<Item>& source, std::vector<Item>& target, const Less& is_less,
           const std::function<void(const Item&, const Item&)>& take)
{
    std::stable_sort(source.begin(), source.end(), is_less);
    std::stable_sort(target.begin(), target.end(), is_less);
    std::vector<Item> only_source, only_target;
    auto left = source.begin(), right = target.begin();
    while (left != source.end() && right != target.end()) {
        if (is_less(*left, *right)) only_source.push_back(std::move(*left++));
        else if (is_less(*right, *left)) only_target.push_back(std::move(*right++));
        else take(*left++, *right++);
    }
    std::move(left, source.end(), std::back_inserter(only_source));
    std::move(right, target.end(), std::back_inserter(only_target));
    source = std::move(only_source);
    target = std::move(only_target);
}

}  // namespace

Contents contents(const foreign::Maildir& maildir)
{
    Contents all;
    for (const auto& folder : maildir.folders()) {
        const auto name = folder_names::shown(folder.name());
        const auto keywords = folder.keywords();
        all.folders.insert(name);
        for (const auto& [base, message] : folder.messages()) {
            const auto envelope = foreign::envelope(folder, message);
            if (!envelope) continue;  // renamed or deleted meanwhile
            all.items.push_back({name, envelope->id, envelope->bytes, flags_of(message, keywords)});
        }
    }
    return all;
}

const char* text_of(Kind kind)
{
    switch (kind) {
    case Kind::missing: return "missing";
    case Kind::extra: return "extra";
    case Kind::other_flags: return "other flags";
    case Kind::other_size: return "other size";
    case Kind::missing_folder: return "missing folder";
    }
    return "";
}

std::int64_t Report::count(Kind kind) const
{
    return std::count_if(differences.begin(), differences.end(),
                         [&](const Difference& each) { return each.kind == kind; });
}

bool Report::is_complete() const
{
    return std::all_of(differences.begin(), differences.end(),
                       [](const Difference& each) { return each.kind == Kind::extra; });
}

// First the equal ones are matched, then those that differ in one thing.
Report compared(Contents source, Contents target)
{
    Report report{.source = static_cast<std::int64_t>(source.items.size()),
                  .target = static_cast<std::int64_t>(target.items.size())};
    for (const auto& folder : source.folders) {
        if (!target.folders.contains(folder))
            report.differences.push_back(
                {.kind = Kind::missing_folder, .item = {.folder = folder}});
    }
    match(source.items, target.items, std::less<>{},
          [&](const auto&, const auto&) { ++report.same; });
    match(
        source.items, target.items,
        [](const Item& left, const Item& right) {
        return std::tie(left.folder, left.id, left.bytes)
               < std::tie(right.folder, right.id, right.bytes);
        },
        [&](const Item& left, const Item& right) {
        report.differences.push_back({Kind::other_flags, left, right.flags});
    });
    // Two messages without a Message-ID and with other sizes are two messages.
    const auto key = [&](const Item& item) {
        return std::tuple{item.folder, item.id, item.id.empty() ? item.bytes : 0};
    };
    match(
        source.items, target.items,
        [&](const Item& left, const Item& right) { return key(left) < key(right); },
        [&](const Item& left, const Item& right) {
        report.differences.push_back({Kind::other_size, left, std::to_string(right.bytes)});
        });
    for (auto& item : source.items)
        report.differences.push_back({.kind = Kind::missing, .item = std::move(item)});
    for (auto& item : target.items)
        report.differences.push_back({.kind = Kind::extra, .item = std::move(item)});
    return report;
}

}  // namespace verification
