#include "torture/rest.h"

#include "system/harness/answers.h"
#include "system/harness/mail.h"
#include "system/harness/process.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <map>
#include <numeric>
#include <stdexcept>

namespace torture {
namespace {

using namespace std::chrono_literals;
using journal::Counts;
using journal::Found;
using journal::Journal;
using journal::Meaning;

constexpr auto kRecovery = 60s;

// --- Waiting until all works --------------------------------------------------------------------

void await(World& world, const std::string& sentence, const std::function<bool()>& is_so)
{
    const auto asked = [&] {
        try {
            return is_so();
        } catch (const std::exception&) {
            return false;  // the database or a mail server does not answer yet
        }
    };
    // InnoDB repeats its last answer to a query within 100 ms, so the interval is longer.
    if (!process::eventually(asked, kRecovery, 150ms)) world.findings.breach(sentence);
}

// A list shows that one pool works, the deletion of an absent mailbox that the other does.
bool answers_all(World& world)
{
    return std::all_of(world.clients.begin(), world.clients.end(), [&](const Client& client) {
        const auto target = "/" + client.domain + "/mailboxes";
        return world.ask(client.key, "GET", target).meaning == Meaning::done
               && world.ask(client.key, "DELETE", target + "/nobody").meaning == Meaning::absent;
    });
}

// Changes whose client has gone may still run in a worker or wait for one. The waiting ones came
// before a request that has just been answered, and a worker that is replaced finishes its request
// first.
void finish_what_is_open(World& world)
{
    if (world.is_any_open.exchange(false)) world.faults.replace_workers();
}

// --- The nodes of a cluster ---------------------------------------------------------------------

std::string told_by_node(const World& world, const std::string& node, const std::string& statement)
{
    const auto ended = process::run(
        {world.stack.setting("GALERA"), world.stack.setting("GALERA_DIR"), "sql", node, statement});
    if (ended.exit != 0) throw std::runtime_error{"n" + node + ": " + ended.err};
    return ended.out;
}

// Returns the first line that only one of the texts has, of each.
std::string difference(const std::string& one, const std::string& other)
{
    const auto at = static_cast<std::size_t>(
        std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first - one.begin());
    const auto line = [&](const std::string& text) {
        const auto begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
        return text.substr(begin, text.find('\n', at) - begin);
    };
    return line(one) + "\ninstead of\n" + line(other);
}

// Every node has the same rows in every table. What is compared with the answers is read from one
// of them. (Not by CHECKSUM TABLE: for tables with a generated column it differs where the rows do
// not.)
void compare_nodes(World& world, const std::string& label)
{
    const auto database = world.stack.setting("DB_NAME");
    std::string statements = "SET SESSION wsrep_sync_wait = 15;";
    for (
        const auto& row : world.stack.sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"))
        statements += " SELECT '" + row.at(0) + "', t.* FROM " + database + "." + row.at(0)
                      + " t FORCE INDEX (PRIMARY);";
    const std::array<std::string, 3> nodes{"1", "2", "3"};
    std::array<std::string, 3> rows;
    const auto are_equal = [&] {
        for (std::size_t i = 0; i < nodes.size(); ++i)
            rows.at(i) = told_by_node(world, nodes.at(i), statements);
        return rows[0] == rows[1] && rows[1] == rows[2];
    };
    // Dovecot may still write how full a mailbox is.
    if (process::eventually(are_equal, 10s, 500ms)) return;
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (rows.at(i) != rows[0])
            world.findings.breach(label + ": n" + nodes.at(i) + " has\n"
                                  + difference(rows.at(i), rows[0]) + " of n1");
    }
}

// --- What is found ------------------------------------------------------------------------------

struct Row {
    std::string hash;
    int generation;
};

struct Tables {
    std::map<std::string, Row> mailboxes;
    std::vector<std::string> in_order;
    std::map<std::string, Counts> audited;
    std::map<std::string, int> kept;  // mail of deleted mailboxes
};

// Remembers the password of each hash, because verifying takes a few hundredths of a second.
bool is_hash_of(const std::string& hash, const std::string& password)
{
    static std::map<std::string, std::string> known;
    if (const auto found = known.find(hash); found != known.end()) return found->second == password;
    if (!story::is_hash_of(hash, password)) return false;
    known.emplace(hash, password);
    return true;
}

Found found(const Tables& tables, const std::string& name)
{
    const auto row = tables.mailboxes.find(name);
    if (row == tables.mailboxes.end()) return std::nullopt;
    return [hash = row->second.hash](const std::string& password) {
        return is_hash_of(hash, password);
    };
}

Tables tables_of(World& world, const Domain& domain, const std::string& label)
{
    Tables tables;
    const auto name = stack::quote(domain.name);
    for (
        const auto& row : world.stack.sql(
            "SELECT m.local_part, m.password, m.generation FROM mailbox m JOIN domain d ON d.id = m.domain_id"
            " WHERE d.name = "
            + name + " ORDER BY m.id")) {
        tables.in_order.push_back(row.at(0));
        tables.mailboxes.emplace(row.at(0), Row{row.at(1), std::stoi(row.at(2))});
        if (!domain.names.contains(row.at(0)))
            world.findings.breach(label + ": nobody made " + row.at(0) + "@" + domain.name);
    }
    for (const auto& row :
         world.stack.sql("SELECT local_part, action, actor, COUNT(*) FROM audit_log WHERE domain = "
                         + name + " AND local_part <> '' GROUP BY local_part, action, actor")) {
        auto& counts = tables.audited[row.at(0)];
        auto& count = row.at(1) == "create"     ? counts.created
                      : row.at(1) == "password" ? counts.changed
                                                : counts.deleted;
        count += std::stoi(row.at(3));
        if (!domain.key_ids.contains(row.at(2)))
            world.findings.breach(label + ": " + row.at(2) + " changed something in "
                                  + domain.name);
    }
    for (const auto& row :
         world.stack.sql("SELECT local_part, COUNT(*) FROM deleted_mailbox WHERE domain = " + name
                         + " GROUP BY local_part")) {
        tables.kept[row.at(0)] = std::stoi(row.at(1));
    }
    return tables;
}

// Reads page by page, until a short one.
std::vector<std::string> listed_names(World& world, const Client& client)
{
    constexpr std::size_t kPage = 7;
    std::vector<std::string> names;
    while (true) {
        const auto asked =
            world.ask(client.key, "GET",
                      "/" + client.domain + "/mailboxes?limit=" + std::to_string(kPage)
                          + "&skip=" + std::to_string(names.size()));
        const auto page = answers::page(asked.answer);
        for (const auto& item : page.items)
            names.push_back(item.mailbox.substr(0, item.mailbox.find('@')));
        if (page.items.size() < kPage) return names;
    }
}

// --- Comparing with the answers -----------------------------------------------------------------

void compare_journal(World& world, Client& client, const Tables& tables, const std::string& label)
{
    const auto who =
        label + ", client " + std::to_string(client.index) + " in " + client.domain + ": ";
    std::map<std::string, Found> all;
    for (const auto& [name, record] : client.journal.records())
        all.emplace(name, found(tables, name));
    for (const auto& sentence : client.journal.settle(all)) world.findings.breach(who + sentence);
    for (const auto& [name, record] : client.journal.records()) {
        if (record.is_breached) continue;
        const auto audited = tables.audited.find(name);
        const auto counts = audited == tables.audited.end() ? Counts{} : audited->second;
        const auto said =
            who + name + ", by " + (record.label.empty() ? "nobody" : record.label) + ": ";
        if (counts != record.done)
            world.findings.breach(said + text(record.done) + ", but by the audit log "
                                  + text(counts));
        const auto kept = tables.kept.find(name);
        const auto deleted = kept == tables.kept.end() ? 0 : kept->second;
        if (deleted != record.done.deleted)
            world.findings.breach(said + std::to_string(record.done.deleted)
                                  + " deleted, but kept are " + std::to_string(deleted));
        if (!record.password) continue;
        const auto generation = tables.mailboxes.at(name).generation;
        if (generation != record.generation) {
            world.findings.breach(said + "its generation is " + std::to_string(generation)
                                  + " instead of " + std::to_string(record.generation));
        }
    }
}

void compare_domain(World& world, Domain& domain, const std::string& label)
{
    const auto tables = tables_of(world, domain, label);
    for (auto& client : world.clients) {
        if (client.domain != domain.name) continue;
        compare_journal(world, client, tables, label);
        if (listed_names(world, client) != tables.in_order)
            world.findings.breach(label + ": the list of " + domain.name + " is not its rows");
    }
    for (const auto& name : plan::contested_names()) {
        const auto audited = tables.audited.find(name);
        const auto breach = domain.contest->settle(
            name, audited == tables.audited.end() ? Counts{} : audited->second,
            found(tables, name));
        if (!breach.empty()) world.findings.breach(label + " in " + domain.name + ": " + breach);
    }
}

// --- Logins -------------------------------------------------------------------------------------

// Returns the answer to a login; repeats temporary failures.
std::string login(World& world, const std::string& address, const std::string& password,
                  const std::function<void(mail::Imap&)>& then = {})
{
    std::string said;
    await(world, "nobody can log in at all: " + address, [&] {
        mail::Imap imap{{world.stack.port("IMAP_PORT")}};
        said = imap.login(address, password);
        if (said.starts_with("OK ") && then) then(imap);
        return said.starts_with("OK ") || said.starts_with("NO [AUTHENTICATIONFAILED]");
    });
    return said;
}

std::vector<std::string> subjects(mail::Imap& imap)
{
    std::vector<std::string> all;
    if (imap.select() == 0) return all;
    constexpr std::string_view kName = "Subject: ";
    for (const auto& header : imap.ask("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").literals) {
        const auto begin = header.find(kName) + kName.size();
        all.push_back(header.substr(begin, header.find("\r\n", begin) - begin));
    }
    return all;
}

struct Login {
    std::string address;
    std::string password;
    bool opens;
    std::string label;
    std::string life;                // the beginning of its messages' subjects
    std::vector<std::string> mails;  // messages that were accepted for it
};

void log_in(World& world, const Login& wanted, const std::string& label)
{
    std::vector<std::string> found;
    const auto said = login(world, wanted.address, wanted.password,
                            [&](mail::Imap& imap) { found = subjects(imap); });
    if (said.starts_with("OK ") != wanted.opens) {
        world.findings.breach(label + ": '" + wanted.password + "' of " + wanted.address
                              + ", as it is by " + wanted.label + ", was answered " + said);
        return;
    }
    for (const auto& subject : found) {
        if (!subject.starts_with(wanted.life))
            world.findings.breach(label + ": " + wanted.address
                                  + " has a message of another one of its name: " + subject);
    }
    for (const auto& subject : wanted.opens ? wanted.mails : std::vector<std::string>{}) {
        if (std::find(found.begin(), found.end(), subject) == found.end())
            world.findings.breach(label + ": " + wanted.address + " has lost the message "
                                  + subject);
    }
}

// Logs in to each existing mailbox with its password. Tries only a few invalid passwords, because
// each refusal takes two seconds.
void compare_logins(World& world, const std::string& label, plan::Random& random)
{
    constexpr std::size_t kRefused = 4;
    std::vector<Login> all;
    std::vector<Login> refused;
    for (const auto& client : world.clients) {
        for (const auto& [name, record] : client.journal.records()) {
            if (record.is_breached) continue;
            const auto address = name + "@" + client.domain;
            const auto life = name + " " + std::to_string(record.done.created) + " ";
            if (record.password)
                all.push_back({address, *record.password, true, record.label, life, record.mails});
            if (!record.former.empty())
                refused.push_back({address, record.former, false, record.label, "", {}});
        }
    }
    for (std::size_t i = 0; i < kRefused && !refused.empty(); ++i) {
        const auto at = static_cast<std::ptrdiff_t>(random.below(refused.size()));
        all.insert(all.begin(), refused[static_cast<std::size_t>(at)]);
        refused.erase(refused.begin() + at);
    }
    mail::in_parallel(all.size(), 2 * kRefused,
                      [&](std::size_t i) { log_in(world, all[i], label); });
}

}  // namespace

void come_to_rest(World& world, const std::string& label)
{
    world.faults.mend();
    await(world, label + ": not everything answers again", [&] { return answers_all(world); });
    finish_what_is_open(world);
    await(world, label + ": a transaction is left open", [&] {
        return world.stack.value("SELECT COUNT(*) FROM information_schema.innodb_trx") == "0";
    });
    await(world, label + ": there are not as many workers as configured",
          [&] { return world.stack.serving_workers().size() == world.stack.configured_workers(); });
    if (!world.stack.has_setting("SMTP_PORT")) return;
    await(world, label + ": mail is left in the queue", [&] {
        mail::flush(world.stack);
        return mail::is_queue_empty(world.stack);
    });
}

Doubts compare(World& world, const std::string& label, plan::Random& random)
{
    const auto sum = [&](auto number) {
        return std::accumulate(world.clients.begin(), world.clients.end(), std::size_t{0},
                               [&](std::size_t before, const Client& client) {
            return before + number(client.journal);
        });
    };
    const auto changes = [](const Journal& journal) {
        return std::accumulate(journal.records().begin(), journal.records().end(), std::size_t{0},
                               [](std::size_t before, const auto& each) {
            const auto& done = each.second.done;
            return before + static_cast<std::size_t>(done.created + done.changed + done.deleted);
        });
    };
    Doubts doubts{.all = sum([](const Journal& journal) { return journal.in_doubt(); })};
    const auto before = sum(changes);
    if (world.stack.has_setting("GALERA_DIR")) compare_nodes(world, label);
    for (auto& domain : world.domains) compare_domain(world, domain, label);
    doubts.carried_out = sum(changes) - before;
    world.compare_batches();
    for (const auto& sentence : story::wrong_counters(world.stack))
        world.findings.breach(label + ": " + sentence);
    if (world.stack.has_setting("IMAP_PORT")) compare_logins(world, label, random);
    return doubts;
}

void check(World& world)
{
    process::Arguments command{world.stack.setting("MAILBOXCTL"), "--config",
                               world.stack.setting("MAILBOXD_CONF"), "check"};
    if (world.stack.has_setting("SMTP_PORT")) command = mail::as_root(command);
    const auto ended = process::run(command);
    if (ended.exit != 0)
        world.findings.breach("at the end mailboxctl check says:\n" + ended.out + ended.err);
}

}  // namespace torture
