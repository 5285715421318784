// service_part.cc - mailboxd.conf, the users of the system, and the units of the service.

#include <array>

#include "base/crypto.h"
#include "base/strings.h"
#include "mailboxctl/setup/conf_text.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

// Returns the text of mailboxd.conf. What the operator has set stays, except what the command line
// asks for.
std::string configuration(const Situation& situation, std::string text)
{
    const auto& options = situation.options;
    const auto set = [&](const char* name, const std::string& value) {
        if (!value.empty() && !conf_text::value(text, name))
            text = conf_text::with(text, name, value);
    };
    const auto change = [&](const char* name, const std::string& value) {
        if (conf_text::value(text, name).value_or("") != value)
            text = conf_text::with(text, name, value);
    };
    if (!options.db_host.empty()) {
        change("db_host", options.db_host);
        if (conf_text::value(text, "db_socket")) text = conf_text::without(text, "db_socket");
    }
    if (options.db_name != "mailboxd") change("db_name", options.db_name);
    change("store", situation.store);
    set("mail_host", options.host);
    std::string urls;
    if (options.has("nginx")) urls += "https://" + options.host;
    if (situation.fact("dovecot") == "alone") urls += " imaps://" + options.host;
    if (situation.fact("postfix") == "alone") urls += " smtps://" + options.host;
    set("tls_urls", std::string{strings::trimmed(urls)});
    if (situation.fact("certificate") == "self-signed") set("tls_ca_file", situation.certificate);
    return text;
}

void add_user(Plan& plan, const Machine& machine, const std::string& name)
{
    if (machine.is_test() || machine.run({"getent", "passwd", name}).is_well()) return;
    plan.add(Phase::create, Kind::create, "service", "the user " + name, [name](Work& work) {
        const auto ended = work.machine.run({"useradd", "--system", "--user-group", "--home-dir",
                                             "/nonexistent", "--shell", "/usr/sbin/nologin", name});
        if (!ended.is_well()) throw Rejected("the user " + name + ": " + ended.said());
    });
}

}  // namespace

void add_users(Plan& plan, const Situation& situation)
{
    const auto& machine = situation.machine;
    const auto& options = situation.options;
    if (options.has("store") || options.has("database"))
        add_user(plan, machine, situation.store_user);
    if (options.has("service") || options.has("database")) add_user(plan, machine, "mailboxd");
    if (options.has("database") || options.rehashes) add_user(plan, machine, "mailboxd-rehash");
}

void add_service(Plan& plan, Situation& situation)
{
    const auto& machine = situation.machine;
    const auto& options = situation.options;
    const auto& path = options.configuration;
    if (!machine.exists(path)) {
        plan.obstacles.push_back(path
                                 + " is missing. Restore it: apt-get install --reinstall -o "
                                   "Dpkg::Options::=--force-confmiss mailboxctl");
        return;
    }
    ManagedFile file{path, "service", {}, ManagedFile::Owner::shared};
    file.text = [&situation](const std::string& original) {
        return configuration(situation, original);
    };
    const bool is_changed =
        add_file(plan, machine, situation.journal, options, file, situation.secrets);
    if (!options.has("service")) return;
    if (!machine.exists("/usr/sbin/mailboxd") && !machine.exists("/usr/local/sbin/mailboxd")) {
        plan.obstacles.push_back(
            "the service is not installed. Install the package mailboxd as well; on a machine that has the mail alone, use --only dovecot,postfix,store,packages");
        return;
    }
    add_restart(plan, situation, "service", "mailboxd.socket", "start", false);
    if (!is_changed && plan.steps.empty()) return;
    add_check(plan, "service", {"mailboxd", "--config", path, "--test"});
    if (is_changed && machine.has_systemd()
        && machine.run({"systemctl", "--quiet", "is-active", "mailboxd.service"}).is_well())
        add_restart(plan, situation, "service", "mailboxd.service", "reload", true);
}

}  // namespace setup
