// dovecot_part.cc - Dovecot: our templates filled in, and one line that includes them.

#include <algorithm>
#include <array>
#include <regex>

#include "base/crypto.h"
#include "base/strings.h"
#include "mailboxctl/setup/dovecot_text.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

constexpr const char* kFolder = "/etc/dovecot/mailboxd";
constexpr const char* kInclude = "!include /etc/dovecot/mailboxd/setup.conf";
constexpr const char* kSpool = "/var/spool/postfix/private/";
constexpr const char* kUnit = "dovecot.service";
const Access kForDovecot{0640, "root", "dovecot"};

bool is_24(const Situation& situation)
{
    return is_at_least(situation.dovecot, "2.4");
}

// --- what is there --------------------------------------------------------------------

// Returns how Dovecot verifies passwords: pam, passwd-file, sql and so on. 2.4 leaves the driver
// out if it is the block's name.
std::set<std::string> password_databases(const std::string& printed)
{
    std::set<std::string> drivers;
    for (const auto& block : dovecot_text::blocks(printed, "", "passdb")) {
        const auto words = strings::words(block);
        std::string driver = words.size() > 1 ? words[1] : "";
        for (const auto& setting : dovecot_text::settings(printed)) {
            if (setting.name == "driver" && setting.blocks.size() == 1
                && setting.blocks[0] == block)
                driver = setting.value;
        }
        if (words[0] == "passdb") drivers.insert(driver);
    }
    return drivers;
}

bool has_settings(const std::string& text)
{
    const auto lines = strings::words(text, "\n");
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        const auto word = strings::trimmed(line);
        return !word.empty() && !word.starts_with('#');
    });
}

// Debian's Dovecot as it comes lets the users of the system in. It is ours if none of them has
// mail.
bool is_unused(const Situation& situation, const std::string& printed)
{
    const auto& machine = situation.machine;
    if (situation.journal.packages.contains("dovecot-imapd")) return true;
    const auto drivers = password_databases(printed);
    return (drivers.empty() || drivers == std::set<std::string>{"pam"})
           && !has_settings(machine.contents("/etc/dovecot/local.conf").value_or(""))
           && !has_system_mail(machine);
}

// Returns the socket of a service for Postfix, relative to Postfix's spool; empty if there is none.
std::string socket_for_postfix(const std::string& printed, const std::string& service)
{
    const std::string head = std::string{"unix_listener "} + kSpool;
    for (const auto& block : dovecot_text::blocks(printed, service, head))
        return "private/" + block.substr(head.size());
    return {};
}

std::string setting(const Machine& machine, std::vector<std::string> words)
{
    words.insert(words.begin(), "doveconf");
    auto value = machine.run(words).out;
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
}

// What our users need of settings that are the operator's.
void look_at_settings(Plan& plan, const Machine& machine)
{
    const auto protocols = " " + setting(machine, {"-h", "protocols"}) + " ";
    for (const char* protocol : {" imap ", " lmtp "}) {
        if (std::regex_replace(protocols, std::regex{R"(\s+)"}, " ").find(protocol)
            == std::string::npos)
            plan.obstacles.push_back(
                "Dovecot does not serve" + std::string{protocol}
                + "(setting protocols). Add it, or remove the line to serve all that is installed");
    }
    for (const auto& words :
         {std::vector<std::string>{"-h", "auth_username_format"},
          std::vector<std::string>{"-f", "protocol=lmtp", "-h", "auth_username_format"}}) {
        const auto format = setting(machine, words);
        const bool drops_domain = format.find("%n") != std::string::npos
                                  || format.find("%Ln") != std::string::npos
                                  || format.find("username") != std::string::npos;
        if (!drops_domain) continue;
        plan.obstacles.push_back(
            "Dovecot removes the domain from names (auth_username_format = " + format
            + (words.size() > 2 ? ", for LMTP" : "")
            + "), so it would not find our users. Remove that setting (in Debian 13 it stands in /etc/dovecot/conf.d/20-lmtp.conf); names of your own users then need a domain, or a passdb and userdb with a format of their own");
        break;
    }
}

void look_at_dovecot(Plan& plan, Situation& situation)
{
    const auto& machine = situation.machine;
    const auto printed = machine.run({"doveconf", "-n"});
    if (!printed.is_well()) {
        if (situation.journal.files().empty())
            plan.obstacles.push_back("Dovecot refuses its present configuration. Correct it first: "
                                     + strings::joined(strings::words(printed.err, "\n"), "; "));
        return;
    }
    const bool is_known = situation.facts.contains("dovecot");
    const auto mode = situation.decided(
        "dovecot", [&] { return is_unused(situation, printed.out) ? "alone" : "beside"; });
    if (mode == "alone") return;
    situation.decided("lmtp", [&] { return socket_for_postfix(printed.out, "service lmtp"); });
    situation.decided("sasl", [&] { return socket_for_postfix(printed.out, "service auth"); });
    // Databases that answer for everybody, or log each name that they do not know, come after ours.
    situation.decided("dovecot-include", [&] {
        const auto drivers = password_databases(printed.out);
        const bool is_first = drivers.contains("pam") || drivers.contains("static");
        return is_first ? "first" : "last";
    });
    if (!is_known) look_at_settings(plan, machine);
}

