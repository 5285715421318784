#include "mailboxctl/setup/setup.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <regex>

#include "base/strings.h"
#include "db/accounts.h"
#include "mail/address.h"
#include "mailboxctl/setup/closing.h"
#include "mailboxctl/setup/run.h"
#include "mailboxctl/setup/situation.h"
#include "mailboxctl/setup/undo.h"

namespace setup {
namespace {

// --- the order ------------------------------------------------------------------------

// Looks at everything and plans every part. A part that others depend on comes before them:
// Postfix's files name Dovecot's sockets, and mailboxd.conf says which servers are ours.
Plan planned(Situation& situation)
{
    Plan plan;
    look(situation, plan);
    add_users(plan, situation);
    add_database(plan, situation);
    add_certificate(plan, situation);
    add_nginx(plan, situation);
    add_dovecot(plan, situation);
    add_postfix(plan, situation);
    add_srs(plan, situation);
    add_service(plan, situation);
    add_store(plan, situation);
    add_account(plan, situation);
    sort(plan);
    return plan;
}

// Two runs at once would undo each other's files. A dry run changes nothing, so it may run beside.
Descriptor locked(const Machine& machine, const Options& options)
{
    if (options.is_dry_run) return {};
    try {
        return machine.lock("/run/mailboxctl-setup/lock");
    } catch (const std::runtime_error& error) {
        throw admin::Refused(error.what());
    }
}

// --- output ---------------------------------------------------------------------------

// Everything that is told, for people as it happens and for programs as one document at the end.
class Report {
public:
    Report(const Options& options, std::ostream& out) : options_{options}, out_{out} {}
    std::ostream& progress() { return options_.is_json ? nowhere_ : out_; }
    void show(const Plan& plan)
    {
        plan_ = as_json(plan);
        if (!options_.is_json) print(plan, out_);
    }
    void line(const std::string& text) { progress() << text << '\n'; }
    void list(const char* name, const std::string& heading, const std::vector<std::string>& lines)
    {
        if (lines.empty()) return;
        more_.emplace_back(
            name, json::array(lines, [](const std::string& text) { return json::quoted(text); }));
        line("\n" + heading);
        for (const auto& text : lines) line("  " + text);
    }
    void add(const char* name, const std::string& text) { more_.emplace_back(name, text); }
    // `result`: a word for programs. Returns the status.
    int end(const char* result, const std::string& sentence, int status)
    {
        line(sentence);
        if (!options_.is_json) return status;
        json::Members all{{"result", std::string{result}}, {"message", sentence}};
        all.insert(all.end(), plan_.begin(), plan_.end());
        all.insert(all.end(), more_.begin(), more_.end());
        out_ << json::object(all);
        return status;
    }

private:
    const Options& options_;
    std::ostream& out_;
    std::ostream nowhere_{nullptr};
    json::Members plan_, more_;
};

// Returns a status if the run ends here, before anything is changed.
std::optional<int> ended_before(const Plan& plan, const Options& options, Ask ask, Report& report)
{
    if (!plan.obstacles.empty())
        return report.end(
            "obstacles",
            "Nothing was changed, because something is in the way; see the lines that begin with \"obstacle\".",
            command::kFailed);
    if (plan.is_empty())
        return report.end("nothing", "Nothing to do: everything is as setup makes it.", 0);
    if (options.is_dry_run)
        return report.end("planned", "This is the plan. Nothing was changed.", 0);
    if (options.is_confirmed) return std::nullopt;
    if (ask == nullptr || options.is_json)
        return report.end(
            "refused",
            "Nothing was changed: there is no terminal to ask at. Add --yes to carry this out without a question.",
            command::kFailed);
    if (!ask(report.progress()))
        return report.end("refused", "Nothing was changed.", command::kFailed);
    return std::nullopt;
}

int failed(const Outcome& outcome, Report& report)
{
    if (outcome.put_back.empty())
        return report.end(
            "failed",
            outcome.error + ". What was done before this step stays; the command can be repeated.",
            command::kFailed);
    report.list("put_back", "These files are again what they were:", outcome.put_back);
    return report.end("put_back",
                      outcome.error
                          + ". All files of this run were put back; the command can be repeated.",
                      command::kFailed);
}

// A document must not have secrets, because programs log what they read.
void show_secrets(const Work& work, const Machine& machine, const Options& options, Report& report)
{
    if (work.secrets.empty()) return;
    if (options.is_json) {
        report.add("secrets_file", kSecretsFile);
        return;
    }
    report.list("", "These are shown only once, so keep them:", work.secrets);
    report.progress() << std::flush;  // before the file goes: a pipe or a file keeps lines back
    machine.remove(kSecretsFile);
}

void close(const Work& work, const Situation& situation, Report& report)
{
    const auto& options = situation.options;
    show_secrets(work, situation.machine, options, report);
    report.list("dns", "The DNS needs these records:", dns_records(options));
    const bool is_self_signed = situation.fact("certificate") == "self-signed";
    report.list(
        "try",
        "Set KEY to the API key; then these lines make a mailbox, send mail to it and read it:",
        lines_to_paste(options, is_self_signed ? situation.certificate : ""));
    report.list("further", "Also:", work.notes);
    if (!options.has("service") || situation.machine.is_test()) return;
    const auto checked =
        situation.machine.run({"/proc/self/exe", "--config", options.configuration, "check"});
    report.list("check", "mailboxctl check says:", strings::words(checked.said(), "\n"));
}

}  // namespace

int set_up(const Machine& machine, Options options, Ask ask, std::ostream& out)
{
    const auto lock = locked(machine, options);
    Journal journal{machine};
    Report report{options, out};
    Situation situation{machine, options, journal};
    auto plan = planned(situation);
    if (journal.is_interrupted())
        plan.notes.push_back("an earlier run did not end; this one goes on where that one stopped");
    if (machine.exists(kSecretsFile))
        plan.notes.push_back(
            std::string{kSecretsFile}
            + " has the API key or the postmaster's password of an earlier run. Keep them elsewhere, and remove the file");
    report.show(plan);
    if (const auto status = ended_before(plan, options, ask, report)) {
        if (plan.is_empty() && journal.is_interrupted() && !options.is_dry_run) journal.end();
        return *status;
    }
    const auto facts = journal.facts, remembered_before = journal.options;
    journal.facts = situation.facts;
    journal.options = remembered(options);
    Work work{machine, options, journal, {}, {}};
    const auto outcome = carry_out(plan, work, report.progress());
    if (!outcome.is_done) {
        if (!outcome.put_back.empty()) {
            journal.facts = facts;
            journal.options = remembered_before;
            journal.save();
        }
        return failed(outcome, report);
    }
    close(work, situation, report);
    return report.end("done", "Done.", 0);
}

int undo(const Machine& machine, Options options, Ask ask, std::ostream& out)
{
    const auto lock = locked(machine, options);
    Journal journal{machine};
    Report report{options, out};
    if (journal.is_empty())
        return report.end("nothing", "Nothing to do: setup has written nothing here.", 0);
    auto plan = undo_plan(machine, journal);
    report.show(plan);
    if (!plan.is_empty()) {
        if (const auto status = ended_before(plan, options, ask, report)) return *status;
        Work work{machine, options, journal, {}, {}};
        const auto outcome = carry_out(plan, work, report.progress());
        if (!outcome.is_done) return failed(outcome, report);
    }
    std::filesystem::remove_all(machine.real(kJournalFolder));
    report.list("left", "Still there:", what_is_left(journal, options));
    return report.end("done", "Done.", 0);
}

// --- the command ----------------------------------------------------------------------

namespace {

namespace po = boost::program_options;
using command::WrongUsage;

po::options_description setup_options()
{
    const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
    po::options_description options;
    options.add_options()("host", text("NAME"),
                          "the server's own name, for example mail.example.org")(
        "domain", text("DOMAIN"), "the first customer's domain")(
        "account", text("NAME"),
        "the account that gets it (default: main)")("dry-run", "show the plan and change nothing")(
        "yes", "do not ask")("json", "print one JSON document")(
        "only", text("PARTS"),
        "only these parts, with commas: packages, database, service, nginx, dovecot, postfix, store, srs, account")(
        "certificate", text("FILE"), "the certificate for the server's name, with its chain")(
        "key", text("FILE"),
        "its private key")("certbot", text("ADDRESS"),
                           "get a certificate of Let's Encrypt, with this contact address")(
        "store", text("FOLDER"), "the mail store (default: as in mailboxd.conf, /srv/mail)")(
        "forward", "let aliases send to other servers: postsrsd")(
        "rehash", "replace old password hashes when their users log in")(
        "db-host", text("HOST"), "the database is on another machine")(
        "db-name", text("NAME"), "the database (default: mailboxd)")(
        "db-admin-user", text("USER"), "its administrator (default: root, by the socket)")(
        "db-admin-password-file", text("FILE"),
        "file whose first line is the administrator's password")(
        "take-new", po::value<std::vector<std::string>>()->value_name("FILE"),
        "replace this file although it was edited")("undo", "take out what setup has put in");
    return options;
}

void take(const command::Call& call, const char* name, std::string& value)
{
    if (call.has(name)) value = call.text(name);
}

void take_texts(const command::Call& call, Options& options)
{
    take(call, "host", options.host);
    take(call, "domain", options.domain);
    take(call, "account", options.account);
    take(call, "certificate", options.certificate);
    take(call, "key", options.key);
    take(call, "certbot", options.certbot);
    take(call, "store", options.store);
    take(call, "db-host", options.db_host);
    take(call, "db-name", options.db_name);
    take(call, "db-admin-user", options.db_admin_user);
    take(call, "db-admin-password-file", options.db_admin_password_file);
    take(call, "config", options.configuration);
    // One kind of certificate replaces another that an earlier run was told.
    if (call.has("certbot")) options.certificate = options.key = "";
    if (call.has("certificate")) options.certbot = "";
}

void check_names(Options& options)
{
    if (options.host.empty())
        throw WrongUsage(
            "--host is needed: the server's own name, for example --host mail.example.org");
    const auto host = mailbox::Domain::parse(options.host);
    if (!host || host->name().find('.') == std::string::npos)
        throw WrongUsage("'" + options.host
                         + "' is not the full name of a server, as mail.example.org is");
    options.host = host->name();
    admin::check_account_name(options.account);
    if (options.domain.empty()) return;
    const auto domain = mailbox::Domain::parse(options.domain);
    if (!domain || domain->name().find('.') == std::string::npos)
        throw WrongUsage("'" + options.domain + "' is not a domain");
    options.domain = domain->name();
    if (options.domain == options.host)
        throw WrongUsage(
            "--host must not be a domain of mailboxd: mail for the server itself is not mail for "
            + options.domain);
}

void check(Options& options)
{
    check_names(options);
    for (const auto& part : options.only) {
        if (std::find(kParts.begin(), kParts.end(), part) == kParts.end())
            throw WrongUsage("there is no part " + part + "; the parts are "
                             + strings::joined(kParts, ", "));
    }
    if (options.certificate.empty() != options.key.empty())
        throw WrongUsage("--certificate and --key must be given together");
    if (const auto& file = options.db_admin_password_file;
        !file.empty() && ::access(file.c_str(), R_OK) != 0)
        throw WrongUsage("--db-admin-password-file: " + file + " cannot be read");
    static const std::regex name{"[A-Za-z0-9_]{1,64}"};
    if (!std::regex_match(options.db_name, name))
        throw WrongUsage("--db-name has letters, digits and _ only");
    for (const auto& path : {options.certificate, options.key, options.store}) {
        if (!path.empty()
            && (path[0] != '/' || path.find_first_of(" \t\n;\"'") != std::string::npos))
            throw WrongUsage("'" + path + "' must be an absolute path without blanks and quotes");
    }
}

Options options_of(const command::Call& call, const Journal& journal)
{
    Options options;
    if (!journal.options.empty()) recall(options, journal.options);
    take_texts(call, options);
    if (call.has("only")) {
        options.only.clear();
        for (auto& part : strings::words(call.text("only"), ", "))
            options.only.insert(std::move(part));
    }
    if (call.has("take-new")) {
        for (const auto& path : call.options["take-new"].as<std::vector<std::string>>())
            options.take_new.insert(path);
    }
    options.forwards = options.forwards || call.has("forward");
    options.rehashes = options.rehashes || call.has("rehash");
    options.is_dry_run = call.has("dry-run");
    options.is_confirmed = call.has("yes");
    options.is_json = call.has("json");
    return options;
}

bool asked(std::ostream& out)
{
    out << "Carry this out? [y/N] " << std::flush;
    std::string answer;
    return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

int run(const command::Call& call)
{
    if (::geteuid() != 0) throw admin::Refused("setup changes the system, so run it as root");
    const Machine machine;
    auto options = options_of(call, Journal{machine});
    const Ask ask = ::isatty(STDIN_FILENO) != 0 ? asked : nullptr;
    if (call.has("undo")) return undo(machine, options, ask, std::cout);
    check(options);
    return set_up(machine, options, ask, std::cout);
}

}  // namespace

command::Command command()
{
    return {
        "setup",
        {},
        "set up database, service, nginx, Dovecot and Postfix on this machine",
        "Looks at the machine, prints a plan, asks once, and carries it out: packages, database, secrets, tables, templates\n"
        "filled in, certificate, units, and the first account with domain and key. What other users of the machine have stays.\n"
        "If something is in the way, it says so and changes nothing. If a program refuses its new configuration, all files are\n"
        "put back. A second run has nothing to do; after an upgrade it refreshes what is ours. A later run knows the options\n"
        "of the first. --undo takes out what setup has put in, and leaves database, mail, secrets and packages. Run it as root.",
        setup_options,
        run,
        command::Prints::outcome,
        command::Changes::in_steps,
        false};
}

}  // namespace setup
