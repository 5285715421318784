// packages_part.cc - the Debian packages that the other parts need.

#include <array>

#include "base/strings.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

struct Package {
    const char* name;
    const char* file;  // it is there if the package is, wherever that came from
    const char* part;
};

constexpr std::array<Package, 9> kPackages{{
    {"nginx", "/usr/sbin/nginx", "nginx"},
    {"openssl", "/usr/bin/openssl", "nginx"},
    {"curl", "/usr/bin/curl", "nginx"},
    {"dovecot-imapd", "/usr/lib/dovecot/imap", "dovecot"},
    {"dovecot-pop3d", "/usr/lib/dovecot/pop3", "dovecot"},
    {"dovecot-lmtpd", "/usr/lib/dovecot/lmtp", "dovecot"},
    {"dovecot-mysql", "/usr/lib/dovecot/modules/auth/libdriver_mysql.so", "dovecot"},
    {"postfix", "/usr/sbin/postfix", "postfix"},
    {"postfix-mysql", "/usr/lib/postfix/postfix-mysql.so", "postfix"},
}};

std::set<std::string> missing(const Machine& machine, const Options& options)
{
    std::set<std::string> names;
    for (const auto& [name, file, part] : kPackages) {
        if (options.has(part) && !machine.exists(file)) names.insert(name);
    }
    const bool has_server =
        machine.exists("/usr/sbin/mariadbd") || machine.exists("/usr/sbin/mysqld");
    if (options.has("database") && options.db_host.empty() && !has_server)
        names.insert("mariadb-server");
    if (options.has("srs") && options.forwards && !machine.exists("/usr/sbin/postsrsd"))
        names.insert("postsrsd");
    if (options.has("dovecot") && options.rehashes) {
        if (!machine.exists("/usr/lib/dovecot/modules/auth/libauthdb_lua.so"))
            names.insert("dovecot-auth-lua");
        if (!machine.exists("/usr/share/lua/5.4/socket.lua")) names.insert("lua-socket");
    }
    if (!options.certbot.empty() && !machine.exists("/usr/bin/certbot")) names.insert("certbot");
    return names;
}

std::vector<std::string> apt(std::vector<std::string> words, const std::set<std::string>& packages)
{
    words.insert(words.begin(), "apt-get");
    words.insert(words.end(), packages.begin(), packages.end());
    return words;
}

std::string last_error(const Ended& ended)
{
    std::string found = ended.said();
    for (const auto& line : strings::words(ended.said(), "\n")) {
        if (line.starts_with("E: ")) found = line.substr(3);
    }
    return found.empty() ? "apt-get failed" : found;
}

// Fetches the smallest of the files that apt-get would fetch. An archive that cannot be reached is
// found before anything is changed.
std::string unreached(const Machine& machine, const std::string& uris)
{
    std::string smallest;
    std::uint64_t size = 0;
    for (const auto& line : strings::words(uris, "\n")) {
        const auto fields = strings::words(line);  // 'URI' NAME SIZE HASH
        if (fields.size() < 3 || !line.starts_with('\'')) continue;
        const auto its_size = strings::whole_number(fields[2]).value_or(0);
        if (!smallest.empty() && its_size >= size) continue;
        smallest = fields[0].substr(1, fields[0].size() - 2);
        size = its_size;
    }
    if (smallest.empty()) return {};  // all are here already
    const std::string file = "/tmp/mailboxctl-setup-download";
    const auto ended = machine.run({"/usr/lib/apt/apt-helper", "-o", "Acquire::Retries=1", "-o",
                                    "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15",
                                    "download-file", smallest, file});
    machine.run({"rm", "-f", file});
    return ended.is_well() ? std::string{} : last_error(ended);
}

