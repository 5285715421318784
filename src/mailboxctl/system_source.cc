#include "mailboxctl/system_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/connection.h"
#include "mailboxctl/dump_tables.h"
#include "mailboxctl/import_csv.h"
#include "mailboxctl/import_file.h"
#include "mailboxctl/import_values.h"
#include "mailboxctl/live_tables.h"
#include "mailboxctl/systems/systems.h"
#include "peers/sqlite.h"

namespace system_source {
namespace {

const systems::System& system_of(std::string_view name)
{
    const auto* const system = systems::find(name);
    if (system == nullptr)
        throw admin::Refused("'" + std::string{name}
                             + "' is not a system that can be imported; use " + names());
    return *system;
}

source_tables::Tables tables_of(const systems::System& system, const std::string& where,
                                const Options& options, const Config& config)
{
    if (where.starts_with("mysql://")) {
        auto database = live_tables::database_of(where);
        database.password_file = options.password_file;
        database.password_setting = "--source-password-file";
        try {
            return live_tables::of_mysql(database, config, system.wanted);
        } catch (const db::Error& error) {
            throw admin::Refused(where + ": " + error.what());
        }
    }
    if (sqlite::is_database(where)) return live_tables::of_sqlite(where, system.wanted);
    import_file::File file{where};
    return dump_tables::read(file, system.wanted);
}

// Several servers in one database have their own mail, so one must be chosen.
void expect_one_server(const source_tables::Tables& tables)
{
    std::map<std::string, std::int64_t> mailboxes;
    for (const auto& row : tables["mail_user"].rows()) ++mailboxes[row["server_id"]];
    if (mailboxes.size() < 2) return;
    std::vector<std::string> servers;
    for (const auto& [id, count] : mailboxes)
        servers.push_back(id + " (" + std::to_string(count) + " mailboxes)");
    throw admin::Refused("the tables have the mailboxes of several servers: "
                         + strings::joined(servers, ", ")
                         + "; --server-id N says which server's are imported");
}

void check_mail(const systems::System& system, const translation::Mail& mail)
{
    if (!mail.is_wanted) return;
    if (!system.obstacle_to_adoption.empty())
        throw admin::Refused(std::string{system.obstacle_to_adoption});
    if (mail.root.empty() && !system.has_absolute_paths)
        throw admin::Refused(std::string{system.name}
                             + " does not store where its mail is; --mail-root DIR says it");
    if (!mail.root.empty() && !mail.root.starts_with('/'))
        throw admin::Refused("--mail-root '" + mail.root + "' is not an absolute path");
}

// A mailbox that never got mail may have no Maildir. It is imported without one.
void drop_absent_maildirs(translation::Translated& translated)
{
    translation::Note absent{.table = "mailbox",
                             .what = "has no Maildir, so no mail is taken over"};
    std::int64_t all = 0;
    std::string example;
    for (auto& row : translated.rows) {
        if (row.maildir.empty()) continue;
        ++all;
        struct stat about {};
        if (::lstat(row.maildir.c_str(), &about) == 0 || (errno != ENOENT && errno != ENOTDIR))
            continue;
        if (example.empty()) example = row.maildir;
        row.maildir.clear();
        absent.subjects.push_back(row.address);
        ++absent.count;
    }
    if (absent.count == 0) return;
    if (absent.count == all)
        throw admin::Refused("none of the " + std::to_string(all)
                             + " Maildirs is there, for example " + example
                             + "; --mail-root DIR says where the old mail is");
    translated.notes.push_back(std::move(absent));
}

}  // namespace

bool Source::next(import_row::Read& read)
{
    if (next_ == translated_.rows.size()) return false;
    read.row = translated_.rows[next_++];
    read.problem.reset();
    read.record.clear();
    return true;
}

double Source::progress() const
{
    if (translated_.rows.empty()) return 1;
    return static_cast<double>(next_) / static_cast<double>(translated_.rows.size());
}

std::string Source::place_of(const import_row::Read& read,
                             const import_row::Problem& /*problem*/) const
{
    const auto* const kind = read.row.kind == import_row::Kind::mailbox ? "mailbox "
                             : read.row.kind == import_row::Kind::alias ? "alias "
                                                                        : "alias domain ";
    return kind + import_values::shown(read.row.address);
}

std::string Source::bad_heading() const
{
    std::vector<std::string> names;
    for (const auto& column : import_csv::columns()) names.emplace_back(column.name);
    names.emplace_back(import_csv::kReason);
    return import_csv::line_of(names) + "\n";
}

std::string Source::bad_record(const import_row::Read& read,
                               const import_row::Problem& problem) const
{
    std::vector<std::string> values;
    for (const auto& column : import_csv::columns()) values.push_back(read.row.*(column.member));
    values.push_back((problem.column.empty() ? "" : std::string{problem.column} + ": ")
                     + problem.reason);
    return import_csv::line_of(values) + "\n";
}

std::string names()
{
    std::vector<std::string_view> all;
    for (const auto* const system : systems::all()) all.push_back(system->name);
    return strings::joined(all, ", ");
}

translation::Translated translated(std::string_view system, const source_tables::Tables& tables,
                                   const translation::Settings& settings)
{
    const auto& its = system_of(system);
    check_mail(its, settings.mail);
    if (settings.server && !its.has_servers)
        throw admin::Refused("--server-id is only for systems with several servers in one database;"
                             " "
                             + std::string{its.name} + " has none");
    if (its.has_servers && !settings.server) expect_one_server(tables);
    translation::Translation translation{settings};
    its.translate(tables, translation);
    return translation.finish();
}

std::unique_ptr<Source> open(std::string_view system, const std::string& where,
                             const Options& options, const Config& config)
{
    const auto& its = system_of(system);
    check_mail(its, options.settings.mail);
    auto all = translated(system, tables_of(its, where, options, config), options.settings);
    drop_absent_maildirs(all);
    return std::make_unique<Source>(std::move(all));
}

std::string sentence_of(const translation::Note& note)
{
    return note.table + ": " + note.what + " (" + std::to_string(note.count) + ")";
}

}  // namespace system_source
