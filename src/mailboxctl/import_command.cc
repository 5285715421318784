#include "mailboxctl/import_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "db/transaction.h"
#include "mail/password_hash.h"
#include "mail/password_scheme.h"
#include "mailboxctl/export.h"
#include "mailboxctl/import_adoption.h"
#include "mailboxctl/import_ahead.h"
#include "mailboxctl/import_check.h"
#include "mailboxctl/import_csv.h"
#include "mailboxctl/import_file.h"
#include "mailboxctl/import_json.h"
#include "mailboxctl/import_passwords.h"
#include "mailboxctl/import_report.h"
#include "mailboxctl/import_row.h"
#include "mailboxctl/import_systems.h"
#include "mailboxctl/import_write.h"
#include "mailboxctl/translation.h"
#include "peers/dovecot_schemes.h"

namespace import_command {
namespace {

namespace po = boost::program_options;
using admin::Refused;
using command::Call;
using command::WrongUsage;
using import_ahead::Batch;
using import_check::Verdict;
using import_row::Kind;
using import_row::Read;

po::options_description import_options()
{
    auto options = command::json_option();
    const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
    options.add_options()("account", text("NAME"), "the account that everything belongs to")(
        "dry-run", "check the rows, and change nothing")(
        "all-or-nothing", "change nothing if a row is bad; write everything in one transaction")(
        "update", "change what is different: passwords, quotas, states and targets")(
        "scheme", text("NAME"), "the scheme of hashes that do not say it, for example PLAIN-MD5")(
        "passwords", text("FILE"),
        "give a new password to each new mailbox without one, and write these to FILE")(
        "adopt", text("HOW"),
        "take over the mail of the column maildir: link, copy or no (the default)")(
        "bad", text("FILE"), "write the bad rows to FILE, with the reason added")(
        "report", text("FILE"), "write a line for each row that is not the same to FILE (CSV)");
    import_systems::add_options(options);
    return options;
}

std::unique_ptr<import_row::Source> source_of(import_file::File& file)
{
    int byte = file.peek();
    while (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n') {
        file.get();
        byte = file.peek();
    }
    file.rewind();
    if (byte == '{' || byte == '[') return std::make_unique<import_json::Source>(file);
    return std::make_unique<import_csv::Source>(file);
}

import_values::Hashes hashes_of(const Call& call)
{
    auto schemes = dovecot::schemes();
    if (schemes.empty()) {
        std::cerr << "There is no doveadm on this machine, so hashes are accepted whose schemes "
                     "Dovecot 2.3 and 2.4 verify.\n";
        schemes = password_hash::usual_schemes();
    }
    auto scheme = strings::upper_case(call.text("scheme"));
    if (scheme.starts_with('{') && scheme.ends_with('}'))
        scheme = scheme.substr(1, scheme.size() - 2);
    if (!scheme.empty() && !schemes.contains(scheme.substr(0, scheme.find('.')))) {
        throw WrongUsage("Dovecot verifies no scheme " + scheme
                         + "; doveadm pw -l lists those that it does");
    }
    return {.schemes = std::move(schemes),
            .scheme = std::move(scheme),
            .makes_passwords = call.has("passwords")};
}

// One run of the command.
class Import {
public:
    // `notes`: what the source has that is not imported.
    Import(const Call& call, import_row::Source& source, std::vector<translation::Note> notes = {})
        : notes_{std::move(notes)}, call_{call}, source_{source}, connection_{call.connect()},
          checker_{connection_, call.text("account"), hashes_of(call), call.config},
          report_{source, call.text("bad"), call.text("report")}
    {
        if (const auto how = import_adoption::how_of(call))
            adopter_.emplace(call, connection_, *how);
    }

    int run()
    {
        check();
        import_systems::tell(notes_, report_);
        say_what_will_happen();
        report_.finish();
        if (call_.has("dry-run")) return finish("Checked; nothing was changed. ");
        if (call_.has("all-or-nothing") && report_.of(Verdict::bad) > 0)
            throw Refused("of the rows, " + std::to_string(report_.of(Verdict::bad)) + " are bad; "
                          + report_.sentence());
        const auto changes = report_.of(Verdict::is_new)
                             + (call_.has("update") ? report_.of(Verdict::different) : 0);
        if (changes > 0 || (adopter_ && maildirs_ > 0)) write();
        finish_report();
        return finish(changes > 0 ? "Imported. " : "Nothing had to be changed. ");
    }

private:
    // Calls `work` with the rows of the source, so many at a time.
    template <typename Work>
    void in_chunks(std::string_view what, std::size_t size, Work work,
                   import_ahead::Reader::Parse parse = {})
    {
        import_report::Progress progress{what};
        std::int64_t count = 0;
        import_ahead::Reader reader{source_, size, kPlainAtOnce, std::move(parse)};
        for (import_ahead::Batch batch; reader.next(batch);) {
            count += static_cast<std::int64_t>(batch.rows.size());
            work(batch);
            progress.at(count, batch.progress);
        }
    }

