#include "mailboxctl/check/cluster.h"

#include <charconv>
#include <cstdint>

#include "db/connection.h"

namespace check {
namespace {

// SHOW, because other servers have none of them.
constexpr char kStatus[] =
    "SHOW GLOBAL STATUS WHERE variable_name IN ('wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_ready')";
constexpr char kSettings[] =
    "SHOW GLOBAL VARIABLES WHERE variable_name IN ('wsrep_on', 'wsrep_slave_threads', 'wsrep_sync_wait', 'innodb_autoinc_lock_mode')";

std::string value(const NodeStatus& node, const std::string& name, const std::string& otherwise)
{
    const auto found = node.find(name);
    return found == node.end() ? otherwise : found->second;
}

std::int64_t number(const NodeStatus& node, const std::string& name, std::int64_t otherwise)
{
    const auto text = value(node, name, "");
    std::int64_t found = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), found);
    return found;
}

}  // namespace

Result cluster(const NodeStatus& node)
{
    const auto status = value(node, "wsrep_cluster_status", "Primary");
    const auto state = value(node, "wsrep_local_state_comment", "Synced");
    const auto size = number(node, "wsrep_cluster_size", 3);
    const auto appliers = number(node, "wsrep_slave_threads", 1);
    const auto waits = number(node, "wsrep_sync_wait", 0);
    const auto lock_mode = number(node, "innodb_autoinc_lock_mode", 2);
    if (value(node, "wsrep_on", "OFF") != "ON") return ok();
    if (status != "Primary" || value(node, "wsrep_ready", "ON") != "ON") {
        return wrong(
            "the node is not part of the majority (" + status + ", " + state
            + "), so it takes no statements: start the other nodes, and see the network between them");
    }
    if (state != "Synced" && !state.starts_with("Donor"))
        return wrong("the node is not in step with the others (" + state + ")");
    if (appliers > 1) {
        return wrong(
            "wsrep_slave_threads is " + std::to_string(appliers)
            + ", and nodes leave the cluster as inconsistent: set wsrep_slave_threads = 1 on every node");
    }
    if (waits != 0) {
        return wrong(
            "wsrep_sync_wait is " + std::to_string(waits)
            + " for all sessions, so the health check of HAProxy waits, too, and takes every node for down:"
              " SET GLOBAL wsrep_sync_wait = 0; mailboxd sets it where it is needed");
    }
    if (lock_mode != 2)
        return wrong("Galera requires innodb_autoinc_lock_mode = 2; it is "
                     + std::to_string(lock_mode));
    constexpr std::int64_t kNodes = 3;
    if (size < kNodes) {
        return wrong(
            "the cluster has " + std::to_string(size) + " of at least " + std::to_string(kNodes)
            + " nodes, so the loss of one more may stop the database: start the missing one");
    }
    return ok();
}

Result cluster(DatabaseUser& ctl)
{
    NodeStatus node;
    for (const auto& statement : {db::Statement{kStatus}, db::Statement{kSettings}}) {
        for (auto rows = ctl.connection().query(statement); rows.next();) {
            const auto [name, text] = rows.read<std::string, std::string>();
            node[name] = text;
        }
    }
    return cluster(node);
}

}  // namespace check