// --- files ----------------------------------------------------------------------------

fill_in::Values values(const Situation& situation)
{
    const auto& options = situation.options;
    return {{"FILES", kFolder},
            {"DB_SOCKET", options.db_host.empty() ? situation.db_socket : options.db_host},
            {"DB_NAME", options.db_name},
            {"DB_PASSWORD", secret(situation.machine, "dovecot-db-password")},
            {"STORE", situation.store},
            {"STORE_USER", situation.store_user},
            {"STORE_GROUP", situation.store_user},
            {"DOVEADM_KEY", secret(situation.machine, "doveadm-key")}};
}

std::string listener(const std::string& service, const std::string& socket, const char* mode)
{
    return "service " + service + " {\n  unix_listener " + kSpool + socket
           + " {\n    user = postfix\n    group = postfix\n    mode = " + mode + "\n  }\n}\n";
}

// What a new Dovecot has in local.conf by the guide, or what is missing beside other users.
std::string setup_conf(const Situation& situation)
{
    const bool is_alone = situation.fact("dovecot") == "alone";
    const std::string folder = kFolder;
    std::string text =
        "# Made by mailboxctl setup. Put your own settings into /etc/dovecot/local.conf.\n";
    if (is_alone) text += "!include " + folder + "/mailboxd-server.conf\n";
    text += "!include " + folder + "/mailboxd.conf\n";
    if (is_alone || situation.fact("lmtp").empty())
        text += listener("lmtp", "dovecot-lmtp", "0600");
    if (is_alone || situation.fact("sasl").empty()) text += listener("auth", "auth", "0660");
    const auto tls = is_24(situation) ? "ssl_server_cert_file = " + situation.certificate
                                            + "\nssl_server_key_file = " + situation.key + "\n"
                                      : "ssl_cert = <" + situation.certificate + "\nssl_key = <"
                                            + situation.key + "\n";
    if (is_alone) return text + tls;
    // Clients that ask for our name get our certificate; for others nothing changes.
    return text + "local_name " + situation.options.host + " {\n" + tls + "}\n";
}

std::string with_appended(std::string text, const std::string& line)
{
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text + line + "\n";
}

// Puts the include before Debian's folder of settings, whose databases are asked in their order.
std::string with_include_first(const std::string& text)
{
    static const std::regex folder{R"((^|\n)([ \t]*!include(_try)? conf\.d/))"};
    std::smatch found;
    if (!std::regex_search(text, found, folder)) return with_appended(text, kInclude);
    const auto at = static_cast<std::size_t>(found.position(2));
    return std::string{text}.insert(at, std::string{kInclude} + "\n");
}

class Files {
public:
    Files(Plan& plan, const Situation& situation) : plan_{plan}, situation_{situation} {}
    void add(const std::string& path, std::function<std::string(const std::string&)> text)
    {
        add({path, "dovecot", {}, ManagedFile::Owner::setup, std::move(text)});
    }
    void change(const std::string& path, bool comes_by_package,
                std::function<std::string(const std::string&)> text)
    {
        ManagedFile file{path, "dovecot", {}, ManagedFile::Owner::shared, std::move(text)};
        file.comes_by_package = comes_by_package;
        add(std::move(file));
    }
    void add_folder(const std::string& folder, const std::string& target,
                    std::function<fill_in::Values()> its_values)
    {
        add_templates(plan_, situation_, "dovecot", folder, target, kForDovecot, kUnit,
                      std::move(its_values), is_changed_);
    }
    bool is_changed() const { return is_changed_; }

private:
    void add(ManagedFile file)
    {
        file.unit = kUnit;
        is_changed_ = add_file(plan_, situation_.machine, situation_.journal, situation_.options,
                               file, situation_.secrets)
                      || is_changed_;
    }
    Plan& plan_;
    const Situation& situation_;
    bool is_changed_ = false;
};