    import_ahead::Reader::Parse parse()
    {
        return [this](const Read& read) { return checker_.parse(read); };
    }

    void check()
    {
        const auto check_mailboxes = [&](Batch& batch) {
            const auto checked = checker_.mailboxes(batch.rows, std::move(batch.parsed));
            auto mailbox = checked.begin();
            for (const auto& read : batch.rows) {
                has_aliases_ =
                    has_aliases_ || read.row.kind != Kind::mailbox || !read.row.aliases.empty();
                if (mailbox == checked.end() || mailbox->line != read.row.line) continue;
                note(read, *mailbox++);
            }
        };
        in_chunks("Checking", bulk::kAtOnce, check_mailboxes, parse());
        if (!has_aliases_) return;
        in_chunks("Checking aliases", bulk::kAtOnce, [&](const Batch& batch) {
            checker_.look_up(batch.rows);
            for (const auto& read : batch.rows) check_aliases(read);
        });
    }

    void note(const Read& read, const import_check::Mailbox& mailbox)
    {
        if (mailbox.verdict == Verdict::bad)
            return report_.bad(Kind::mailbox, read, mailbox.problem);
        const auto& wanted = *mailbox.wanted;
        if (adopter_ && !wanted.maildir.empty()) {
            const auto obstacle = adopter_->obstacle(wanted.maildir);
            if (!obstacle.empty())
                return report_.bad(Kind::mailbox, read, {read.row.line, "maildir", obstacle});
        }
        const bool is_new = mailbox.verdict == Verdict::is_new;
        const auto scheme = password_scheme::of(wanted.hash);
        const bool is_weak =
            is_new && password_scheme::strength(scheme) == password_scheme::Strength::weak;
        auto what = strings::joined(mailbox.differences, "; ");
        if (is_new && !wanted.lost_hash.empty()) what = "gets a new password: " + wanted.lost_hash;
        if (is_weak) what = "Dovecot 2.4 refuses " + scheme + " by default";
        report_.note(Kind::mailbox, mailbox.verdict, read, wanted.address.ascii(), what);
        if (!wanted.maildir.empty()) ++maildirs_;
        if (is_weak) ++weak_[scheme];
        if (is_new && wanted.needs_password) ++made_;
        if (is_new && !wanted.lost_hash.empty()) ++lost_;
    }

    void check_aliases(const Read& read)
    {
        if (read.problem || report_.is_bad(read.row.line)) return;
        if (read.row.kind == Kind::alias_domain) {
            const auto checked = checker_.alias_domain(read.row);
            if (checked.verdict == Verdict::bad)
                return report_.bad(Kind::alias_domain, read, checked.problem);
            report_.note(Kind::alias_domain, checked.verdict, read, checked.wanted->name.name(),
                         strings::joined(checked.differences, "; "));
            return;
        }
        for (const auto& checked : checker_.aliases(read.row)) {
            if (checked.verdict == Verdict::bad) report_.bad(Kind::alias, read, checked.problem);
            else
                report_.note(Kind::alias, checked.verdict, read, checked.wanted->text(),
                             strings::joined(checked.differences, "; "));
        }
    }

    void say_what_will_happen()
    {
        auto& out = std::cerr;
        for (const auto& [name, place] : checker_.places()) {
            if (place.found || place.new_mailboxes + place.new_aliases == 0) continue;
            new_domains_.push_back(name);
            if (bulk::is_removed_domain(connection_, name))
                out << "The domain " << name
                    << " was removed and could be restored with its mail: mailboxctl "
                       "domain restore "
                    << name << ". It cannot be once the import has added it anew.\n";
        }
        if (!new_domains_.empty()) {
            constexpr std::size_t kMostNamed = 10;
            const auto named = std::min(kMostNamed, new_domains_.size());
            const std::vector<std::string> first(
                new_domains_.begin(), new_domains_.begin() + static_cast<std::ptrdiff_t>(named));
            out << "Domains that are added to the account " << call_.text("account") << ": "
                << strings::joined(first, ", ")
                << (named < new_domains_.size()
                        ? " and " + std::to_string(new_domains_.size() - named) + " more"
                        : "")
                << ".\n";
        }
        for (const auto& [scheme, count] : weak_)
            out << "Weak hashes: " << count << " mailboxes have " << scheme
                << ", which Dovecot 2.4 refuses unless auth_allow_weak_schemes = yes. Their users "
                   "could not log in.\n";
        if (lost_ > 0)
            out << lost_
                << " mailboxes have a hash that Dovecot cannot verify, and get a new "
                   "password.\n";
        if (const auto unknown = source_.not_imported(); !unknown.empty())
            out << "Columns that are not imported: " << strings::joined(unknown, ", ") << ".\n";
        if (maildirs_ > 0 && !adopter_)
            out << "The mail of " << maildirs_
                << " Maildirs is not taken over: --adopt link or --adopt copy does that.\n";
        out << report_.sentence() << '\n' << std::flush;
    }

