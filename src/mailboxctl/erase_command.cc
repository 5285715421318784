#include "mailboxctl/erase_command.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
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
    options.add_options()("yes", "do it; nothing brings it back")(
        "deleted",
        "only those that are deleted already, such as a former customer's; who has the name now is not touched");
    return options;
}

erasure::What erased_by(const Call& call)
{
    const auto& text = call.arguments[0];
    erasure::What what{.domain = "", .is_deleted_only = call.has("deleted")};
    if (text.find('@') == std::string::npos) {
        what.domain = call.domain(text).name();
    } else {
        const auto address = call.address(text);
        what.domain = address.domain();
        what.local_part = address.local_part();
    }
    return what;
}

// Inside a mailbox is known by its storage id, and in the requests of the API by its path.
std::string not_reached(const erasure::What& what, const std::vector<std::string>& storage_ids)
{
    std::string patterns = " -e " + for_shell(erasure::pattern(what));
    if (!what.local_part.empty()) {
        for (const auto& id : storage_ids) patterns += " -e " + id;
    }
    return "Not reached:\n"
           "  mail that waits in Postfix's queue; what is for it bounces when it is tried next, what is from it goes out.\n"
           "    postqueue -j | grep -iE"
           + patterns
           + "\n"
             "    shows it with its queue_id, and postsuper -d QUEUE_ID removes it.\n"
             "  logs of mailboxd, nginx, Postfix and Dovecot, until they are rotated away: the files that name it, in capitals and\n"
             "  percent-encoded, too, and compressed ones, are found by\n"
             "    find /var/log -type f -exec zgrep -liE"
           + patterns
           + " {} +\n"
             "  the database's redo log, until it is written over, and its binary logs, if it writes some:\n"
             "    PURGE BINARY LOGS BEFORE NOW() once no replica needs them.\n"
             "  backups, until they have expired: after one was restored, run this again.\n"
             "  what others have: mail in their mailboxes, and their keys' labels and accounts' names.\n";
}

int erase_command(const Call& call)
{
    const auto what = erased_by(call);
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // a domain may have a million mailboxes
    db::Session session{patient.ctl_db, patient.ctl_db.password(), patient, migrate::expect_same};
    erasure::Erasure erasure{session, what};
    const auto rows = erasure.rows();
    const bool is_known =
        std::any_of(rows.begin(), rows.end(), [](const auto& table) { return table.second > 0; });
    if (!is_known) throw admin::Refused("nothing is known of " + what.text());
    if (!call.has("yes")) {
        std::vector<std::string> counts;
        for (const auto& [table, count] : rows) {
            if (count > 0) counts.push_back(std::to_string(count) + " in " + table);
        }
        const auto account = erasure.account();
        const auto whose = account.empty() ? "the domain is not there any more"
                                           : "the domain belongs to the account " + account;
        throw admin::Refused(
            "of " + what.text() + " there are these rows: " + strings::joined(counts, ", ") + "; "
                + whose
                + "; nothing was erased. With --yes they are, with all mail, and nothing brings it back"
                + (what.is_deleted_only
                       ? "."
                       : "; with --deleted, too, only what is in deleted_mailbox."),
            admin::Refused::Outcome::said);
    }
    const auto done = erasure::erase(erasure, session, patient);
    json::Members members{{"erased", what.text()},
                          {"sessions_ended", done.sessions_ended},
                          {"files", done.mail.files},
                          {"bytes", done.mail.bytes}};
    members.insert(members.end(), rows.begin(), rows.end());
    members.emplace_back("left_to_the_janitor",
                         done.left.empty() ? json::Value{} : json::Value{done.left});
    command::show(call, members);
    if (!call.has("json")) std::cout << '\n' << not_reached(what, done.storage_ids);
    return done.left.empty() ? 0 : command::kFailed;
}

}  // namespace

command::Command command()
{
    return {
        "erase",
        {"ADDRESS|DOMAIN"},
        "remove all that is known of an address or a domain, at once and for good",
        "Of an address: its mailbox, and those deleted ones that had it, with their mail. Of a domain: the domain itself with\n"
        "all its mailboxes, living and deleted, and the keys that were for it alone; the account stays. Audit entries stay\n"
        "as (erased), without names and clients' addresses. Prints how many rows of which table, how much mail, and what it\n"
        "cannot reach. Wants the janitor's settings, and is started as root like it; where it does not come to the mail or\n"
        "to Dovecot it leaves that to the janitor, says so, and ends with exit status 1. Can be repeated when it was stopped.",
        erase_options,
        erase_command,
        Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace erase_command