// Returns why the packages cannot be installed; empty if they can.
std::string obstacle(const Machine& machine, const Options& options,
                     const std::set<std::string>& packages)
{
    if (!machine.has_program("apt-get"))
        return "there is no apt-get to install them with; install them yourself";
    auto tried = machine.run(apt({"--simulate", "install"}, packages));
    if (!tried.is_well() && !options.is_dry_run) {
        // A new system may not have asked its archives yet.
        machine.run({"apt-get", "update"});
        tried = machine.run(apt({"--simulate", "install"}, packages));
    }
    if (!tried.is_well())
        return last_error(tried)
               + ". Run 'apt-get update', and check /etc/apt/sources.list and /etc/apt/preferences.d";
    const auto uris = machine.run(apt({"--yes", "--print-uris", "install"}, packages));
    if (const auto error = unreached(machine, uris.out); !error.empty())
        return error + ". Check the network of this machine, and run 'apt-get update'";
    return {};
}

// Postfix takes another mail server's place.
std::string other_mailer(const Machine& machine)
{
    const auto ended =
        machine.run({"dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Provides}\n"});
    for (const auto& line : strings::words(ended.out, "\n")) {
        const auto fields = strings::words(line, " ,");
        if (fields.size() < 3 || fields[0] != "installed" || fields[1] == "postfix") continue;
        for (std::size_t i = 2; i < fields.size(); ++i) {
            if (fields[i] == "mail-transport-agent") return fields[1];
        }
    }
    return {};
}

// After a run that was killed while packages were installed. Otherwise their owner decides.
void look_at_dpkg(Plan& plan, const Situation& situation)
{
    const auto& machine = situation.machine;
    if (machine.run({"dpkg", "--audit"}).said().empty()) return;
    if (!situation.journal.is_interrupted() || situation.options.is_dry_run) {
        plan.obstacles.push_back(
            "packages are installed by half. Finish that first: dpkg --configure -a");
        return;
    }
    const auto ended = machine.run({"dpkg", "--configure", "-a"});
    if (!ended.is_well())
        plan.obstacles.push_back(
            "packages are installed by half, and 'dpkg --configure -a' failed: "
            + last_error(ended));
}

void install(Work& work, const std::set<std::string>& packages)
{
    if (packages.contains("postfix")) {
        // Otherwise the package asks, or leaves Postfix without a configuration.
        work.machine.run({"debconf-set-selections"},
                         "postfix postfix/main_mailer_type select Internet Site\n"
                         "postfix postfix/mailname string "
                             + work.options.host + "\n");
    }
    auto words = apt({"--yes", "-o", "Dpkg::Options::=--force-confdef", "-o",
                      "Dpkg::Options::=--force-confold", "install"},
                     packages);
    const auto ended = work.machine.run(words);
    if (!ended.is_well())
        throw Rejected("apt-get could not install the packages: " + last_error(ended));
}

}  // namespace

void add_packages(Plan& plan, Situation& situation)
{
    const auto& machine = situation.machine;
    look_at_dpkg(plan, situation);
    const auto names = missing(machine, situation.options);
    if (names.empty()) return;
    const auto list = strings::joined(names, " ");
    if (!situation.options.has("packages")) {
        plan.obstacles.push_back("these packages are missing: " + list
                                 + ". Add packages to --only, or run: apt-get install " + list);
        return;
    }
    if (names.contains("postfix")) {
        if (const auto other = other_mailer(machine); !other.empty())
            plan.obstacles.push_back(
                other
                + " is installed, and Postfix would replace it. Remove it first if you do not need it: apt-get remove "
                + other);
    }
    if (const auto reason = obstacle(machine, situation.options, names); !reason.empty()) {
        plan.obstacles.push_back("these packages are missing and cannot be installed: " + list
                                 + " (" + reason + ")");
        return;
    }
    situation.missing = names;
    plan.add(Phase::install, Kind::install, "packages", list, [names](Work& work) {
        // Before they are installed: a later run must know that nobody used them yet.
        work.journal.packages.insert(names.begin(), names.end());
        work.journal.save();
        install(work, names);
    });
}

}  // namespace setup