    void write()
    {
        import_write::Options options{.updates = call_.has("update")};
        std::optional<import_passwords::File> passwords;
        if (call_.has("passwords")) passwords.emplace(call_.text("passwords"));
        if (passwords) options.passwords = &*passwords;
        const bool is_one_transaction = call_.has("all-or-nothing");
        std::vector<import_write::Adoptable> waiting;  // until all is committed
        if (adopter_) {
            options.adopt = [&](const import_write::Adoptable& each) {
                if (is_one_transaction) waiting.push_back(each);
                else adopter_->adopt(each);
            };
        }
        if (!is_one_transaction) return write_in_steps(options);
        options.within = audit::Within::transaction_of_caller;
        db::Transaction all{connection_};
        import_write::Writer writer{connection_, checker_, report_, options};
        write(writer, options);
        if (report_.of(Verdict::bad) > 0)
            throw Refused("a row turned out to be bad when it was written");
        all.commit();
        for (const auto& each : waiting) adopter_->adopt(each);
    }

    // The steps before one that fails stay, for example if the disk of a report is full.
    void write_in_steps(const import_write::Options& options)
    {
        import_write::Writer writer{connection_, checker_, report_, options};
        try {
            write(writer, options);
        } catch (const Refused& refused) {
            if (writer.written() == 0) throw;
            throw Refused(std::string{refused.what()} + "; " + std::to_string(writer.written())
                              + " mailboxes and aliases were written before, whole; repeat the "
                                "command to write the others",
                          Refused::Outcome::said);
        }
    }

    void finish_report()
    {
        try {
            report_.finish();
        } catch (const Refused& refused) {
            throw Refused(std::string{refused.what()}
                              + "; everything was imported, but this file is not complete",
                          Refused::Outcome::said);
        }
    }

    void write(import_write::Writer& writer, const import_write::Options& options)
    {
        constexpr std::size_t kAliasesAtOnce = 200;
        // With --update the differences are needed once more.
        if (!options.updates) checker_.set_compares(import_check::Checker::Compares::no_passwords);
        checker_.refresh();
        const auto write_mailboxes = [&](Batch& batch) {
            writer.mailboxes(batch.rows, std::move(batch.parsed));
        };
        // Hashing the passwords of a larger transaction would take minutes, which a kill would
        // lose.
        const auto at_once = call_.has("passwords") ? bulk::kAtOnce : bulk::kInTransaction;
        in_chunks("Importing", at_once, write_mailboxes, parse());
        if (!has_aliases_) return;
        for (int round = 1;; ++round) {
            const auto kind = round > alias::kLongestChain ? import_write::Writer::Round::last
                                                           : import_write::Writer::Round::may_wait;
            std::int64_t waiting = 0;
            checker_.refresh();
            in_chunks("Importing aliases", kAliasesAtOnce, [&](const Batch& batch) {
                waiting += writer.aliases(batch.rows, kind).waiting;
            });
            if (waiting == 0) return;
        }
    }

    int finish(const std::string& start)
    {
        auto members = report_.members();
        members.emplace_back("domains_added", json::array(new_domains_, [](const auto& name) {
                                 return json::quoted(name);
                             }));
        members.emplace_back("passwords_made", made_);
        json::Members schemes;
        for (const auto& [scheme, count] : weak_) schemes.emplace_back(scheme.c_str(), count);
        members.emplace_back("weak_schemes", json::value_of(schemes));
        if (call_.has("from"))
            members.emplace_back("not_imported", import_systems::json_of(notes_));
        const bool has_adopted = adopter_ && !call_.has("dry-run");
        if (has_adopted) {
            for (auto& each : adopter_->members()) members.push_back(std::move(each));
        }
        command::tell(call_, start + report_.sentence() + (has_adopted ? adopter_->sentence() : ""),
                      members);
        const bool has_failed = adopter_ && adopter_->has_failed();
        return report_.of(Verdict::bad) > 0 || has_failed ? command::kFailed : 0;
    }

    // A chunk with more would make its transaction wait for seconds of hashing.
    static constexpr std::size_t kPlainAtOnce = 200;

