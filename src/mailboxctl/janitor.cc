#include "mailboxctl/janitor.h"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <ostream>
#include <set>
#include <stdexcept>

#include "base/log.h"
#include "base/notify.h"
#include "db/migrate.h"
#include "db/session.h"
#include "mailboxctl/janitor_metrics.h"
#include "mailboxctl/janitor_purge.h"
#include "mailboxctl/janitor_sessions.h"
#include "mailboxctl/recount.h"

namespace janitor {

using namespace std::chrono_literals;

namespace {

struct Tools {
    explicit Tools(const Config& its_config)
        : config{its_config}, session{config.janitor_db, config.janitor_db.password(), config,
                                      migrate::expect_same},
          doveadm{config}
    {
        become_owner_of_store(config);
    }

    const Config& config;
    db::Session session;
    dovecot::Client doveadm;
    Sessions sessions{session, doveadm};
};

// Returns the path without control characters: a file name may contain a line end.
std::string on_one_line(std::string path)
{
    std::replace_if(
        path.begin(), path.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
    return path;
}

}  // namespace

bool run_once(const Config& config, Orphans orphans, std::ostream& out)
{
    constexpr auto kNoEnd = Clock::time_point::max();
    Tools tools{config};
    tools.session.connection();  // throws if the database is away: then nothing can be done
    bool is_well = true;
    const auto attempt = [&](const auto& work) {
        try {
            work();
        } catch (const std::exception& error) {
            out << "FAILED: " << error.what() << '\n';
            is_well = false;
        }
    };
    attempt([&] {
        const auto ended = end_sessions(tools.sessions);
        out << "sessions ended: " << ended.users << '\n';
        if (ended.stayed > 0)
            throw std::runtime_error(
                std::to_string(ended.stayed)
                + " users have sessions that do not end; find their processes with: doveadm who");
    });
    attempt([&] {
        const auto purged = Purge{tools.session, config}.stores(kNoEnd);
        for (const auto& [id, removed] : purged.removed) {
            out << "removed " << id << ": " << removed.files << " files of " << removed.bytes
                << " bytes\n";
        }
        out << "mailboxes removed: " << purged.stores << ", with " << purged.files << " files of "
            << purged.bytes << " bytes\n";
        for (const auto& [id, why] : purged.failed)
            out << "FAILED: " << id << " could not be removed: " << why << '\n';
        is_well = is_well && purged.failed.empty();
    });
    attempt([&] {
        const auto done = recount::all_doubtful(tools.session, config, tools.doveadm, kNoEnd);
        if (done.mailboxes > 0)
            out << "sizes in doubt counted anew: " << done.mailboxes << ", of which " << done.mended
                << " were wrong\n";
        for (const auto& [id, why] : done.failed)
            out << "FAILED: " << id << " could not be counted: " << why << '\n';
        is_well = is_well && done.failed.empty();
    });
    attempt([&] {
        const auto purged = purge_rows(tools.session, config, kNoEnd);
        for (const auto& [table, count] : purged.rows)
            out << "expired rows removed from " << table << ": " << count << '\n';
    });
    attempt([&] {
        Purge purge{tools.session, config};
        for (int number = 0; number < maildir::kPrefixes; ++number) {
            const auto prefix = maildir::prefix(number);
            for (const auto& id : purge.unknown(prefix)) {
                out << "no mailbox has the folder " << config.store << '/' << prefix << '/' << id;
                if (orphans == Orphans::remove) {
                    const auto purged = purge.remove_unknown(id, kNoEnd);
                    out << "; removed, with " << purged.files << " files of " << purged.bytes
                        << " bytes";
                }
                out << '\n';
            }
        }
        for (const auto& path : purge.strangers())
            out << "not a mailbox's folder, left alone: " << on_one_line(path) << '\n';
    });
    return is_well;
}

namespace {

// Logs a failure when it begins, once a minute while it lasts, and when it is over.
class Failures {
public:
    explicit Failures(std::string_view part) : part_{part} {}
    template <typename Work>
    void guard(db::Session& session, Work work)
    {
        try {
            work();
            if (is_on_) logging::info("janitor-recovered")("part", part_);
            is_on_ = false;
        } catch (const std::exception& error) {
            if (dynamic_cast<const db::Error*>(&error) != nullptr) session.drop();
            const auto now = Clock::now();
            if (is_on_ && now < logged_ + 1min) return;
            logging::error("janitor-failed")("part", part_)("error", error.what());
            is_on_ = true;
            logged_ = now;
        }
    }

private:
    std::string_view part_;
    bool is_on_ = false;
    Clock::time_point logged_{};
};

// A task that is done at intervals, in slices, so that ending sessions never waits for it.
class Task {
public:
    Task(std::string_view name, Clock::duration interval) : failures_{name}, interval_{interval} {}
    // Does a slice if the task is due. `work` takes the end of the slice and returns whether it is
    // finished until the next interval.
    template <typename Work>
    void go_on(db::Session& session, Work work)
    {
        constexpr auto kSlice = 200ms;
        const auto now = Clock::now();
        if (now < next_) return;
        next_ = now + interval_;  // also after a failure
        failures_.guard(session, [&] {
            if (!work(now + kSlice)) next_ = now;
        });
    }

private:
    Failures failures_;
    Clock::duration interval_;
    Clock::time_point next_{};
};

constexpr auto kLoopInterval = 500ms;

class Loop {
public:
    explicit Loop(const Config& config) : tools_{config} {}