void add_includes(Files& files, const Situation& situation)
{
    if (situation.fact("dovecot") == "beside") {
        const bool is_first = situation.fact("dovecot-include") == "first";
        files.change("/etc/dovecot/dovecot.conf", false, [is_first](const std::string& text) {
            return is_first ? with_include_first(text) : with_appended(text, kInclude);
        });
        return;
    }
    const bool is_new = situation.will_be_installed("dovecot-imapd");
    // No user of mailboxd is a user of the system.
    files.change("/etc/dovecot/conf.d/10-auth.conf", is_new, [](const std::string& text) {
        return std::regex_replace(text, std::regex{"(^|\n)(!include auth-system)"}, "$1#$2");
    });
    // In Debian 13, LMTP would remove the domain from the recipient's name.
    if (is_24(situation))
        files.change("/etc/dovecot/conf.d/20-lmtp.conf", is_new, [](const std::string& text) {
            return std::regex_replace(text, std::regex{"(^|\n)( *auth_username_format)"}, "$1#$2");
        });
    files.change("/etc/dovecot/local.conf", false,
                 [](const std::string& text) { return with_appended(text, kInclude); });
}

void add_rehash(Plan& plan, Files& files, Situation& situation)
{
    if (!situation.options.rehashes) return;
    files.add_folder("dovecot-rehash", std::string{kFolder} + "/rehash", [] {
        return fill_in::Values{{"FILES", std::string{kFolder} + "/rehash"},
                               {"REHASH_SOCKET", "/run/mailboxd-rehash/socket"}};
    });
    add_restart(plan, situation, "dovecot", "mailboxd-rehash.socket", "start", false);
}

// The kernel's limit of IMAP sessions that wait for new mail.
void add_kernel_limit(Plan& plan, const Situation& situation)
{
    const std::string path = "/etc/sysctl.d/mailboxd.conf";
    ManagedFile file{path, "dovecot", {}};
    file.text = [&situation](const std::string&) {
        return situation.machine.contents("/usr/share/mailboxd/mailboxd-sysctl.conf").value_or("");
    };
    if (!add_file(plan, situation.machine, situation.journal, situation.options, file,
                  situation.secrets))
        return;
    plan.add(Phase::prepare, Kind::run, "dovecot", "sysctl --load " + path, [path](Work& work) {
        const auto ended = work.machine.run({"sysctl", "--quiet", "--load", path});
        if (!ended.is_well())
            work.notes.push_back("the kernel's limits were not changed (" + ended.said()
                                 + "). They are in " + path + " for its next start");
    });
}

void add_key(Plan& plan, const Situation& situation)
{
    const std::string path = "/etc/mailboxd/doveadm-key";
    if (situation.machine.exists(path)) return;
    const auto present = situation.will_be_installed("dovecot-imapd")
                             ? std::string{}
                             : setting(situation.machine, {"-P", "-h", "doveadm_api_key"});
    if (present.empty()) {
        add_secret(plan, situation, "dovecot", "doveadm-key", situation.store_user);
        return;
    }
    plan.add(Phase::create, Kind::create, "dovecot",
             "the file " + path + " with the doveadm_api_key that Dovecot has",
             [path, present, owner = situation.store_user](Work& work) {
        work.machine.write(path, present + "\n", {0600, owner, ""});
    });
}

constexpr std::array<int, 4> kPorts{143, 993, 110, 995};

}  // namespace

void add_dovecot(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    const auto& machine = situation.machine;
    if (!options.has("dovecot")) return;
    for (const int port : kPorts) {
        if (const auto reason = port_obstacle(situation, port, "dovecot"); !reason.empty())
            plan.obstacles.push_back("Dovecot cannot serve mail programs: " + reason);
    }
    if (!options.has("database") && !machine.exists("/etc/mailboxd/dovecot-db-password"))
        plan.obstacles.push_back(
            "/etc/mailboxd/dovecot-db-password is missing. Copy it from the machine where setup made the database, with the same owner and mode");
    if (situation.will_be_installed("dovecot-imapd"))
        situation.decided("dovecot", [] { return "alone"; });
    else if (machine.exists("/usr/sbin/dovecot")) look_at_dovecot(plan, situation);
    else return;

    add_key(plan, situation);
    Files files{plan, situation};
    files.add_folder(is_24(situation) ? "dovecot-2.4" : "dovecot", kFolder,
                     [&situation] { return values(situation); });
    files.add(std::string{kFolder} + "/setup.conf",
              [&situation](const std::string&) { return setup_conf(situation); });
    add_includes(files, situation);
    add_rehash(plan, files, situation);
    add_kernel_limit(plan, situation);
    const bool is_alone = situation.fact("dovecot") == "alone";
    const auto before = plan.steps.size();
    add_restart(plan, situation, "dovecot", kUnit, is_alone ? "restart" : "reload-or-restart",
                files.is_changed());
    if (plan.steps.size() > before) add_check(plan, "dovecot", {"doveconf", "-n"});
}

}  // namespace setup
