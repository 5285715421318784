#include "mailboxctl/export.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "db/aliases.h"
#include "db/bulk.h"
#include "db/domain_names.h"
#include "mailboxctl/import_csv.h"
#include "mailboxctl/import_json.h"
#include "mailboxctl/import_row.h"

namespace exporting {
namespace {

using import_row::Kind;
using import_row::Row;

// Writes rows in the chosen form. The columns that an export never has are left out of the CSV.
class Lines {
public:
    Lines(const What& what, const std::function<void(const std::string&)>& write)
        : what_{what}, write_{write}
    {
        if (what.as_json) return;
        std::vector<std::string> names;
        for (const auto& [name, member] : import_csv::columns()) {
            if (is_written(member)) names.emplace_back(name);
        }
        write_(import_csv::line_of(names) + "\n");
    }

    void add(const Row& row)
    {
        ++count_;
        if (what_.as_json) return write_(import_json::line_of(row));
        std::vector<std::string> values;
        for (const auto& [name, member] : import_csv::columns()) {
            if (is_written(member)) values.push_back(row.*member);
        }
        write_(import_csv::line_of(values) + "\n");
    }
    std::int64_t count() const { return count_; }

private:
    bool is_written(std::string Row::*member) const
    {
        if (member == &Row::hash) return what_.has_hashes;
        return member != &Row::password && member != &Row::aliases && member != &Row::maildir;
    }

    const What& what_;
    const std::function<void(const std::string&)>& write_;
    std::int64_t count_ = 0;
};

void add_mailboxes(db::Connection& connection, std::int64_t domain_id, const std::string& domain,
                   const What& what, Lines& lines)
{
    for (std::int64_t last = 0;;) {
        const auto page = bulk::exported(connection, domain_id, last);
        for (const auto& each : page) {
            Row row{.address = each.local_part + "@" + domain};
            if (what.has_hashes) row.hash = each.hash;
            row.quota = !each.quota_bytes                      ? "default"
                        : *each.quota_bytes == store::kNoQuota ? "none"
                                                               : std::to_string(*each.quota_bytes);
            row.state = mailbox::text(each.state);
            row.created_at = admin::time_text(each.created_at);
            lines.add(row);
        }
        if (page.empty()) return;
        last = page.back().id;
    }
}

void add_aliases(db::Connection& connection, const store::Whose& whose, Lines& lines)
{
    constexpr std::int64_t kAtOnce = 1000;
    for (store::Page wanted{kAtOnce, 0};; wanted.skip += kAtOnce) {
        const auto page = alias::page(connection, whose, wanted);
        for (const auto& each : page.items) {
            Row row{.kind = Kind::alias};
            row.address = each.local_part + "@" + (each.domain_id == 0 ? "*" : each.domain);
            std::vector<std::string> targets;
            for (const auto& target : alias::targets(connection, each.number)) {
                if (target.is_there) targets.push_back(target.address);
            }
            if (targets.empty()) continue;  // it leads nowhere
            row.targets = strings::joined(targets, " ");
            row.stop = alias::has_stop(each.actions) ? "yes" : "";
            row.description = each.description;
            std::replace_if(
                row.description.begin(), row.description.end(),
                [](char c) { return c >= '\0' && c < ' '; }, ' ');
            lines.add(row);
        }
        if (std::ssize(page.items) < kAtOnce) return;
    }
}

}  // namespace

std::int64_t write(db::Connection& connection, const What& what,
                   const std::function<void(const std::string&)>& write)
{
    Lines lines{what, write};
    const auto domains = what.domain.empty() ? bulk::domains(connection, what.account)
                                             : std::vector<std::string>{what.domain};
    admin::Admin admin{connection};
    for (const auto& name : domains)
        add_mailboxes(connection, admin.domain_id(name), name, what, lines);
    for (const auto& name : domains) {
        for (const auto& each : domain_names::all(connection, name))
            lines.add({.kind = Kind::alias_domain, .address = each.name, .targets = each.domain});
    }
    store::Whose whose;
    if (!what.account.empty()) whose.account_id = admin.account_id(what.account);
    if (!what.domain.empty()) whose.domain_id = admin.domain_id(what.domain);
    add_aliases(connection, whose, lines);
    return lines.count();
}

}  // namespace exporting
