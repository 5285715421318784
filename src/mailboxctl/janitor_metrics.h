// janitor_metrics.h - what the tables and Dovecot know, as a file for the textfile collector of
// Prometheus' node_exporter. docs/metrics.md describes the numbers.
#pragma once

#include <cstdint>
#include <string>

#include "db/connection.h"
#include "peers/dovecot.h"

namespace janitor {

struct Facts {
    std::int64_t accounts = 0;
    std::int64_t domains = 0;
    std::int64_t mailboxes = 0;
    std::int64_t stored_bytes = 0;
    std::int64_t deleted_mailboxes = 0;
    std::int64_t sessions_to_end = 0;
    bool dovecot_answers = false;
};

// Reads the facts. Costs a few short statements and one question to Dovecot. Throws db::Error.
Facts facts(db::Connection& connection, const dovecot::Client& doveadm);

// Returns the text of the file. `now`: seconds since 1970.
std::string text(const Facts& facts, std::int64_t now);

// Replaces the file, which everybody may read. A reader sees the old text or the new one. Throws
// std::system_error.
void write_file(const std::string& path, const std::string& text);

}  // namespace janitor