    const std::vector<translation::Note> notes_;
    const Call& call_;
    import_row::Source& source_;
    db::Connection connection_;
    import_check::Checker checker_;
    import_report::Report report_;
    std::optional<import_adoption::Adopter> adopter_;  // if mail is taken over
    bool has_aliases_ = false;
    std::int64_t maildirs_ = 0;
    std::int64_t made_ = 0;  // mailboxes that get a new password
    std::int64_t lost_ = 0;  // those among them whose hash Dovecot cannot verify
    std::map<std::string, std::int64_t> weak_;
    std::vector<std::string> new_domains_;
};

// Refuses an output that is the input or another output, because opening it empties the file.
void expect_different_files(const Call& call)
{
    std::vector<std::pair<std::string, std::filesystem::path>> files;
    const auto& source = call.arguments[0];
    files.emplace_back(source, source == "-" ? "/dev/stdin" : source);
    for (const char* option : {"bad", "report", "passwords", "source-password-file"}) {
        if (call.has(option)) files.emplace_back(std::string{"--"} + option, call.text(option));
    }
    for (auto one = files.begin(); one != files.end(); ++one) {
        for (auto other = std::next(one); other != files.end(); ++other) {
            std::error_code error;
            const bool is_same = std::filesystem::equivalent(one->second, other->second, error)
                                 || std::filesystem::weakly_canonical(one->second, error)
                                        == std::filesystem::weakly_canonical(other->second, error);
            if (is_same && !std::filesystem::is_character_file(other->second, error))
                throw WrongUsage(one->first + " and " + other->first + " are the same file, "
                                 + other->second.string());
        }
    }
}

int run_import(const Call& call)
{
    if (!call.has("account"))
        throw WrongUsage("--account NAME is missing: everything is imported into one account");
    expect_different_files(call);
    if (const auto system = import_systems::open(call)) {
        auto notes = system->notes();
        return Import{call, *system, std::move(notes)}.run();
    }
    import_file::File file{call.arguments[0]};
    const auto source = source_of(file);
    return Import{call, *source}.run();
}

po::options_description export_options()
{
    auto options = command::json_option();
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "export the domains of an account")("all", "export all domains")(
        "hashes", "export the password hashes, too; needs --output")(
        "output", po::value<std::string>()->value_name("FILE"),
        "write to FILE, with mode 0600, instead of standard output");
    return options;
}

int run_export(const Call& call)
{
    const auto named =
        call.arguments.size() + call.options.count("account") + call.options.count("all");
    if (named != 1) throw WrongUsage("give one of DOMAIN, --account NAME and --all");
    if (call.has("hashes") && !call.has("output"))
        throw WrongUsage("--hashes needs --output FILE, which only its owner can read");
    auto connection = call.connect();
    exporting::What what{.has_hashes = call.has("hashes"), .as_json = call.has("json")};
    if (!call.arguments.empty()) {
        what.domain = call.domain(call.arguments[0]).name();
        admin::Admin{connection}.domain_id(what.domain);  // refuses a domain that does not exist
    }
    what.account = call.text("account");
    if (!what.account.empty()) admin::Admin{connection}.account_id(what.account);
    if (!call.has("output")) {
        exporting::write(connection, what, [](const std::string& line) {
            std::cout << line;
            if (!std::cout) throw command::OutputLost{};
        });
        return 0;
    }
    import_report::Output output{call.text("output")};
    const auto rows =
        exporting::write(connection, what, [&](const std::string& line) { output.write(line); });
    output.finish();
    std::cerr << rows << " rows written to " << call.text("output") << ".\n";
    return 0;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"import",
         {"FILE|-"},
         "import mailboxes, aliases and alias domains",
         "FILE is CSV with the names of its columns in the first line, or JSON, an object for each row; - is standard input.\n"
         "The columns are address, password or hash, quota, state, created_at, aliases, maildir; for aliases and alias domains\n"
         "address, targets, stop, description. All rows are checked before the first one is written. Each is new, same,\n"
         "different or bad. New ones are added; different ones are only reported, unless --update is given; bad ones are left\n"
         "out, unless --all-or-nothing is given. Domains that do not exist are added to the account. Safe to repeat: a second\n"
         "run adds what is missing. The exit status is 1 if a row is bad. With --from, FILE is another mail system's database:\n"
         "a dump, a SQLite file or mysql://USER@HOST/DATABASE. SYSTEM is iredmail, ispconfig, mailcow, postfixadmin or vimbadmin.",
         import_options,
         run_import,
         command::Prints::outcome,
         command::Changes::in_steps},
        {"export",
         {"[DOMAIN]"},
         "export mailboxes, aliases and alias domains",
         "The output is CSV that mailboxctl import reads, or with --json an object for each row. Without --hashes nobody could\n"
         "log in after an import; --passwords of import then makes new passwords.",
         export_options,
         run_export,
         command::Prints::listing},
    };
}

}  // namespace import_command
