#include "check.h"

#include <functional>
#include <string>

#include "db.h"
#include "migrate.h"
#include "store.h"

namespace check {
namespace {

// What a point found: empty when well, otherwise a sentence that says what to do.
using Finding = std::string;

struct Point {
    std::string name;
    std::function<Finding()> look;
};

Finding reaches_database(const Config::Database& database, const Config& config)
{
    const db::Connection connection{database, database.password(), config};
    return {};
}

Finding has_right_schema(const Config& config)
{
    db::Session session{config.db, config.db.password(), config};
    const auto version = store::Store{session}.schema_version();
    if (version == migrate::newest_version()) return {};
    return "version " + std::to_string(version) + ", this program wants " + std::to_string(migrate::newest_version())
           + (version < migrate::newest_version() ? ": run mailboxctl migrate" : ": use the newer program");
}

constexpr char kDurability[] = "SELECT @@innodb_flush_log_at_trx_commit";

Finding is_durable(const Config& config)
{
    db::Connection connection{config.ctl_db, config.ctl_db.password(), config};
    auto rows = connection.query(kDurability);
    if (rows.next() && rows.integer(1) == 1) return {};
    return "the server forgets acknowledged changes when it crashes: set innodb_flush_log_at_trx_commit = 1";
}

constexpr char kWrongCounters[] =
    "SELECT d.name, d.mailboxes, (SELECT COUNT(*) FROM mailbox m WHERE m.domain_id = d.id) AS counted"
    " FROM domain d HAVING counted <> d.mailboxes LIMIT 1";

Finding counts_right(const Config& config)
{
    db::Connection connection{config.ctl_db, config.ctl_db.password(), config};
    auto rows = connection.query(kWrongCounters);
    if (!rows.next()) return {};
    return "domain " + rows.text(1) + " counts " + rows.text(2) + " mailboxes and has " + rows.text(3)
           + ": somebody changed the tables by hand; set domain.mailboxes to what it has";
}

// Per domain: what its ranges count in all, how many of their fine counts are not 0, and how
// many of the fine ranges that hold mailboxes count them right.
constexpr char kWrongRanges[] =
    "SELECT d.name FROM domain d"
    " LEFT JOIN (SELECT domain_id, SUM(mailboxes) AS mailboxes, SUM(LENGTH(REPLACE(counts, CHAR(0), ''))) AS counts"
    "   FROM mailbox_range GROUP BY domain_id) r ON r.domain_id = d.id"
    " LEFT JOIN (SELECT f.domain_id, COUNT(*) AS fine, SUM(f.mailboxes = ASCII(SUBSTR(r.counts, f.number % 512 + 1, 1))) AS correct"
    "   FROM (SELECT domain_id, id DIV 128 AS number, COUNT(*) AS mailboxes FROM mailbox GROUP BY domain_id, id DIV 128) f"
    "   LEFT JOIN mailbox_range r ON r.domain_id = f.domain_id AND r.number = f.number DIV 512"
    "   GROUP BY f.domain_id) m ON m.domain_id = d.id"
    " WHERE COALESCE(r.mailboxes, 0) <> d.mailboxes OR COALESCE(r.counts, 0) <> COALESCE(m.fine, 0)"
    " OR COALESCE(m.correct, 0) <> COALESCE(m.fine, 0) LIMIT 1";

Finding has_right_ranges(const Config& config)
{
    db::Connection connection{config.ctl_db, config.ctl_db.password(), config};
    auto rows = connection.query(kWrongRanges);
    if (!rows.next()) return {};
    return "the counts of ranges of domain " + rows.text(1)
           + " do not add up, so that skip finds a wrong place: somebody changed the tables by hand; when they are mended, send mailboxd SIGHUP";
}

}  // namespace

bool run(const Config& config, std::ostream& out)
{
    const std::vector<Point> points{
        {"database, as the service", [&] { return reaches_database(config.db, config); }},
        {"database, as mailboxctl", [&] { return reaches_database(config.ctl_db, config); }},
        {"schema", [&] { return has_right_schema(config); }},
        {"durability", [&] { return is_durable(config); }},
        {"counters", [&] { return counts_right(config); }},
        {"ranges", [&] { return has_right_ranges(config); }},
    };
    bool is_well = true;
    for (const auto& point : points) {
        Finding finding;
        try {
            finding = point.look();
        } catch (const std::exception& error) {
            finding = error.what();
        }
        out << (finding.empty() ? "ok       " : "WRONG    ") << point.name << (finding.empty() ? "" : ": ") << finding << '\n';
        is_well = is_well && finding.empty();
    }
    return is_well;
}

}  // namespace check
