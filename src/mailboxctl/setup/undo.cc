#include "mailboxctl/setup/undo.h"

#include "base/strings.h"
#include "base/text_diff.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

void add_removal(Plan& plan, const std::string& path, const Journal::File& file, bool is_edited)
{
    const auto kept = std::string{kJournalFolder} + "-edited" + path;
    if (is_edited)
        plan.notes.push_back(path + " was edited since setup wrote it; your text will be kept in "
                             + kept);
    plan.add(Phase::write, Kind::write, file.part, path + " (removed)",
             [path, kept, is_edited](Work& work) {
        work.journal.will_change(path);
        if (is_edited)
            work.machine.write(kept, work.machine.contents(path).value_or(""),
                               {0600, "root", "root"});
        work.machine.remove(path);
    });
}

void add_file(Plan& plan, const Machine& machine, const Journal& journal, const std::string& path,
              const Journal::File& file)
{
    if (!machine.exists(path)) return;
    if (!file.link.empty()) {
        if (machine.link(path) == file.link) add_removal(plan, path, file, false);
        return;
    }
    const auto present = machine.contents(path).value_or("");
    const auto written = journal.written(path), original = journal.original(path);
    if (!file.has_original) {
        add_removal(plan, path, file, present != written);
        return;
    }
    if (present == original) return;
    const auto restored = present == written ? std::optional{original}
                                             : text_diff::merged(written, present, original);
    if (!restored) {
        plan.notes.push_back(
            path
            + " was edited where setup had changed it, so it stays as it is. This is what it was before setup: "
            + kJournalFolder + "-edited" + path);
        plan.add(Phase::write, Kind::write, file.part,
                 std::string{kJournalFolder} + "-edited" + path, [path, original](Work& work) {
                     work.machine.write(std::string{kJournalFolder} + "-edited" + path, original,
                                        {0600, "root", "root"});
                 });
        return;
    }
    const auto diff = text_diff::unified(present, *restored, path, path, 0);
    plan.steps.push_back({Phase::write, Kind::write, file.part, path, diff,
                          [path, text = *restored, access = file.original_access](Work& work) {
        work.journal.will_change(path);
        work.machine.write(path, text, access);
                          }});
}

void add_stop(Plan& plan, const Machine& machine, const std::string& unit)
{
    const bool is_active = machine.run({"systemctl", "--quiet", "is-active", unit}).is_well();
    const bool is_enabled = machine.run({"systemctl", "is-enabled", unit}).said() == "enabled";
    if (!is_active && !is_enabled) return;
    plan.add(Phase::create, Kind::run, "service", "systemctl disable --now " + unit,
             [unit](Work& work) {
        work.machine.run({"systemctl", "disable", "--now", unit});
    });
}

// The daemons whose files change are checked and reloaded.
void add_daemon(Plan& plan, const Machine& machine, const Journal& journal, std::string_view part,
                const std::string& unit, const std::vector<std::string>& check)
{
    bool is_changed = false;
    for (const auto& step : plan.steps)
        is_changed = is_changed || (step.part == part && step.kind == Kind::write);
    if (!is_changed) return;
    if (!check.empty() && machine.has_program(check[0])) add_check(plan, part, check);
    const auto was = journal.facts.find("unit " + unit);
    if (machine.has_systemd() && was != journal.facts.end() && was->second == "stopped") {
        plan.add(Phase::restart, Kind::run, part, "systemctl disable --now " + unit,
                 [unit](Work& work) {
            work.machine.run({"systemctl", "disable", "--now", unit});
        });
        return;
    }
    if (!machine.has_systemd()
        || !machine.run({"systemctl", "--quiet", "is-active", unit}).is_well())
        return;
    plan.add(Phase::restart, Kind::restart, part, unit, [unit](Work& work) {
        work.journal.will_reload(unit);
        const auto ended = work.machine.run({"systemctl", "restart", unit});
        if (!ended.is_well())
            throw Rejected("'systemctl restart " + unit + "' failed: " + ended.said());
    });
}

}  // namespace

Plan undo_plan(const Machine& machine, const Journal& journal)
{
    Plan plan;
    if (machine.has_systemd()) {
        for (const char* unit :
             {"mailboxd-janitor.service", "mailboxd-rehash.socket", "mailboxd-rehash.service",
              "mailboxd.socket", "mailboxd-metrics.socket", "mailboxd.service"})
            add_stop(plan, machine, unit);
    }
    for (const auto& [path, file] : journal.files()) add_file(plan, machine, journal, path, file);
    add_daemon(plan, machine, journal, "nginx", "nginx.service", {"nginx", "-t"});
    add_daemon(plan, machine, journal, "dovecot", "dovecot.service", {"doveconf", "-n"});
    add_daemon(plan, machine, journal, "postfix", "postfix.service", {"postfix", "check"});
    add_daemon(plan, machine, journal, "srs", "postsrsd.service", {});
    if (machine.has_systemd() && !plan.steps.empty())
        plan.add(Phase::prepare, Kind::run, "service", "systemctl daemon-reload", [](Work& work) {
            work.machine.run({"systemctl", "daemon-reload"});
        });
    sort(plan);
    return plan;
}

std::vector<std::string> what_is_left(const Journal& journal, const Options& options)
{
    std::vector<std::string> all{
        "the database " + options.db_name + " with its users",
        "the secrets in /etc/mailboxd, with which setup uses that database again",
        "the mail store " + (options.store.empty() ? "/srv/mail" : options.store),
        "a certificate that setup has made, in /etc/ssl"};
    if (!journal.packages.empty())
        all.push_back("the packages that setup has installed: "
                      + strings::joined(journal.packages, " "));
    return all;
}

}  // namespace setup
