#include "mailboxctl/check/mail_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <system_error>

#include "db/connection.h"
#include "mailboxctl/janitor_purge.h"
#include "peers/maildir.h"

namespace check {
namespace {

constexpr char kHadMail[] =
    "SELECT m.storage_id, CONCAT(m.local_part, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
    " LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE m.storage_id LIKE CONCAT(?, '%') AND (m.size_bytes > 0 OR a.last_delivery > 0)"
    " UNION ALL SELECT storage_id, CONCAT(local_part, '@', domain, ', which is deleted') FROM deleted_mailbox"
    " WHERE storage_id LIKE CONCAT(?, '%') AND purged_at IS NULL AND size_bytes > 0";

// Returns the mailboxes that must have a folder and have none: addresses by storage id.
std::map<std::string, std::string> without_folder(db::Connection& connection,
                                                  const maildir::Store& store,
                                                  const std::string& prefix)
{
    std::map<std::string, std::string> addresses;
    auto rows = connection.query(kHadMail, {prefix, prefix});
    while (rows.next()) {
        const auto [id, address] = rows.read<std::string, std::string>();
        addresses.emplace(id, address);
    }
    if (addresses.empty()) return addresses;
    for (const auto& id : store.ids(prefix)) addresses.erase(id);
    return addresses;
}

// The limit counts per user. The store's owner needs one instance for each session that waits for
// new mail.
constexpr char kInstances[] = "/proc/sys/fs/inotify/max_user_instances";

}  // namespace

Result mail_store(const Config& config, DatabaseUser& ctl)
{
    if (config.store.empty()) return unknown("skipped: the setting store is missing");
    ctl.connection();  // now, because perhaps only root may read its password
    ::janitor::become_owner_of_store(config);
    if (::access(config.store.c_str(), R_OK | W_OK | X_OK) != 0) {
        const auto says = config.store + ": " + std::generic_category().message(errno);
        if (config.store_user.empty() && errno == EACCES)
            return unknown(says + ": run this as root, or as its owner");
        return wrong(
            says + "; it must exist and belong to "
            + (config.store_user.empty() ? "the user that runs the janitor" : config.store_user));
    }
    const maildir::Store store{config.store};
    ::janitor::Purge purge{ctl.session(), config};
    std::int64_t lost = 0, unknown_folders = 0;
    std::string lost_example, unknown_example;
    for (int number = 0; number < maildir::kPrefixes; ++number) {
        const auto prefix = maildir::prefix(number);
        if (const auto misfits = store.misfits(prefix); !misfits.empty()) {
            const auto owner = config.store_user.empty() ? "the store's owner" : config.store_user;
            return wrong(
                misfits[0] + " must be a folder of " + owner
                + ", but is a file, a link or another user's, for example after a restore by root: chown -R what was restored, remove a link");
        }
        // Compared twice: a mailbox may be deleted after the tables are read and before the
        // folders are.
        auto missing = without_folder(ctl.connection(), store, prefix);
        if (!missing.empty()) {
            const auto still = without_folder(ctl.connection(), store, prefix);
            std::erase_if(missing, [&](const auto& each) { return !still.contains(each.first); });
        }
        lost += static_cast<std::int64_t>(missing.size());
        if (!missing.empty() && lost_example.empty()) {
            lost_example = missing.begin()->second + " (" + config.store + "/" + prefix + "/"
                           + missing.begin()->first + ")";
        }
        const auto strange = purge.unknown(prefix);
        unknown_folders += static_cast<std::int64_t>(strange.size());
        if (!strange.empty() && unknown_example.empty())
            unknown_example = prefix + "/" + strange[0];
    }
    if (lost > 0) {
        return wrong(
            std::to_string(lost) + " mailboxes have had mail but have no folder, for example "
            + lost_example
            + ": check whether the store is mounted there; otherwise restore it from the backup");
    }
    if (unknown_folders > 0) {
        return note(
            std::to_string(unknown_folders) + " folders belong to no mailbox, for example "
            + unknown_example
            + ": a restore can leave such folders; look into them, then remove them with mailboxctl janitor --orphans");
    }
    return ok();
}

Result kernel(const Config& config)
{
    constexpr std::int64_t kEnough = 1024;
    std::ifstream file{kInstances};
    std::int64_t instances = 0;
    if (config.store.empty()) return unknown("skipped: the setting store is missing");
    if (!(file >> instances)) return unknown(std::string{kInstances} + " cannot be read");
    if (instances >= kEnough) return ok();
    return note(
        "fs.inotify.max_user_instances is " + std::to_string(instances)
        + ": only that many IMAP sessions learn of new mail at once, the others up to half a minute"
          " later; cp /usr/share/mailboxd/mailboxd-sysctl.conf /etc/sysctl.d && sysctl --system");
}

}  // namespace check
