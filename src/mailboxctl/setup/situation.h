// situation.h - what `mailboxctl setup` has found on the machine before it makes a plan.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fill_in.h"
#include "mailboxctl/setup/plan.h"

namespace setup {

struct Situation {
    const Machine& machine;
    const Options& options;
    const Journal& journal;

    // What was decided at the first look, which later looks cannot see any more, because setup has
    // changed it: for example whether Postfix had domains of its own.
    std::map<std::string, std::string> facts{};
    std::set<std::string> missing{};     // packages that will be installed
    std::vector<Listener> listeners{};   // on this machine
    std::vector<std::string> secrets{};  // texts that no diff may show
    // Versions of the programs, or those that will be installed: 1.22.1, 2.3.19.1, 3.7.11.
    std::string nginx{}, dovecot{}, postfix{};
    std::string store{};               // the mail store's folder
    std::string store_user{};          // and its owner
    std::string db_socket{};           // of the database; empty: it is on db_host
    std::string certificate{}, key{};  // files

    bool will_be_installed(const std::string& package) const { return missing.contains(package); }
    std::string fact(const std::string& name) const;
    // Returns the fact; decides it first if it is not known.
    template <typename Decide>
    std::string decided(const std::string& name, Decide decide)
    {
        const auto found = facts.find(name);
        return found != facts.end() ? found->second : facts[name] = decide();
    }
};

// Returns the secret of a file in /etc/mailboxd, its first line; "(new)" if there is no file yet.
std::string secret(const Machine& machine, const std::string& name);

// Returns whether the version is at least the other one. Compares numbers between dots.
bool is_at_least(const std::string& version, const std::string& other);

// Looks at everything that concerns several parts: packages and the network, versions, users,
// space, the host name, edited templates, AppArmor. Adds an obstacle for each that is in the way.
void look(Situation& situation, Plan& plan);

// Returns a part's obstacle if another program has a port that the part needs; empty if none has.
std::string port_obstacle(const Situation& situation, int port, const std::string& own_program);

// Returns whether a user of the system has mail on this machine.
bool has_system_mail(const Machine& machine);

// Returns the templates of a folder below /usr/share/mailboxd, by their names.
std::map<std::string, std::string> templates(const Machine& machine, const std::string& folder);
// Adds the templates of a folder as files of setup, filled in.
void add_templates(Plan& plan, const Situation& situation, const std::string& part,
                   const std::string& folder, const std::string& target, const Access& access,
                   const std::string& unit, const std::function<fill_in::Values()>& values,
                   bool& is_changed);

// Returns the text of a template for the database on another host: `unix:` is for sockets only.
std::string for_host(std::string text, const Situation& situation);

// Adds the step that makes a unit use what was written: `what` is reload-or-restart or restart.
// Does so also if the unit does not run, or still has to be reloaded after a run that was
// interrupted.
void add_restart(Plan& plan, Situation& situation, std::string_view part, const std::string& unit,
                 const std::string& verb, bool is_changed);
// Reloads or restarts the unit; throws Rejected with the unit's own words if it does not run then.
void restart(Work& work, const std::string& unit, const std::string& verb);

// Adds the step that makes a secret of random characters in /etc/mailboxd, if there is none.
void add_secret(Plan& plan, const Situation& situation, std::string_view part,
                const std::string& file, const std::string& owner);

// Adds the step that lets a program check what was written.
void add_check(Plan& plan, std::string_view part, const std::vector<std::string>& words);

// The parts. Each looks at its own program and adds its obstacles and its steps.
void add_packages(Plan& plan, Situation& situation);
void add_users(Plan& plan, const Situation& situation);
void add_database(Plan& plan, Situation& situation);
void add_service(Plan& plan, Situation& situation);
void add_store(Plan& plan, Situation& situation);
void add_certificate(Plan& plan, Situation& situation);
void add_nginx(Plan& plan, Situation& situation);
void add_dovecot(Plan& plan, Situation& situation);
void add_postfix(Plan& plan, Situation& situation);
void add_srs(Plan& plan, Situation& situation);
void add_account(Plan& plan, Situation& situation);

}  // namespace setup
