// look.cc - what concerns several parts: users, space, the host name, templates, AppArmor,
// versions.

#include <array>
#include <regex>

#include "base/strings.h"
#include "mailboxctl/setup/conf_text.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

// --- the host name --------------------------------------------------------------------

void look_at_host(const Situation& situation, Plan& plan)
{
    const auto& host = situation.options.host;
    if (situation.machine.run({"getent", "ahosts", host}).is_well()) return;
    plan.obstacles.push_back(
        "the name " + host
        + " has no address. Give it an A or AAAA record that leads to this machine; for a trial, a line in /etc/hosts is enough");
}

// --- space ----------------------------------------------------------------------------

constexpr std::int64_t kMiB = 1 << 20;

struct Need {
    std::string folder;
    std::int64_t bytes;
};

// What is written there: packages of 400 MiB on Debian 13, the files of a new database, mail.
std::vector<Need> needs(const Situation& situation)
{
    const auto& options = situation.options;
    std::vector<Need> all{{"/etc", 8 * kMiB}, {"/var/lib", 16 * kMiB}};
    if (!situation.missing.empty()) {
        all.push_back({"/usr", 600 * kMiB});
        all.push_back({"/var/cache/apt/archives", 150 * kMiB});
    }
    if (options.has("database") && options.db_host.empty())
        all.push_back({"/var/lib/mysql",
                       situation.will_be_installed("mariadb-server") ? 250 * kMiB : 32 * kMiB});
    if (options.has("store")) all.push_back({situation.store, 64 * kMiB});
    if (options.has("postfix")) all.push_back({"/var/spool/postfix", 64 * kMiB});
    return all;
}

void look_at_space(const Situation& situation, Plan& plan)
{
    for (const auto& [folder, bytes] : needs(situation)) {
        const auto is_free = situation.machine.free_bytes(folder);
        if (is_free >= bytes) continue;
        plan.obstacles.push_back(
            "there is not enough space for " + folder + ": " + std::to_string(is_free / kMiB)
            + " MiB are free, " + std::to_string(bytes / kMiB)
            + " MiB are needed. Free some, or mount a larger file system there");
    }
}

// --- templates ------------------------------------------------------------------------

// Templates that somebody has edited would be overwritten by the next upgrade.
void look_at_templates(const Situation& situation, Plan& plan)
{
    const auto ended = situation.machine.run({"dpkg", "--verify", "mailboxctl", "mailboxd"});
    for (const auto& line : strings::words(ended.out, "\n")) {
        const auto at = line.find("/usr/share/mailboxd/");
        if (at == std::string::npos) continue;
        const auto path = line.substr(at);
        const bool is_of_service = path.find("/nginx/") != std::string::npos;
        plan.obstacles.push_back(
            path
            + " differs from its package. Restore it, and put your own settings into the files in /etc: apt-get install --reinstall "
            + (is_of_service ? "mailboxd" : "mailboxctl"));
    }
}

// --- AppArmor -------------------------------------------------------------------------

// A program that a profile may confine, and a path that it needs for mailboxd.
struct Confined {
    std::regex program;
    std::string path;
};

// Returns whether a rule of the profile, with what it includes from local/ and tunables/, concerns
// the path: its own name, or a folder above it with a pattern.
bool permits(const std::string& rules, const std::string& path)
{
    for (const auto& word : strings::words(rules, " \t\n,\"")) {
        if (!word.starts_with('/')) continue;
        const auto fixed = word.substr(0, word.find_first_of("*{?["));
        if (fixed.size() == word.size() ? path == fixed : path.starts_with(fixed)) return true;
    }
    return false;
}

std::string rules_of(const Machine& machine, const std::string& profile)
{
    auto rules = machine.contents("/etc/apparmor.d/" + profile).value_or("");
    rules += machine.contents("/etc/apparmor.d/local/" + profile).value_or("");
    for (const auto& name : machine.names("/etc/apparmor.d/tunables"))
        rules += machine.contents("/etc/apparmor.d/tunables/" + name).value_or("");
    return std::regex_replace(rules, std::regex{"(^|\n)[ \t]*#[^\n]*"}, "\n");
}