    void step()
    {
        session_failures_.guard(tools_.session, [&] {
            const auto sweep = tools_.sessions.sweep();
            if (sweep.ended > 0) logging::info("sessions-ended")("users", sweep.ended);
            for (const auto& user : sweep.stayed) {
                logging::error("session-stays")("user", user)(
                    "advice", "its process does not end by itself; find it with: doveadm who");
            }
        });
        stores_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto purged = Purge{tools_.session, tools_.config}.stores(end);
            for (const auto& [id, why] : purged.failed) {
                if (unremoved_.insert(id).second)
                    logging::error("store-not-removed")("storage_id", id)("error", why);
            }
            for (const auto& [id, removed] : purged.removed) {
                logging::info("store-removed")("storage_id", id)("files", removed.files)(
                    "bytes", removed.bytes)("complete", removed.is_complete ? "yes" : "no");
            }
            if (purged.stores > 0) logging::info("mailboxes-purged")("count", purged.stores);
            return purged.is_complete;
        });
        sizes_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto done =
                recount::all_doubtful(tools_.session, tools_.config, tools_.doveadm, end);
            if (done.mended > 0) logging::info("sizes-mended")("count", done.mended);
            if (!done.failed.empty())
                throw std::runtime_error("mailbox " + done.failed[0].first + ": "
                                         + done.failed[0].second);
            return done.is_complete;
        });
        rows_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto purged = purge_rows(tools_.session, tools_.config, end);
            for (const auto& [table, count] : purged.rows)
                logging::info("rows-purged")("table", table)("count", count);
            return purged.is_complete;
        });
        if (!tools_.config.metrics_file.empty()) {
            metrics_.go_on(tools_.session, [&](Clock::time_point /*end*/) {
                const auto now = facts(tools_.session.connection(), tools_.doveadm);
                write_file(tools_.config.metrics_file, text(now, std::time(nullptr)));
                return true;
            });
        }
        orphans_.go_on(tools_.session, [&](Clock::time_point /*end*/) {
            for (const auto& id :
                 Purge{tools_.session, tools_.config}.unknown(maildir::prefix(prefix_))) {
                logging::warning("unknown-folder")("storage_id", id)(
                    "advice", "remove it with: mailboxctl janitor --orphans");
            }
            prefix_ = (prefix_ + 1) % maildir::kPrefixes;
            return prefix_ == 0;
        });
    }

private:
    Tools tools_;
    Failures session_failures_{"sessions"};
    Task stores_{"stores", 1min};
    Task sizes_{"sizes", 5s};
    Task rows_{"rows", 1h};
    Task metrics_{"metrics", 15s};
    Task orphans_{"orphans", 24h};
    int prefix_ = 0;
    std::set<std::string> unremoved_;  // each is logged once
};

}  // namespace

void run_until_stopped(const Config& config)
{
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGTERM);
    ::sigaddset(&ends, SIGINT);
    ::sigprocmask(SIG_BLOCK, &ends, nullptr);
    Loop loop{config};
    notify::ready();
    logging::info("janitor-started")("store", config.store);
    notify::Pulse pulse;
    for (;;) {
        pulse.beat();
        loop.step();
        const timespec interval{.tv_sec = 0,
                                .tv_nsec = std::chrono::nanoseconds{kLoopInterval}.count()};
        if (::sigtimedwait(&ends, nullptr, &interval) > 0) break;
    }
    notify::stopping();
    logging::info("janitor-stopped");
}

}  // namespace janitor
