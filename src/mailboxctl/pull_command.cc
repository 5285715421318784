#include "mailboxctl/pull_command.h"

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "db/accounts.h"
#include "mailboxctl/moving.h"
#include "mailboxctl/recount.h"
#include "peers/dovecot.h"

namespace pull_command {
namespace {

namespace po = boost::program_options;
using command::Call;
using doveadm_program::Mail;

constexpr std::uint64_t kMostJobs = 64;

po::options_description options()
{
    auto options = command::json_option();
    options.add_options()(
        "from", po::value<std::string>()->value_name("URL"),
        "the other server: imaps://HOST[:PORT], or imap://HOST[:PORT] with STARTTLS")(
        "jobs", po::value<std::string>()->value_name("N"),
        "mailboxes at the same time (default: 4)");
    moving::add_options(options);
    return options;
}

// Makes the home as the store's owner would.
void make_home(const moving::Store& store, const std::string& storage_id)
{
    const Descriptor root = disk::open_path(store.path);
    const auto path = store.home(storage_id).path;
    const auto prefix =
        disk::make_folder(root.number(), storage_id.substr(0, 2), store.owner, path);
    disk::make_folder(prefix.number(), storage_id, store.owner, path);
}

// Returns the reason if the mail could not be taken over; otherwise empty. The synchronization is
// one-way: what the target has already, for example mail that came meanwhile, stays.
std::string pull(const moving::Remote& remote, const moving::Store& store,
                 const moving::Mailbox& mailbox)
{
    try {
        const auto login = remote.logins.of(mailbox.address);
        if (!login) return "the file of logins has no line for it";
        make_home(store, mailbox.storage_id);
        const auto home = store.home(mailbox.storage_id);
        const auto ended = doveadm_program::run(
            doveadm_program::configuration(remote.server, *login, Mail::maildir, remote.syntax,
                                           home),
            {"sync", doveadm_program::kUser, "-1", "-R", "imapc:"}, remote.syntax, home);
        // 2: some changes came in between; the next run has them.
        constexpr int kAgain = 2;
        if (ended.exit == kAgain)
            return "mail changed meanwhile: " + doveadm_program::reason(ended);
        return ended.exit == 0 ? "" : doveadm_program::reason(ended);
    } catch (const std::exception& error) {
        return error.what();
    }
}

// Several mailboxes are pulled at the same time; the results are taken in the order in which they
// end.
class Pulls {
public:
    struct Result {
        const moving::Mailbox* mailbox = nullptr;
        std::string reason;
    };

    Pulls(const moving::Remote& remote, const moving::Store& store,
          const std::vector<moving::Mailbox>& mailboxes, std::size_t jobs)
        : remote_{remote}, store_{store}, mailboxes_{mailboxes}
    {
        for (std::size_t i = 0; i < std::min(jobs, mailboxes.size()); ++i)
            threads_.emplace_back([this] { work(); });
    }
    ~Pulls()
    {
        next_ = mailboxes_.size();
        for (auto& thread : threads_) thread.join();
    }
    Pulls(const Pulls&) = delete;
    Pulls& operator=(const Pulls&) = delete;

    Result next()
    {
        std::unique_lock lock{mutex_};
        has_result_.wait(lock, [this] { return !results_.empty(); });
        auto result = std::move(results_.front());
        results_.pop_front();
        return result;
    }

private:
    void work()
    {
        for (auto i = next_++; i < mailboxes_.size(); i = next_++) {
            Result result{&mailboxes_[i], pull(remote_, store_, mailboxes_[i])};
            const std::lock_guard lock{mutex_};
            results_.push_back(std::move(result));
            has_result_.notify_one();
        }
    }

    const moving::Remote& remote_;
    const moving::Store& store_;
    const std::vector<moving::Mailbox>& mailboxes_;
    std::atomic<std::size_t> next_{0};
    std::mutex mutex_;
    std::condition_variable has_result_;
    std::deque<Result> results_;
    std::vector<std::thread> threads_;
};

// Counts the mailbox, because no running Dovecot wrote its mail.
struct Counter {
    explicit Counter(const Call& its_call) : call{its_call}
    {
        constexpr std::chrono::seconds kLongest{60};
        if (!call.config.doveadm.empty()) doveadm.emplace(call.config, kLongest);
    }
    std::optional<recount::Size> count(const moving::Mailbox& mailbox)
    {
        if (!doveadm) return std::nullopt;
        auto connection = call.connect();  // a long pull may outlive an idle connection
        return recount::mailbox(connection, *doveadm, mailbox.storage_id, mailbox.domain);
    }
    const Call& call;
    std::optional<dovecot::Client> doveadm;
};

std::size_t jobs_of(const Call& call)
{
    if (!call.has("jobs")) return 4;
    const auto jobs = strings::whole_number(call.text("jobs"), kMostJobs);
    if (!jobs || *jobs == 0) throw command::WrongUsage("--jobs is a number from 1 to 64");
    return static_cast<std::size_t>(*jobs);
}

int pull_all(const Call& call)
{
    if (!call.has("from")) throw command::WrongUsage("--from URL is missing");
    const auto jobs = jobs_of(call);
    const auto remote = moving::remote(call, call.text("from"));
    const moving::Store store{call.config.store};
    const auto mailboxes = moving::mailboxes(call, call.arguments[0]);
    Counter counter{call};
    command::Listing listing{call, {"mailbox", "result", "messages", "size_bytes"}};
    std::int64_t failed = 0;
    {
        Pulls pulls{remote, store, mailboxes, jobs};
        for (std::size_t i = 0; i < mailboxes.size(); ++i) {
            auto [mailbox, reason] = pulls.next();
            std::optional<recount::Size> size;
            if (reason.empty()) {
                try {
                    size = counter.count(*mailbox);
                } catch (const std::exception& error) {
                    reason = std::string{"its size could not be counted: "} + error.what();
                }
            }
            if (!reason.empty()) ++failed;
            listing.add({mailbox->address, reason.empty() ? std::string{"ok"} : reason,
                         size ? json::Value{size->messages} : json::Value{},
                         size ? json::Value{size->bytes} : json::Value{}});
        }
    }
    listing.finish();
    if (failed > 0)
        std::cerr << failed << " of " << mailboxes.size()
                  << " mailboxes could not be taken over; the command can be repeated.\n";
    return failed == 0 ? 0 : command::kFailed;
}

}  // namespace

command::Command command()
{
    return {
        "pull",
        {"ADDRESS|DOMAIN"},
        "take over mail from another server by IMAP",
        "For mail on another machine, or in another format than Maildir. Dovecot's doveadm reads the other server and keeps folders,\n"
        "flags, dates and, in folders that have no mail here yet, UIDs. Mail that the mailbox has already stays. Repeat the command\n"
        "for mail that came meanwhile. Run it as root on the machine of the mail store.",
        options,
        pull_all,
        command::Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace pull_command
