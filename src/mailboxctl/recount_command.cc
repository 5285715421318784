#include "mailboxctl/recount_command.h"

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "db/accounts.h"
#include "db/lifecycle.h"
#include "mailboxctl/recount.h"
#include "peers/maildir.h"

namespace recount_command {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::json_option;
using command::Prints;
using command::refuse_absent;

po::options_description recount_options()
{
    auto options = json_option();
    options.add_options()("all", "count the mailboxes of all domains");
    return options;
}

// Shows the progress on a terminal, in one line that is written over.
class Progress {
public:
    explicit Progress(std::int64_t all)
        : all_{all}, is_shown_{::isatty(STDERR_FILENO) != 0 && all > 1}
    {
    }
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void show(std::int64_t done)
    {
        if (is_shown_)
            std::cerr << '\r' << done << " of " << all_ << " mailboxes counted" << std::flush;
        is_begun_ = is_shown_;
    }
    void clear()
    {
        if (std::exchange(is_begun_, false)) std::cerr << "\r\033[K" << std::flush;
    }

private:
    std::int64_t all_;
    bool is_shown_;
    bool is_begun_ = false;
};

struct Recounting {
    std::int64_t counted = 0;
    std::int64_t changed = 0;
    std::int64_t failed = 0;
};

// Counts each mailbox of the domain, and lists the ones whose size was different.
void recount_domain(db::Connection& connection, const dovecot::Client& doveadm,
                    const mailbox::Domain& domain, std::int64_t domain_id, Progress& progress,
                    command::Listing& listing, Recounting& done)
{
    constexpr std::int64_t kPage = 1000;
    for (std::int64_t last = 0;;) {
        const auto page = life::mailboxes(connection, domain_id, last, kPage);
        if (page.empty()) return;
        last = page.back().id;
        for (const auto& each : page) {
            progress.show(done.counted + done.failed);
            try {
                const auto size =
                    recount::mailbox(connection, doveadm, each.storage_id, domain.name());
                if (!size) continue;  // deleted in the meantime
                ++done.counted;
                if (size->bytes == each.size_bytes) continue;
                ++done.changed;
                listing.add({each.local_part + "@" + domain.name(), each.size_bytes, size->bytes,
                             size->messages});
            } catch (const dovecot::Unasked&) {
                throw;  // not a failure of this mailbox
            } catch (const dovecot::Failed& error) {
                ++done.failed;
                progress.clear();
                std::cerr << each.local_part << '@' << domain.name()
                          << " could not be counted: " << error.what() << '\n';
            }
        }
    }
}

int recount_many(const Call& call, db::Connection& connection, const dovecot::Client& doveadm)
{
    admin::Admin admin{connection};
    std::vector<mailbox::Domain> domains;
    if (call.has("all")) {
        for (const auto& name : admin.domain_names()) domains.push_back(call.domain(name));
    } else {
        domains.push_back(call.domain(call.arguments[0]));
    }
    std::int64_t all = 0;
    for (const auto& domain : domains) all += admin.mailboxes_of_domain(domain);
    Progress progress{all};
    Recounting done;
    command::Listing listing{call, {"mailbox", "size_before", "size_bytes", "messages"}};
    for (const auto& domain : domains) {
        const auto found = admin.find_domain(domain.name());
        if (found) recount_domain(connection, doveadm, domain, found->id, progress, listing, done);
    }
    progress.clear();
    listing.finish();
    std::cerr << done.counted << " mailboxes counted, " << done.changed << " had another size";
    if (done.failed > 0)
        std::cerr << ", " << done.failed << " could not be counted; the command can be repeated";
    std::cerr << ".\n";
    return done.failed == 0 ? 0 : command::kFailed;
}

int mailbox_recount(const Call& call)
{
    if (call.has("all") != call.arguments.empty())
        throw command::WrongUsage("give exactly one of an address, a domain and --all");
    if (call.config.doveadm.empty())
        throw admin::Refused(
            "the setting doveadm is missing: Dovecot counts the mail, and the setting says where it listens");
    auto connection = call.connect();
    const auto is_one = !call.has("all") && call.arguments[0].find('@') != std::string::npos;
    const auto address = is_one ? std::optional{call.address(call.arguments[0])} : std::nullopt;
    if (!is_one && !call.has("all"))
        admin::Admin{connection}.domain_id(
            call.domain(call.arguments[0]).name());  // refuses a domain that does not exist
    const auto found = is_one ? life::find(connection, *address) : std::nullopt;
    if (is_one && !found) refuse_absent(*address);
    // If the store is not mounted, every mailbox would be counted as empty.
    if (!call.config.store.empty() && recount::has_mail(connection))
        maildir::Store{call.config.store}.expect_mail();
    constexpr std::chrono::seconds kLongest{60};
    try {
        const dovecot::Client doveadm{call.config, kLongest};
        if (!is_one) return recount_many(call, connection, doveadm);
        const auto size =
            recount::mailbox(connection, doveadm, found->storage_id, address->domain());
        if (!size) refuse_absent(*address);
        command::tell(call,
                      "Mailbox " + address->text() + " has " + std::to_string(size->bytes)
                          + " bytes in " + std::to_string(size->messages)
                          + " messages; its size was " + std::to_string(found->size_bytes)
                          + " before.",
                      {{"mailbox", address->text()},
                       {"size_before", found->size_bytes},
                       {"size_bytes", size->bytes},
                       {"messages", size->messages}});
        return 0;
    } catch (const dovecot::Unasked& error) {
        throw std::runtime_error(
            std::string{error.what()}
            + "; run this as root, with settings doveadm and doveadm_key_file that match Dovecot's");
    }
}

}  // namespace

command::Command command()
{
    return {
        "mailbox recount",
        {"[ADDRESS|DOMAIN]"},
        "count the mail of a mailbox or a domain again",
        "Dovecot reports the size of a mailbox itself when it changes something. Use this for mail that came by another way, such\n"
        "as a restored Maildir. For a domain, or with --all, it lists the mailboxes whose size was wrong. Requires the settings\n"
        "doveadm and doveadm_key_file, and the right to use them; run it as root.",
        recount_options,
        mailbox_recount,
        Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace recount_command
