#include "mailboxctl/check/postfix_tables.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "db/connection.h"
#include "mailboxctl/check/item.h"
#include "mailboxctl/check/postfix_settings.h"
#include "mailboxctl/check/sample.h"
#include "mailboxctl/send_limit.h"
#include "peers/postconf.h"
#include "peers/postfix_lookups.h"

namespace check {
namespace {

// A setting of main.cf that has to name one of our tables; mailboxd-main.cf explains each.
struct Use {
    const char* setting;
    const char* table;
};
constexpr std::array<Use, 6> kUses{{{"virtual_mailbox_domains", "domains"},
                                    {"virtual_mailbox_maps", "addresses"},
                                    {"virtual_alias_maps", "addresses"},
                                    {"transport_maps", "transport"},
                                    {"smtpd_sender_login_maps", "senders"},
                                    {"smtpd_recipient_restrictions", "recipients"}}};

// Returns our table in a setting's value; empty if there is none. A proxy: in front of it is left
// out, because the proxy answers only while Postfix runs.
std::string table_in(const std::string& value, const std::string& name)
{
    for (auto word : strings::words(value, ", \t\r\n")) {
        if (word.starts_with("proxy:")) word.erase(0, word.find(':') + 1);
        if (word.starts_with("mysql:") && word.ends_with("/mailboxd-" + name + ".cf")) return word;
    }
    return {};
}

// Returns what is wrong if a table could not be asked; nothing if it answered, even if it found
// nothing.
std::optional<Result> complaint(const std::string& table, const postconf::Postfix::Answer& answer)
{
    if (answer.is_well || answer.text.empty()) return std::nullopt;
    if (::geteuid() != 0) return unknown(answer.text + ": run this as root");
    return wrong(table + " does not answer: " + answer.text);
}

// Returns what is wrong with the option file of a table; nothing if all is in order. MySQL's client
// library does not report an option file that it cannot read; the session then sets nothing.
std::optional<Result> option_file(const std::string& table)
{
    std::ifstream file{table};
    if (!file)
        return ::geteuid() == 0 ? wrong(table + " cannot be read")
                                : unknown(table + " cannot be read: run this as root");
    std::smatch found;
    for (std::string line; std::getline(file, line);) {
        static const std::regex option{R"(option_file\s*=\s*(\S+)\s*)"};
        if (!std::regex_match(line, found, option)) continue;
        const std::string path = found[1];
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0)
            return wrong(table + " names " + path
                         + ", which cannot be read: " + std::strerror(errno));
        if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) return std::nullopt;
        return wrong(path + " is not readable by Postfix's group: chgrp postfix " + path
                     + "; chmod g+r " + path);
    }
    return note(
        table
        + " names no option_file, so the server's own settings apply, for example autocommit and wait_timeout:"
          " fill in this release's files, as CHANGES.md says");
}

// Of a mailbox that does not exist, so nothing is counted.
constexpr char kOldCount[] = "SELECT submission_count('', 1)";

// Tries what Postfix does when a mailbox sends: first as Postfix's database user, then at the
// policy service's socket. Returns what is wrong; nothing if sending works.
std::optional<Result> sending_count(const Config& config, const postconf::Postfix& programs)
{
    const auto tables = programs.tables();
    const bool is_old = std::any_of(tables.begin(), tables.end(), [](const auto& table) {
        return table.ends_with("/mailboxd-submission.cf");
    });
    if (obstacle_to_use(config.postfix_db, "postfix_db_password_file").empty()) {
        DatabaseUser its{config.postfix_db, config};
        try {
            send_limit::try_to_count(its.connection());
            if (is_old) its.connection().query(kOldCount);
        } catch (const db::Unreached&) {
            // Item::postfix_rights reports it.
        } catch (const db::Error& error) {
            return wrong(
                std::string{"what mailboxes send cannot be counted, so no one can send (451): "}
                + error.what());
        }
    }
    if (is_old)
        return note(
            "its files are from an earlier release: fill in this release's files, as CHANGES.md says");
    const auto socket = programs.policy_socket("mailboxd-sending");
    if (socket.empty())
        return note(
            "it does not ask mailboxctl how much a mailbox may send: mailboxd-master.cf shows the entry");
    try {
        const auto answer = send_limit::ask(socket);
        if (answer == "action=DUNNO") return std::nullopt;
        return wrong(socket + " answers " + answer + ", so no one can send: the mail log says why");
    } catch (const std::runtime_error& error) {
        if (::geteuid() != 0) return unknown(std::string{error.what()} + ": run this as root");
        return wrong(
            std::string{error.what()}
            + ", so no one can send (451): check whether Postfix runs, and read the mail log; the user of"
              " mailboxd-sending in master.cf must be able to read mailboxd.conf and its postfix_db_password_file");
    }
}

constexpr char kDomains[] = "SELECT name FROM domain_name";

}  // namespace

Result postfix(const Config& config, DatabaseUser& ctl)
{
    if (config.postfix.empty()) return unknown("skipped: the setting postfix is missing");
    const postconf::Postfix programs{config.postfix};
    const auto asked = sample(ctl.connection());
    for (const auto& [setting, name] : kUses) {
        const auto value = programs.setting(setting);
        if (!value.is_well)
            return wrong("postconf does not print " + std::string{setting} + ": " + value.text);
        const auto table = table_in(value.text, name);
        if (table.empty())
            return wrong(std::string{setting} + " does not name mailboxd-" + name
                         + ".cf: mailboxd-main.cf shows the setting");
        const auto& key = name == std::string_view{"domains"} ? asked.domain : asked.address;
        const auto before = postfix_lookups::find(ctl.connection(), name, key);
        const auto answer = programs.look_up(key, table);
        if (const auto found = complaint(table, answer)) return *found;
        // The route is defined only in the installed file, so it may differ.
        const bool is_free = name == std::string_view{"transport"};
        const auto is_as = [&](const std::optional<std::string>& expected) {
            return answer.is_well == expected.has_value()
                   && (is_free || !expected || *expected == answer.text);
        };
        if (is_as(before) || is_as(postfix_lookups::find(ctl.connection(), name, key))) continue;
        return wrong(
            table + " finds " + (answer.is_well ? answer.text : "nothing") + " for " + key
            + ", which contradicts the database: check whether the file names this database and is from this release");
    }
    if (const auto found = sending_count(config, programs)) return *found;
    for (const auto& table : programs.tables()) {
        if (const auto found = option_file(table)) return *found;
    }
    // Includes the tables for submission. The name is not a login's, so nothing is counted.
    for (const auto& table : programs.tables()) {
        if (const auto found =
                complaint(table, programs.look_up("nobody@" + asked.domain, "mysql:" + table)))
            return *found;
    }
    return ok();
}

Result postfix_settings(const Config& config, DatabaseUser& ctl)
{
    if (config.postfix.empty()) return unknown("skipped: the setting postfix is missing");
    const postconf::Postfix programs{config.postfix};
    if (!programs.setting("mydestination").is_well) return skipped(Item::postfix);
    std::set<std::string> domains;
    for (auto rows = ctl.connection().query(kDomains); rows.next();)
        domains.insert(rows.read<std::string>());
    return judge_postfix(programs, domains);
}

}  // namespace check
