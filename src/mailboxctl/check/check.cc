#include "mailboxctl/check/check.h"

#include <array>
#include <exception>
#include <iomanip>
#include <set>
#include <stdexcept>
#include <string>

#include "base/check_result.h"
#include "mailboxctl/check/certificates.h"
#include "mailboxctl/check/cluster.h"
#include "mailboxctl/check/consistency.h"
#include "mailboxctl/check/database.h"
#include "mailboxctl/check/database_user.h"
#include "mailboxctl/check/dovecot_logins.h"
#include "mailboxctl/check/forwarding.h"
#include "mailboxctl/check/item.h"
#include "mailboxctl/check/mail_store.h"
#include "mailboxctl/check/postfix_tables.h"
#include "mailboxctl/check/secret_files.h"
#include "mailboxctl/check/service.h"
#include "mailboxctl/check/sockets.h"
#include "mailboxctl/check/triggers.h"
#include "mailboxctl/check/versions.h"

namespace check {
namespace {

// The configuration, and the database users of our own programs.
struct Installation {
    explicit Installation(const Config& of)
        : config{of}, service{of.db, of}, ctl{of.ctl_db, of}, janitor{of.janitor_db, of}
    {
    }
    const Config& config;
    DatabaseUser service, ctl, janitor;
};

Result examine(Item item, Installation& of)
{
    switch (item) {
    case Item::secrets: return secrets(of.config);
    case Item::sockets: return sockets(of.config);
    case Item::service_user: return connection(of.service);
    case Item::ctl_user: return connection(of.ctl);
    case Item::schema: return schema(of.service);
    case Item::server: return server(of.service, of.config);
    case Item::service_rights: return rights(of.service, "mailboxd_api");
    case Item::ctl_rights: return rights(of.ctl, "mailboxd_ctl");
    case Item::dovecot_rights: return dovecot_rights(of.config);
    case Item::postfix_rights: return postfix_rights(of.config);
    case Item::service: return service(of.config);
    case Item::tables: return tables(of.ctl);
    case Item::janitor_user: return connection(of.janitor);
    case Item::janitor_rights: return rights(of.janitor, "mailboxd_janitor");
    case Item::janitor: return janitor(of.ctl);
    case Item::durability: return durability(of.ctl);
    case Item::cluster: return cluster(of.ctl);
    case Item::triggers: return triggers(of.ctl);
    case Item::names: return names(of.ctl);
    case Item::operator_keys: return operator_keys(of.ctl);
    case Item::counters: return counters(of.ctl);
    case Item::aliases: return aliases(of.ctl);
    case Item::ranges: return ranges(of.ctl);
    case Item::sizes: return sizes(of.ctl);
    case Item::hashes: return hashes(of.ctl);
    case Item::dovecot: return dovecot(of.config, of.ctl);
    case Item::postfix: return postfix(of.config, of.ctl);
    case Item::postfix_settings: return postfix_settings(of.config, of.ctl);
    case Item::forwarding: return forwarding(of.config, of.ctl);
    case Item::versions: return versions();
    case Item::kernel: return kernel(of.config);
    case Item::certificates: return certificates(of.config);
    case Item::mail_store: return mail_store(of.config, of.ctl);
    }
    throw std::logic_error("no item");
}

// False for the janitor's items if there is no mail store: then no janitor runs.
bool is_relevant(Item item, const Config& config)
{
    const bool is_of_janitor =
        item == Item::janitor_user || item == Item::janitor_rights || item == Item::janitor;
    return !is_of_janitor || !config.store.empty();
}

// One cause, such as a database that is not there, often prevents many checks. The first of them
// reports it and is wrong, the others are unknown. `reported` holds the causes so far.
Result examine(Item item, Installation& installation, std::set<std::string>& reported)
{
    try {
        return examine(item, installation);
    } catch (const std::exception& error) {
        return reported.insert(error.what()).second ? wrong(error.what())
                                                    : unknown("skipped; see above");
    }
}

}  // namespace

bool run(const Config& config, std::ostream& out)
{
    // The mail store is the last item, because its check gives up root's rights.
    static_assert(kItems.back() == Item::mail_store);
    Installation installation{config};
    bool is_in_order = true;
    std::set<std::string> reported;
    constexpr int kVerdictWidth = 9;
    for (const auto item : kItems) {
        if (!is_relevant(item, config)) continue;
        const auto [verdict, message] = examine(item, installation, reported);
        out << std::left << std::setw(kVerdictWidth) << text(verdict) << name(item)
            << (message.empty() ? "" : ": ") << message << '\n'
            << std::flush;
        is_in_order = is_in_order && verdict != Verdict::wrong;
    }
    return is_in_order;
}

}  // namespace check
