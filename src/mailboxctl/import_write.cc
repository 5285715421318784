#include "mailboxctl/import_write.h"

#include <algorithm>
#include <map>
#include <utility>

#include "db/accounts.h"
#include "db/aliases.h"
#include "db/bulk.h"
#include "db/domain_names.h"
#include "db/lifecycle.h"
#include "db/transaction.h"
#include "mail/api_key.h"
#include "mail/password.h"

namespace import_write {

using import_check::Checker;
using import_check::Mailbox;
using import_check::Verdict;
using import_row::Kind;
using import_row::Read;

namespace {

// Another program added one of the mailboxes, used the last place or removed the domain since the
// rows were checked.
struct Overtaken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

constexpr int kAttempts = 5;

}  // namespace

struct Writer::Chunk {
    std::vector<Mailbox> mailboxes;
    std::map<std::int64_t, std::string>
        hashes;  // of plain passwords, by line; kept for a repetition
    std::vector<Adoptable> adoptable;
};

void Writer::in_transaction(const std::function<void()>& work)
{
    if (options_.within == audit::Within::transaction_of_caller) {
        db::Savepoint savepoint{connection_};
        work();
        savepoint.keep();
        return;
    }
    db::in_transaction(connection_, work);
}

// --- mailboxes ------------------------------------------------------------------------

// Most rows were new when they were checked, and still are.
void Writer::mailboxes(const std::vector<Read>& rows, std::vector<import_check::Parsed> parsed)
{
    Chunk chunk;
    checker_.set_next_look(Checker::NextLook::trusts);
    for (int attempt = 1;; ++attempt) {
        chunk.mailboxes = checker_.mailboxes(rows, std::exchange(parsed, {}));
        // The report has these rows already.
        std::erase_if(chunk.mailboxes,
                      [&](const Mailbox& each) { return report_.is_bad(each.line); });
        hash_passwords(chunk);
        try {
            write(chunk);
            break;
        } catch (const Overtaken&) {
            if (attempt == kAttempts) throw;
        } catch (const db::DuplicateKey&) {
            if (attempt == kAttempts) throw;
        }
        look_again(chunk);
    }
    report_bad(rows, chunk);
    if (!options_.adopt) return;
    for (const auto& each : chunk.adoptable) options_.adopt(each);
}

// Called after another program has added one of the mailboxes. The passwords that were made are
// dropped, because those of the other program's mailboxes would be wrong.
void Writer::look_again(Chunk& chunk)
{
    checker_.set_next_look(Checker::NextLook::asks_again);
    checker_.refresh();
    if (options_.passwords == nullptr) return;
    options_.passwords->forget();
    for (const auto& each : chunk.mailboxes) {
        if (each.wanted && each.wanted->password.empty()) chunk.hashes.erase(each.line);
    }
}

void Writer::report_bad(const std::vector<Read>& rows, const Chunk& chunk)
{
    for (const auto& mailbox : chunk.mailboxes) {
        if (mailbox.verdict != Verdict::bad) continue;
        const auto read = std::find_if(rows.begin(), rows.end(), [&](const Read& each) {
            return each.row.line == mailbox.line;
        });
        report_.bad(Kind::mailbox, *read, mailbox.problem);
    }
}

// Hashes the passwords before anything is locked, because that takes longer than all the rest.
void Writer::hash_passwords(Chunk& chunk)
{
    std::vector<std::pair<std::string, std::string*>> plain;
    for (const auto& mailbox : chunk.mailboxes) {
        const bool is_written = mailbox.verdict == Verdict::is_new
                                || (mailbox.verdict == Verdict::different && options_.updates
                                    && mailbox.has_other_password);
        if (!is_written || !mailbox.wanted->hash.empty() || chunk.hashes.contains(mailbox.line))
            continue;
        auto text = mailbox.wanted->password;
        if (text.empty()) {
            if (options_.passwords == nullptr || mailbox.verdict != Verdict::is_new) continue;
            text = options_.passwords->make(mailbox.wanted->address, checker_.config());
        }
        plain.emplace_back(std::move(text), &chunk.hashes[mailbox.line]);
    }
    import_passwords::in_parallel(plain.size(), [&](std::size_t i) {
        *plain[i].second = password::hash(plain[i].first, checker_.config());
    });
}

void Writer::write(Chunk& chunk)
{
    const auto is_written = [&](const Mailbox& each) {
        return each.verdict == Verdict::is_new
               || (each.verdict == Verdict::different && options_.updates);
    };
    chunk.adoptable.clear();
    for (const auto& each : chunk.mailboxes) {
        if (each.existing && !each.wanted->maildir.empty())
            chunk.adoptable.push_back(
                {each.wanted->address.ascii(), each.existing->storage_id, each.wanted->maildir});
    }
    if (std::none_of(chunk.mailboxes.begin(), chunk.mailboxes.end(), is_written)) return;
    const auto known = chunk.adoptable.size();
    in_transaction([&] {
        chunk.adoptable.resize(known);
        add(chunk);
        update(chunk);
        if (options_.passwords != nullptr) options_.passwords->write();
    });
    written_ += std::count_if(chunk.mailboxes.begin(), chunk.mailboxes.end(), is_written);
    for (const auto& each : chunk.mailboxes) {
        if (each.verdict == Verdict::is_new && !each.place->found)
            each.place->found = bulk::find_domain(connection_, each.place->name);
    }
}

void Writer::add_domain(const std::string& name)
{
    const auto domain = mailbox::Domain::parse(name);
    admin::Admin{connection_, audit::Within::transaction_of_caller}.add_domain(
        domain.value(), checker_.account().id, {});
}

void Writer::add(Chunk& chunk)
{
    std::map<std::string, std::vector<Mailbox*>> by_domain;
    for (auto& each : chunk.mailboxes) {
        if (each.verdict == Verdict::is_new) by_domain[each.place->name].push_back(&each);
    }
    // All domains are locked before anything else, in one order.
    std::map<std::int64_t, std::pair<std::string, const std::vector<Mailbox*>*>> by_id;
    for (const auto& [name, mailboxes] : by_domain) {
        const auto& found = mailboxes.front()->place->found;
        if (!found) add_domain(name);
        by_id[found ? found->id : bulk::find_domain(connection_, name).value().id] = {name,
                                                                                      &mailboxes};
    }
    if (by_id.size() > 1) {
        for (const auto& [id, mailboxes] : by_id) store::lock_domain(connection_, id);
    }
    const audit::Id audit;
    std::size_t number = 0;
    // The ids of one transaction begin alike, so their keys are in a few pages of the index. With a
    // million mailboxes the index no longer fits into the server's memory, and each key would be in
    // a page of its own. 112 random bits are left for each of them.
    constexpr std::size_t kBytesOfId = 16, kBytesInCommon = 2;
    constexpr auto kDigits = 2 * (kBytesOfId - kBytesInCommon);
    const auto beginning = api_key::random_hex(kBytesInCommon);
    for (const auto& [id, domain] : by_id) {
        const auto& [name, mailboxes] = domain;
        std::vector<bulk::NewMailbox> added;
        const auto random = api_key::random_hex((kBytesOfId - kBytesInCommon) * mailboxes->size());
        for (auto* const each : *mailboxes) {
            const auto& wanted = *each->wanted;
            added.push_back({wanted.address.local_part(),
                             wanted.hash.empty() ? chunk.hashes.at(each->line) : wanted.hash,
                             wanted.quota.value_or(store::Quota{}),
                             wanted.state.value_or(mailbox::State::active), wanted.created_at,
                             beginning + random.substr(kDigits * added.size(), kDigits)});
            if (!wanted.maildir.empty())
                chunk.adoptable.push_back(
                    {wanted.address.ascii(), added.back().storage_id, wanted.maildir});
        }
        const auto done = bulk::add(connection_, id, name, std::move(added), audit, number);
        if (done.outcome != store::Created::Outcome::yes) throw Overtaken(store::sentence(done));
    }
}

void Writer::update(Chunk& chunk)
{
    if (!options_.updates) return;
    life::Changes changes{connection_, audit::Within::transaction_of_caller};
    for (const auto& each : chunk.mailboxes) {
        if (each.verdict != Verdict::different) continue;
        const auto& wanted = *each.wanted;
        store::MailboxSettings settings;
        if (each.has_other_password)
            settings.password_hash = wanted.hash.empty() ? chunk.hashes.at(each.line) : wanted.hash;
        if (wanted.quota && *wanted.quota != each.existing->quota_bytes)
            settings.quota_bytes = wanted.quota;
        if (wanted.state && *wanted.state != each.existing->state) settings.state = wanted.state;
        try {
            changes.change(each.place->found->id, wanted.address, settings);
        } catch (const admin::Refused& refused) {
            throw Overtaken(refused.what());
        }
    }
}

// --- aliases --------------------------------------------------------------------------

// New aliases that cannot be part of a chain. They are collected here and written together, which
// takes far fewer statements than writing them one by one.
struct Writer::Groups {
    struct Group {
        const bulk::Domain* domain = nullptr;
        std::vector<bulk::NewAlias> aliases;
        std::vector<std::pair<const Read*, import_check::Alias>> checked;
    };
    std::map<std::int64_t, Group> by_domain;
};

bool Writer::is_done(const Read& read) const
{
    const auto line = static_cast<std::size_t>(read.row.line);
    return read.problem || report_.is_bad(read.row.line)
           || (read.row.kind == Kind::mailbox && read.row.aliases.empty())
           || (line < done_lines_.size() && done_lines_[line]);
}

Writer::Aliases Writer::aliases(const std::vector<Read>& rows, Round round)
{
    Aliases done;
    if (std::all_of(rows.begin(), rows.end(), [&](const Read& each) { return is_done(each); }))
        return done;
    in_transaction([&] {
        done = {};
        write_aliases(rows, round, done);
    });
    written_ += done.written;
    note_done(rows, done);
    return done;
}

void Writer::note_done(const std::vector<Read>& rows, const Aliases& done)
{
    for (const auto& read : rows) {
        const auto line = static_cast<std::size_t>(read.row.line);
        if (read.problem || done.lines.contains(read.row.line)) continue;
        if (line >= done_lines_.size())
            done_lines_.resize(std::max(line + 1, done_lines_.size() * 2));
        done_lines_[line] = true;
    }
}

void Writer::write_aliases(const std::vector<Read>& rows, Round round, Aliases& done)
{
    checker_.look_up(rows, [&](const std::set<std::int64_t>& domain_ids) {
        if (!domain_ids.empty()) bulk::lock_aliases(connection_, domain_ids, checker_.account().id);
    });
    Groups groups;
    for (const auto& read : rows) {
        if (is_done(read)) continue;
        if (read.row.kind == Kind::alias_domain) write_alias_domain(read, done);
        for (auto& alias : checker_.aliases(read.row)) {
            if (auto made = checker_.unchained(alias)) {
                auto& group = groups.by_domain[alias.place->found->id];
                group.domain = &*alias.place->found;
                group.aliases.push_back(*std::move(made));
                group.checked.emplace_back(&read, std::move(alias));
                continue;
            }
            // The order of the file is the order of the list.
            if (alias.verdict != Verdict::same) write_groups(groups, round, done);
            write_alias(read, alias, round, done);
        }
    }
    write_groups(groups, round, done);
}

void Writer::write_groups(Groups& groups, Round round, Aliases& done)
{
    for (const auto& [id, group] : groups.by_domain) {
        const bool is_written = write_group(*group.domain, group.aliases);
        for (const auto& [read, alias] : group.checked) {
            if (!is_written) write_alias(*read, alias, round, done);
            else {
                ++done.written;
                checker_.note_alias(alias);
            }
        }
    }
    groups.by_domain.clear();
}

// Returns false if one of them is refused. Writing them one by one then shows which one it is.
bool Writer::write_group(const bulk::Domain& domain, const std::vector<bulk::NewAlias>& aliases)
{
    db::Savepoint savepoint{connection_};
    try {
        if (!bulk::add_aliases(connection_, domain, checker_.account().id, aliases, audit::Id{}))
            return false;
        savepoint.keep();
        return true;
    } catch (const db::DuplicateKey&) {
        return false;
    }
}

void Writer::write_alias_domain(const Read& read, Aliases& done)
{
    const auto checked = checker_.alias_domain(read.row);
    if (checked.verdict == Verdict::bad)
        return report_.bad(Kind::alias_domain, read, checked.problem);
    const bool is_changed = checked.verdict == Verdict::different && options_.updates;
    if (checked.verdict != Verdict::is_new && !is_changed) return;
    db::Savepoint savepoint{connection_};
    try {
        const auto& [name, domain] = *checked.wanted;
        if (!bulk::find_domain(connection_, domain.name())) add_domain(domain.name());
        if (is_changed)
            domain_names::remove(connection_, name, audit::Within::transaction_of_caller);
        domain_names::add(connection_, name, domain, audit::Within::transaction_of_caller);
        savepoint.keep();
        ++done.written;
    } catch (const admin::Refused& refused) {
        report_.bad(Kind::alias_domain, read, {read.row.line, "address", refused.sentence});
    }
}

void Writer::write_alias(const Read& read, const import_check::Alias& alias, Round round,
                         Aliases& done)
{
    if (alias.verdict == Verdict::bad) return report_.bad(Kind::alias, read, alias.problem);
    const bool is_changed = alias.verdict == Verdict::different && options_.updates;
    if (alias.verdict != Verdict::is_new && !is_changed) return;
    alias::Settings settings;
    settings.expression = alias::expression_of(alias.wanted->pattern);
    settings.actions = alias.wanted->actions();
    if (!alias.wanted->description.empty()) settings.description = alias.wanted->description;
    const alias::Caller caller{.whose = {checker_.account().id, 0}, .is_operator = true};
    db::Savepoint savepoint{connection_};
    try {
        if (alias.place != nullptr && !alias.place->found
            && !bulk::find_domain(connection_, alias.place->name))
            add_domain(alias.place->name);
        alias::Changes changes{connection_, audit::Within::transaction_of_caller};
        if (is_changed) changes.change(caller, *alias.existing, settings);
        else changes.add(caller, settings);
        savepoint.keep();
        ++done.written;
        checker_.note_alias(alias);
    } catch (const admin::Refused& refused) {
        if (refused.code == "bad_target" && round == Round::may_wait) {
            ++done.waiting;
            done.lines.insert(read.row.line);
            return;
        }
        report_.bad(Kind::alias, read, {read.row.line, "targets", refused.sentence});
    }
}

}  // namespace import_write
