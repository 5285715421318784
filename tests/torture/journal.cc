#include "torture/journal.h"

#include <algorithm>
#include <utility>

namespace journal {
namespace {

using plan::Action;

int& count_of(Counts& counts, Action action)
{
    return action == Action::create   ? counts.created
           : action == Action::change ? counts.changed
                                      : counts.deleted;
}

bool sets_password(Action action)
{
    return action == Action::create || action == Action::change;
}

std::string state(const std::optional<std::string>& password)
{
    return password ? "there with '" + *password + "'" : "absent";
}

bool is_so(const std::optional<std::string>& password, const Found& found)
{
    return password.has_value() == found.has_value() && (!found || (*found)(*password));
}

}  // namespace

Meaning meaning(int status, std::string_view code)
{
    if (status == 200) return Meaning::done;
    if (status == 409 && code == "mailbox_exists") return Meaning::exists;
    if (status == 404 && code == "mailbox_not_found") return Meaning::absent;
    if (status == 503 && code == "unavailable") return Meaning::untouched;
    if (status == 503 && code == "not_finished") return Meaning::unknown;
    if (status == 0 || ((status == 502 || status == 504) && code == "no_answer"))
        return Meaning::unknown;
    return Meaning::wrong;
}

std::string text(const Counts& counts)
{
    return std::to_string(counts.created) + " created, " + std::to_string(counts.changed)
           + " changed, " + std::to_string(counts.deleted) + " deleted";
}

Journal::Journal(const std::vector<std::string>& names)
{
    for (const auto& name : names) records_[name];
}

bool Journal::is_certain(const std::vector<std::string>& names) const
{
    return std::all_of(names.begin(), names.end(), [&](const auto& name) {
        const auto& record = records_.at(name);
        return !record.doubt && !record.is_breached;
    });
}

void Journal::carry_out(Record& record, Action action, std::optional<std::string> after)
{
    ++count_of(record.done, action);
    if (record.password) record.former = *record.password;
    record.generation = action == Action::change ? record.generation + 1 : 1;
    if (action != Action::change) record.mails.clear();
    record.password = std::move(after);
}

std::string Journal::note(const plan::Step& step, Meaning meaning, const std::string& label)
{
    const auto is_there = [&](const auto& name) { return records_.at(name).password.has_value(); };
    if (step.action == Action::mail) {
        if (meaning == Meaning::done) records_.at(step.names.front()).mails.push_back(label);
        return "";
    }
    const bool is_creation = step.action == Action::create;
    // which no other mailbox can prevent
    const bool is_for_all = step.action == Action::remove_all;
    const bool is_in_the_way = is_creation
                                   ? std::any_of(step.names.begin(), step.names.end(), is_there)
                                   : !is_for_all && !is_there(step.names.front());
    const bool is_said_in_the_way = meaning == (is_creation ? Meaning::exists : Meaning::absent);
    const bool is_possible = meaning == Meaning::done
                                 ? !is_in_the_way
                                 : meaning == Meaning::untouched || meaning == Meaning::unknown
                                       || (is_said_in_the_way && is_in_the_way);
    std::string breach;
    for (std::size_t i = 0; i < step.names.size(); ++i) {
        auto& record = records_.at(step.names[i]);
        if (!is_possible) {
            breach += "; " + step.names[i] + " was " + state(record.password) + " by "
                      + (record.label.empty() ? "nobody" : record.label);
            record.is_breached = true;
            continue;
        }
        if (is_for_all && !record.password) continue;
        const auto after =
            sets_password(step.action) ? std::optional{plan::password_of(step, i)} : std::nullopt;
        if (meaning == Meaning::done) {
            carry_out(record, step.action, after);
            record.label = label;
        } else if (meaning == Meaning::unknown) {
            record.doubt = {label, step.action, is_in_the_way ? record.password : after};
        }
    }
    return breach.empty() ? "" : label + breach;
}

std::string Journal::compare_with_list(const std::set<std::string>& listed) const
{
    for (const auto& [name, record] : records_) {
        if (record.doubt || record.is_breached
            || listed.contains(name) == record.password.has_value())
            continue;
        return name + (listed.contains(name) ? " is listed" : " is not listed") + ", but it is "
               + state(record.password) + " by " + (record.label.empty() ? "nobody" : record.label);
    }
    return "";
}

std::vector<std::string> Journal::settle(const std::map<std::string, Found>& found)
{
    std::vector<std::string> breaches;
    // by step: all its changes were made, or none
    std::map<std::string, std::set<bool>> carried_out;
    for (auto& [name, record] : records_) {
        if (record.is_breached) continue;
        const auto at = found.find(name);
        const auto is = at == found.end() ? Found{} : at->second;
        const auto doubt = std::exchange(record.doubt, std::nullopt);
        const bool is_as_before = is_so(record.password, is);
        const bool is_as_after = doubt && is_so(doubt->after, is);
        if (!is_as_before && !is_as_after) {
            breaches.push_back(name + " is " + (is ? "there, and not with that password" : "absent")
                               + ", but it was " + state(record.password) + " by "
                               + (record.label.empty() ? "nobody" : record.label)
                               + (doubt ? ", or " + state(doubt->after) + " by " + doubt->label
                                              + ", which was not answered"
                                        : ""));
            record.is_breached = true;
        } else if (doubt && record.password != doubt->after) {
            carried_out[doubt->label].insert(is_as_after);
            if (is_as_after) {
                carry_out(record, doubt->action, doubt->after);
                record.label = doubt->label;
            }
        }
    }
    for (const auto& [label, parts] : carried_out) {
        if (parts.size() > 1)
            breaches.push_back(label + " was not answered, and a part of it was carried out");
    }
    return breaches;
}

std::size_t Journal::in_doubt() const
{
    return static_cast<std::size_t>(
        std::count_if(records_.begin(), records_.end(),
                      [](const auto& each) { return each.second.doubt.has_value(); }));
}

void Contest::note(std::size_t client, const plan::Step& step, Meaning meaning)
{
    const std::lock_guard lock{one_at_a_time_};
    auto& record = records_[step.names.front()];
    if (meaning == Meaning::done) {
        ++count_of(record.done, step.action);
        if (sets_password(step.action)) record.last[client] = step.password;
    } else if (meaning == Meaning::unknown) {
        ++count_of(record.unknown, step.action);
        if (sets_password(step.action)) record.doubtful.insert(step.password);
    }
}

std::string Contest::settle(const std::string& name, const Counts& counted, const Found& found)
{
    const std::lock_guard lock{one_at_a_time_};
    auto& record = records_[name];
    const auto done = std::exchange(record.done, counted);
    const auto unknown = std::exchange(record.unknown, {});
    const auto passwords = std::exchange(record.last, {});
    const auto doubtful = std::exchange(record.doubtful, {});
    const auto is_within = [](int is, int least, int more) {
        return least <= is && is <= least + more;
    };
    if (!is_within(counted.created, done.created, unknown.created)
        || !is_within(counted.changed, done.changed, unknown.changed)
        || !is_within(counted.deleted, done.deleted, unknown.deleted)) {
        return name + ": " + text(counted) + " by the audit log, " + text(done)
               + " by the answers, and not answered: " + text(unknown);
    }
    const int there = found ? 1 : 0;
    if (counted.created - counted.deleted != there) {
        return name + ": " + text(counted) + " by the audit log, but there "
               + (found ? "is one" : "is none");
    }
    if (!found) return "";
    for (const auto& [client, password] : passwords) {
        if ((*found)(password)) return record.last[kSettled] = password, "";
    }
    for (const auto& password : doubtful) {
        if ((*found)(password)) return record.last[kSettled] = password, "";
    }
    return name
           + " is there, and with no password that anybody was told, or not answered, to have set last";
}

}  // namespace journal