// Profiles are looked at as files, because a machine may load them only at its next start.
void look_at_apparmor(const Situation& situation, Plan& plan)
{
    const auto& machine = situation.machine;
    const std::vector<Confined> all{
        {std::regex{R"(dovecot\b)"}, situation.store + "/xx"},
        {std::regex{"(mysqld|mariadbd)$"}, situation.db_socket},
        {std::regex{"nginx$"}, "/usr/share/mailboxd/nginx/mailboxd-http.conf"},
        {std::regex{R"(postfix\.smtpd$)"}, "/etc/postfix/mailboxd/mailboxd-addresses.cf"}};
    for (const auto& profile : machine.names("/etc/apparmor.d")) {
        if (machine.exists("/etc/apparmor.d/disable/" + profile)) continue;
        const auto rules = rules_of(machine, profile);
        static const std::regex head{R"(\n[^\n{]*(/[^\s{]+)[^\n]*\{)"};
        std::smatch found;
        const bool is_profile = std::regex_search(rules, found, head);
        if (!is_profile || found[0].str().find("complain") != std::string::npos) continue;
        for (const auto& [program, path] : all) {
            if (path.empty() || !std::regex_search(profile, program) || permits(rules, path))
                continue;
            plan.obstacles.push_back(
                "the AppArmor profile /etc/apparmor.d/" + profile + " does not permit " + path
                + ". Permit it in /etc/apparmor.d/local/" + profile
                + " and load that (apparmor_parser -r), or set the profile to complain mode (aa-complain)");
        }
    }
}

// --- versions -------------------------------------------------------------------------

// "1:2.4.1+dfsg1-6+deb13u7" → "2.4.1".
std::string upstream(std::string version)
{
    version = version.substr(version.find(':') + 1);
    return version.substr(0, version.find_first_not_of("0123456789."));
}

// Returns the version that the program says, or that of the package that will be installed.
std::string version(const Machine& machine, const std::string& file,
                    const std::vector<std::string>& words, const std::string& package)
{
    static const std::regex number{R"((\d+\.\d+(\.\d+)*))"};
    std::smatch found;
    if (machine.exists(file)) {
        const auto said = machine.run(words).said();
        if (std::regex_search(said, found, number)) return found[1];
    }
    const auto policy = machine.run({"apt-cache", "policy", package}).out;
    static const std::regex candidate{R"(Candidate: (\S+))"};
    return std::regex_search(policy, found, candidate) ? upstream(found[1]) : std::string{};
}

void look_at_versions(Situation& situation)
{
    const auto& machine = situation.machine;
    situation.nginx = version(machine, "/usr/sbin/nginx", {"nginx", "-v"}, "nginx");
    situation.dovecot =
        version(machine, "/usr/sbin/dovecot", {"dovecot", "--version"}, "dovecot-core");
    situation.postfix =
        version(machine, "/usr/sbin/postfix", {"postconf", "-d", "-h", "mail_version"}, "postfix");
}

// --- what is configured already -------------------------------------------------------

void look_at_configuration(Situation& situation)
{
    const auto& options = situation.options;
    const auto conf = situation.machine.contents(options.configuration).value_or("");
    const auto setting = [&](const char* name, const char* otherwise) {
        return conf_text::value(conf, name).value_or(otherwise);
    };
    situation.store = options.store.empty() ? setting("store", "/srv/mail") : options.store;
    if (situation.store.empty()) situation.store = "/srv/mail";
    situation.store_user = setting("store_user", "vmail");
    if (options.db_host.empty())
        situation.db_socket = setting("db_socket", "/run/mysqld/mysqld.sock");
    for (const auto& name : situation.machine.names("/etc/mailboxd")) {
        if (name.ends_with("-password") || name == "doveadm-key")
            situation.secrets.push_back(secret(situation.machine, name));
    }
}

}  // namespace

void look(Situation& situation, Plan& plan)
{
    situation.facts = situation.journal.facts;
    situation.listeners = situation.machine.listeners();
    look_at_configuration(situation);
    look_at_host(situation, plan);
    add_packages(plan, situation);
    look_at_versions(situation);
    look_at_space(situation, plan);
    look_at_templates(situation, plan);
    look_at_apparmor(situation, plan);
}

}  // namespace setup
