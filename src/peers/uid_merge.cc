#include "peers/uid_merge.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace uid_merge {
namespace {

using uidlist::List;
using uidlist::Record;
using ByBase = std::map<std::string, Record>;

// True if the target's UIDs are the source's, because it was taken over before. UIDVALIDITY alone
// does not tell: Dovecot takes the time for it, so two folders that were made in one second have
// the same.
bool is_same_folder(const List& source, const List& target)
{
    return source.validity == target.validity
           && (source.guid.empty() || target.guid.empty() || source.guid == target.guid);
}

ByBase by_base(const std::optional<List>& list)
{
    ByBase found;
    if (!list) return found;
    for (const auto& record : list->records) found.emplace(record.base, record);
    return found;
}

struct Merger {
    explicit Merger(const Wanted& its_wanted)
        : wanted{its_wanted}, source{by_base(wanted.source)}, target{by_base(wanted.target)}
    {
    }

    // Appends a record, with the UIDL of the old server if ours would be another one.
    void add(List& list, std::uint32_t uid, const std::string& base)
    {
        const auto from_target = target.find(base);
        const auto from_source = source.find(base);
        Record record{.uid = uid, .base = base};
        if (from_target != target.end()) record.extensions = from_target->second.extensions;
        else if (from_source != source.end()) record.extensions = from_source->second.extensions;
        if (from_source != source.end() && wanted.uidl) {
            std::erase_if(record.extensions,
                          [](const std::string& each) { return each.starts_with('P'); });
            const auto uidl = wanted.uidl(from_source->second);
            if (uidl != uidlist::uidl(uidlist::kUidlFormat, uid, list.validity, base))
                record.extensions.push_back("P" + uidl);
        }
        list.records.push_back(std::move(record));
        list.next = std::max(list.next, uid + 1);
    }

    // Returns the messages without a UID of the source, in the order in which they came.
    std::vector<std::string> in_order(const std::set<std::string>& bases, const ByBase& known) const
    {
        std::vector<std::pair<std::uint32_t, std::string>> all;
        for (const auto& base : bases) {
            const auto found = known.find(base);
            all.emplace_back(found == known.end() ? std::numeric_limits<std::uint32_t>::max()
                                                  : found->second.uid,
                             base);
        }
        std::sort(all.begin(), all.end());
        std::vector<std::string> names;
        for (auto& [uid, base] : all) names.push_back(std::move(base));
        return names;
    }

    // The source's UIDs; what else the folder has comes behind them.
    List rebuilt()
    {
        auto rest = wanted.present;
        rest.insert(wanted.added.begin(), wanted.added.end());
        List list{.validity = wanted.source->validity,
                  .next = wanted.source->next,
                  .guid = wanted.source->guid};
        for (const auto& record : wanted.source->records) {
            if (rest.erase(record.base) > 0) add(list, record.uid, record.base);
        }
        const bool is_same = wanted.target && is_same_folder(*wanted.source, *wanted.target);
        for (const auto& base : in_order(rest, target)) {
            const auto found = target.find(base);
            const bool stays = is_same && found != target.end() && found->second.uid >= list.next;
            add(list, stays ? found->second.uid : list.next, base);
        }
        return list;
    }

    // The target's UIDs; new messages get the source's if these are free, otherwise new ones.
    List extended()
    {
        auto list = *wanted.target;
        std::set<std::uint32_t> taken;
        for (const auto& record : list.records) taken.insert(record.uid);
        auto rest = wanted.added;
        for (const auto& [base, record] : target) rest.erase(base);
        if (wanted.source && is_same_folder(*wanted.source, list)) {
            for (const auto& record : wanted.source->records) {
                if (taken.contains(record.uid) || rest.erase(record.base) == 0) continue;
                add(list, record.uid, record.base);
            }
        }
        for (const auto& base : in_order(rest, source)) add(list, list.next, base);
        std::sort(list.records.begin(), list.records.end(),
                  [](const Record& left, const Record& right) { return left.uid < right.uid; });
        return list;
    }

    bool is_index_stale(const List& list) const
    {
        // After a change of UIDVALIDITY, Dovecot starts its index anew by itself.
        if (!wanted.target || wanted.target->validity != list.validity) return false;
        return std::any_of(list.records.begin(), list.records.end(), [&](const Record& record) {
            const auto before = target.find(record.base);
            const bool was_there = before != target.end() && !wanted.added.contains(record.base);
            return was_there ? record.uid != before->second.uid : record.uid < wanted.target->next;
        });
    }

    Uids outcome(const List& list) const
    {
        if (!wanted.source) return Uids::made;
        const bool is_kept =
            wanted.source->validity == list.validity
            && std::all_of(list.records.begin(), list.records.end(), [&](const Record& record) {
                   const auto before = source.find(record.base);
                   return before == source.end() || before->second.uid == record.uid;
               });
        return is_kept ? Uids::kept : Uids::appended;
    }

    const Wanted& wanted;
    ByBase source;
    ByBase target;
};

}  // namespace

Merged merged(const Wanted& wanted)
{
    Merger merger{wanted};
    const bool is_empty =
        !wanted.target || (wanted.target->records.empty() && wanted.present.empty());
    if (!wanted.source && !wanted.target) return {.list = std::nullopt, .uids = Uids::made};
    Merged result;
    result.list =
        wanted.source && (is_empty || !wanted.was_used) ? merger.rebuilt() : merger.extended();
    result.is_index_stale = merger.is_index_stale(*result.list);
    result.uids = merger.outcome(*result.list);
    return result;
}

}  // namespace uid_merge
