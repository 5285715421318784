// store_part.cc - the mail store's folder, its janitor, what the database's unit tells the mail
// servers, and postsrsd.

#include <regex>

#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

// A disk that was just mounted there has no more than this.
bool is_fresh(const Machine& machine, const std::string& folder)
{
    const auto names = machine.names(folder);
    return names.empty() || names == std::vector<std::string>{"lost+found"};
}

void add_folder(Plan& plan, const Situation& situation)
{
    const auto& folder = situation.store;
    if (situation.machine.exists(folder)) {
        const auto access = situation.machine.access(folder);
        if (!access || access->owner == situation.store_user || situation.machine.is_test()) return;
        if (access->owner == "root" && is_fresh(situation.machine, folder)) {
            plan.add(Phase::create, Kind::create, "store",
                     "the mail store " + folder + ": the empty folder is given to "
                         + situation.store_user,
                     [folder, owner = situation.store_user](Work& work) {
                work.machine.set_access(folder, {0700, owner, ""});
            });
            return;
        }
        plan.obstacles.push_back(
            "the mail store " + folder + " belongs to " + access->owner + ", not to "
            + situation.store_user + ". Give it to that user (chown -R " + situation.store_user
            + ": " + folder
            + "), name the present owner in store_user of mailboxd.conf, or name another folder with --store");
        return;
    }
    plan.add(Phase::create, Kind::create, "store",
             "the mail store " + folder + ", for " + situation.store_user + " alone",
             [folder, owner = situation.store_user](Work& work) {
        work.machine.make_folder(folder, {0700, owner, ""});
    });
}

// Unattended upgrades restart the database; then Postfix and Dovecot are reloaded.
void add_database_units(Plan& plan, const Situation& situation)
{
    if (!situation.options.db_host.empty()) return;
    bool is_changed = false;
    for (const char* unit : {"mariadb", "mysql"}) {
        ManagedFile file{
            std::string{"/etc/systemd/system/"} + unit + ".service.d/mailboxd.conf", "store", {}};
        file.text = [&situation](const std::string&) {
            return situation.machine.contents("/usr/share/mailboxd/systemd/database.conf")
                .value_or("");
        };
        is_changed = add_file(plan, situation.machine, situation.journal, situation.options, file,
                              situation.secrets)
                     || is_changed;
    }
    if (!is_changed || !situation.machine.has_systemd()) return;
    plan.add(Phase::prepare, Kind::run, "store", "systemctl daemon-reload", [](Work& work) {
        work.machine.run({"systemctl", "daemon-reload"});
    });
}

}  // namespace

void add_store(Plan& plan, Situation& situation)
{
    if (!situation.options.has("store")) return;
    add_folder(plan, situation);
    add_database_units(plan, situation);
    add_restart(plan, situation, "store", "mailboxd-janitor.service", "restart", false);
}

void add_srs(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    if (!options.has("srs") || !options.forwards) return;
    for (const int port : {10001, 10002}) {
        if (const auto reason = port_obstacle(situation, port, "postsrsd"); !reason.empty())
            plan.obstacles.push_back("postsrsd cannot rewrite senders: " + reason);
    }
    ManagedFile file{"/etc/default/postsrsd", "srs", {}, ManagedFile::Owner::shared};
    file.comes_by_package = situation.will_be_installed("postsrsd");
    file.unit = "postsrsd.service";
    file.text = [host = options.host](const std::string& text) {
        static const std::regex setting{"(^|\n)#?SRS_DOMAIN=[^\n]*"};
        return std::regex_replace(text, setting, "$1SRS_DOMAIN=" + host,
                                  std::regex_constants::format_first_only);
    };
    const bool is_changed =
        add_file(plan, situation.machine, situation.journal, options, file, situation.secrets);
    add_restart(plan, situation, "srs", "postsrsd.service", "restart", is_changed);
}

}  // namespace setup
