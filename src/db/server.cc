#include "db/server.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "db/transaction.h"

namespace server {
namespace {

// The server checks whether it accepts changes before it looks for the row.
constexpr char kChange[] = "UPDATE domain SET mailboxes = mailboxes WHERE id = 0";

// SHOW, because not every server has both. max_user_connections is the database user's own limit if
// it has one.
constexpr char kVariables[] =
    "SHOW SESSION VARIABLES WHERE variable_name IN ('max_connections', 'max_user_connections')";

// Connections for mailboxctl, the janitor, Postfix, Dovecot and an administrator.
constexpr std::int64_t kOthers = 10;

}  // namespace

void try_change(db::Connection& connection)
{
    const db::Transaction transaction{connection};
    connection.execute(kChange);
}

std::vector<check::Result> shortfalls(db::Connection& connection, const Config& config)
{
    std::map<std::string, std::int64_t> variables;
    for (auto rows = connection.query(kVariables); rows.next();) {
        const auto [name, value] = rows.read<std::string, std::int64_t>();
        variables[name] = value;
    }
    const std::int64_t workers = config.workers + config.write_workers;
    std::vector<check::Result> found;
    const auto look = [&](const std::string& name, std::int64_t others) {
        const auto limit = variables[name];
        if (limit == 0 || limit >= 2 * workers + others) return;
        const auto says = "the server's " + name + " is " + std::to_string(limit);
        const auto advice = ": set " + name + " = " + std::to_string(2 * workers + others)
                            + ", or lower workers and write_workers";
        if (limit < workers + others) {
            found.push_back(check::wrong(
                says + ", and the service's workers alone need " + std::to_string(workers)
                + ", so that requests get 503 and mail waits when all are busy" + advice));
        } else {
            found.push_back(check::note(
                says + ", which is too few during a reload, when there are twice as many workers"
                + advice));
        }
    };
    look("max_connections", kOthers);
    look("max_user_connections", 0);
    std::stable_partition(found.begin(), found.end(),
                          [](const auto& each) { return each.verdict == check::Verdict::wrong; });
    return found;
}

}  // namespace server
