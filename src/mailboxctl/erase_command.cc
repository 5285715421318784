#include "mailboxctl/erase_command.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/domain_names.h"
#include "db/session.h"
#include "mailboxctl/erasure.h"

namespace erase_command {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::json_option;
using command::Prints;
using strings::for_shell;

po::options_description erase_options()
{
    auto options = json_option();
    options.add_options()("yes", "erase it; it cannot be restored")(
        "deleted",
        "erase only what is deleted already, such as a former customer's; the present mailbox or domain is not touched");
    return options;
}

erasure::Target target_of(const Call& call)
{
    const auto& text = call.arguments[0];
    erasure::Target target{.domain = "", .is_deleted_only = call.has("deleted")};
    if (text.find('@') == std::string::npos) {
        target.domain = call.domain(text).name();
    } else {
        const auto address = call.address(text);
        target.domain = address.domain();
        target.local_part = address.local_part();
    }
    return target;
}

// An alias domain has no mailboxes of its own.
void refuse_alias_domain(const Call& call, const erasure::Target& target)
{
    auto connection = call.connect();
    const auto domain = domain_names::stands_for(connection, target.domain);
    if (domain.empty()) return;
    throw admin::Refused(target.domain + " is an alias domain of " + domain + ": erase "
                         + (target.local_part.empty() ? domain : target.local_part + "@" + domain)
                         + ", or remove the name with mailboxctl domain alias remove "
                         + target.domain);
}

// Returns what the command cannot reach, with commands that find it. Logs name a mailbox by its
// address, by its storage id, and in requests of the API by its path.
std::string not_reached(const erasure::Target& target, const std::vector<std::string>& storage_ids)
{
    std::string patterns = " -e " + for_shell(erasure::pattern(target));
    if (!target.local_part.empty()) {
        for (const auto& id : storage_ids) patterns += " -e " + id;
    }
    return "Not reached:\n"
           "  mail in Postfix's queue. Mail to it bounces with the next attempt; mail from it is sent.\n"
           "    postqueue -j | grep -iE"
           + patterns
           + "\n"
             "    shows it with its queue_id; postsuper -d QUEUE_ID deletes it.\n"
             "  logs of mailboxd, nginx, Postfix and Dovecot, until they are rotated away. This finds the files that name it, also in\n"
             "  upper case, percent-encoded or compressed:\n"
             "    find /var/log -type f -exec zgrep -liE"
           + patterns
           + " {} +\n"
             "  the database's redo log, until it is overwritten, and its binary logs, if it has any:\n"
             "    PURGE BINARY LOGS BEFORE NOW() once no replica needs them.\n"
             "  backups, until they expire. After restoring one, run this command again.\n"
             "  data of others: mail in their mailboxes, labels of keys, names of accounts.\n";
}

int erase_command(const Call& call)
{
    const auto target = target_of(call);
    refuse_alias_domain(call, target);
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // a domain may have a million mailboxes
    db::Session session{patient.ctl_db, patient.ctl_db.password(), patient, migrate::expect_same};
    erasure::Erasure erasure{session, target};
    const auto rows = erasure.rows();
    const bool is_known =
        std::any_of(rows.begin(), rows.end(), [](const auto& table) { return table.second > 0; });
    if (!is_known) throw admin::Refused("nothing is known about " + target.text());
    if (!call.has("yes")) {
        std::vector<std::string> counts;
        for (const auto& [table, count] : rows) {
            if (count > 0) counts.push_back(std::to_string(count) + " in " + table);
        }
        const auto account = erasure.account();
        const auto whose = account.empty() ? "the domain no longer exists"
                                           : "the domain belongs to the account " + account;
        throw admin::Refused(
            target.text() + " has these rows: " + strings::joined(counts, ", ") + "; " + whose
                + "; nothing was erased. To erase them and all mail for good, add --yes"
                + (target.is_deleted_only
                       ? "."
                       : "; to erase only what is in deleted_mailbox, add --deleted, too."),
            admin::Refused::Outcome::said);
    }
    const auto done = erasure::erase(erasure, session, patient);
    json::Members members{{"erased", target.text()},
                          {"sessions_ended", done.sessions_ended},
                          {"files", done.mail.files},
                          {"bytes", done.mail.bytes}};
    members.insert(members.end(), rows.begin(), rows.end());
    members.emplace_back("left_to_the_janitor",
                         done.left.empty() ? json::Value{} : json::Value{done.left});
    command::show(call, members);
    if (!call.has("json")) std::cout << '\n' << not_reached(target, done.storage_ids);
    return done.left.empty() ? 0 : command::kFailed;
}

}  // namespace

command::Command command()
{
    return {
        "erase",
        {"ADDRESS|DOMAIN"},
        "erase everything known about an address or a domain, at once and for good",
        "For an address: its mailbox and the deleted mailboxes that had it, with their mail. For a domain: the domain, all its\n"
        "mailboxes, living and deleted, and the keys for this domain alone; the account stays. Audit entries stay, with (erased)\n"
        "in place of names and IP addresses. Prints how many rows of which table and how much mail it erased, and what it cannot\n"
        "reach. Requires the settings of the janitor; run it as root. If the mail or Dovecot cannot be reached, it leaves that\n"
        "to the janitor, says so, and exits with status 1. It can be repeated after an interruption.",
        erase_options,
        erase_command,
        Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace erase_command
