// postfix_part.cc - Postfix: our templates filled in, lines in main.cf and services in master.cf.

#include <algorithm>
#include <array>
#include <regex>

#include "base/strings.h"
#include "mailboxctl/setup/main_cf.h"
#include "mailboxctl/setup/master_cf.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

constexpr const char* kFolder = "/etc/postfix/mailboxd";
constexpr const char* kMain = "/etc/postfix/main.cf";
constexpr const char* kMaster = "/etc/postfix/master.cf";
constexpr const char* kUnit = "postfix.service";
constexpr const char* kUserServices = "# Mail from users who have logged in";
const Access kForPostfix{0640, "root", "postfix"};

// --- what is there --------------------------------------------------------------------

// What Debian's package or its questions set. With these alone Postfix has no domains but the
// machine's own names.
const std::set<std::string> kOfDebian{"alias_database",
                                      "alias_maps",
                                      "append_dot_mydomain",
                                      "biff",
                                      "compatibility_level",
                                      "cyrus_sasl_config_path",
                                      "inet_interfaces",
                                      "inet_protocols",
                                      "mailbox_command",
                                      "mailbox_size_limit",
                                      "mydestination",
                                      "myhostname",
                                      "mynetworks",
                                      "mynetworks_style",
                                      "myorigin",
                                      "readme_directory",
                                      "recipient_delimiter",
                                      "relayhost",
                                      "smtp_tls_CAfile",
                                      "smtp_tls_CApath",
                                      "smtp_tls_security_level",
                                      "smtp_tls_session_cache_database",
                                      "smtpd_banner",
                                      "smtpd_relay_restrictions",
                                      "smtpd_tls_cert_file",
                                      "smtpd_tls_key_file",
                                      "smtpd_tls_security_level",
                                      "smtpd_tls_session_cache_database",
                                      "smtpd_use_tls",
                                      "default_transport",
                                      "relay_transport",
                                      "html_directory"};

bool is_submission(const master_cf::Service& service)
{
    static const std::regex name{"(.*:)?(submissions?|smtps|587|465)/inet"};
    return service.program == "smtpd" && std::regex_match(service.name, name);
}

bool has_submission(const std::string& master)
{
    const auto services = master_cf::services(master);
    return std::any_of(services.begin(), services.end(), is_submission);
}

bool is_unused(const Situation& situation, const std::string& main, const std::string& master)
{
    if (situation.journal.packages.contains("postfix")) return true;
    for (const auto& name : main_cf::names(main)) {
        if (!kOfDebian.contains(name)) return false;
    }
    return main_cf::value(main, "relayhost").value_or("").empty() && !has_submission(master)
           && !has_system_mail(situation.machine);
}

// Returns a setting's value as main.cf has it, or Postfix's default.
std::string setting(const Machine& machine, const std::string& text, const std::string& name)
{
    if (const auto value = main_cf::value(text, name)) return *value;
    auto value = machine.run({"postconf", "-d", "-h", name}).out;
    return value.substr(0, value.find('\n'));
}

std::string expanded(const Machine& machine, const std::string& name)
{
    const auto value = machine.run({"postconf", "-x", "-h", name}).out;
    return value.substr(0, value.find('\n'));
}

// The domains that Postfix has already, as elements of a match list: names, files, tables.
std::vector<std::string> domains(const Machine& machine, const std::string& main,
                                 const std::string& name)
{
    std::vector<std::string> all;
    // The default of some is another setting, whose tables are no list of domains.
    if (!main_cf::value(main, name) && name != "mydestination") return all;
    for (const auto& word : strings::words(expanded(machine, name), ", \t")) {
        if (word.find("$") == std::string::npos
            && word.find("mailboxd-domains") == std::string::npos && !word.starts_with('!'))
            all.push_back(word);
    }
    return all;
}

constexpr std::array<const char*, 4> kDomainSettings{"mydestination", "virtual_mailbox_domains",
                                                     "virtual_alias_domains", "relay_domains"};

// Returns whether Postfix itself says that the domain is in the list.
bool has_domain(const Machine& machine, const std::vector<std::string>& elements,
                const std::string& domain)
{
    for (const auto& element : elements) {
        if (strings::equals_ignoring_case(element, domain)) return true;
        const bool is_file = element.starts_with('/');
        const bool is_table = element.find(':') != std::string::npos;
        if (is_file) {
            const auto words = strings::words(machine.contents(element).value_or(""));
            if (std::find(words.begin(), words.end(), domain) != words.end()) return true;
        } else if (is_table && machine.run({"postmap", "-q", domain, element}).is_well()) {
            return true;
        }
    }
    return false;
}

void look_for_domain(Plan& plan, const Situation& situation, const std::string& main)
{
    const auto& domain = situation.options.domain;
    if (domain.empty()) return;
    for (const char* name : kDomainSettings) {
        if (!has_domain(situation.machine, domains(situation.machine, main, name), domain))
            continue;
        plan.obstacles.push_back(
            "Postfix has the domain " + domain + " already (" + name
            + "), so mailboxd would get no mail for it. Remove it there, or name another --domain");
    }
}

// Our tables are asked about all domains but those that are Postfix's own.
std::string excepted(const Machine& machine, const std::string& main)
{
    std::string list;
    for (const char* name : kDomainSettings) {
        for (const auto& element : domains(machine, main, name)) list += "!" + element + " ";
    }
    return list + "static:all";
}

void look_at_postfix(Plan& plan, Situation& situation)
{
    const auto& machine = situation.machine;
    const auto main = machine.contents(kMain), master = machine.contents(kMaster);
    if (!main || !master) {
        plan.obstacles.push_back(
            std::string{main ? kMaster : kMain}
            + " is missing. Make Debian's configuration first: dpkg-reconfigure postfix");
        return;
    }
    const auto services = machine.run({"postconf", "-M"});
    if (!services.is_well() && situation.journal.files().empty()) {
        plan.obstacles.push_back("Postfix refuses its present configuration. Correct it first: "
                                 + strings::joined(strings::words(services.err, "\n"), "; "));
        return;
    }
    look_for_domain(plan, situation, *main);
    const auto mode = situation.decided(
        "postfix", [&] { return is_unused(situation, *main, *master) ? "alone" : "beside"; });
    // Mail for the machine's present names goes on to arrive, whatever its name is from now on.
    if (mode == "alone" && !situation.journal.packages.contains("postfix"))
        situation.decided("postfix-names", [&] {
            return strings::joined(domains(machine, *main, "mydestination"), ", ");
        });
    if (mode == "beside")
        situation.decided("postfix-domains", [&] { return excepted(machine, *main); });
}

// --- files ----------------------------------------------------------------------------

fill_in::Values values(const Situation& situation)
{
    const auto& options = situation.options;
    const auto socket = [&](const char* fact, const char* otherwise) {
        const auto found = situation.fact(fact);
        return found.empty() ? std::string{otherwise} : found;
    };
    const auto domains = situation.fact("postfix-domains");
    return {{"FILES", kFolder},
            {"DB_SOCKET", options.db_host.empty() ? situation.db_socket : options.db_host},
            {"DB_NAME", options.db_name},
            {"DB_PASSWORD", secret(situation.machine, "postfix-db-password")},
            {"DOMAINS", domains.empty() ? "static:all" : domains},
            {"RETRY", is_at_least(situation.postfix, "3.9") ? "retry_interval = 2" : ""},
            {"DISCARD", is_at_least(situation.postfix, "3.10") ? "" : "chunking, silent-discard"},
            {"MAILBOXCTL", situation.machine.exists("/usr/local/sbin/mailboxctl")
                               ? "/usr/local/sbin/mailboxctl"
                               : "/usr/sbin/mailboxctl"},
            {"MAILBOXD_CONF", options.configuration},
            {"STORE_USER", situation.store_user},
            {"LMTP", "unix:" + socket("lmtp", "private/dovecot-lmtp")},
            {"SASL", socket("sasl", "private/auth")},
            {"QUOTA_STATUS", "unix:/run/dovecot/mailboxd-quota-status"},
            {"SUBMISSION", "submission"},
            {"SUBMISSIONS", "submissions"},
            {"SUBMISSION_TLS", "encrypt"},
            {"FORWARD_PORT", "10027"},
            {"SRS_DOMAIN", options.host},
            {"SRS_PORT", "10001"},
            {"SRS_REVERSE_PORT", "10002"}};
}

std::string filled(const Situation& situation, const std::string& name)
{
    const auto text =
        situation.machine.contents("/usr/share/mailboxd/postfix/" + name).value_or("");
    return for_host(fill_in::filled(text, values(situation)), situation);
}

std::string with_settings_of(std::string text, const std::string& settings)
{
    for (const auto& name : main_cf::names(settings))
        text = main_cf::with(text, name, main_cf::value(settings, name).value_or(""));
    return text;
}

// Returns the words of both lists, those of the first one first.
std::string united(const std::string& first, const std::string& second)
{
    auto words = strings::words(first, ", \t");
    for (auto& word : strings::words(second, ", \t")) {
        if (std::find(words.begin(), words.end(), word) == words.end())
            words.push_back(std::move(word));
    }
    return strings::joined(words, ", ");
}

// Our own parameters begin with our name. Of the others the operator's values stay, unless they
// permit what must not be: a second message within a message.
std::string with_settings_beside(std::string text, const std::string& settings)
{
    for (const auto& name : main_cf::names(settings)) {
        auto value = main_cf::value(settings, name).value_or("");
        const auto present = main_cf::value(text, name);
        if (present && !name.starts_with("mailboxd")) {
            if (name == "smtpd_discard_ehlo_keywords") value = united(*present, value);
            else if (name != "smtpd_forbid_bare_newline" || *present != "no") continue;
        }
        text = main_cf::with(text, name, value);
    }
    return text;
}

std::string main_alone(const Situation& situation, std::string text)
{
    text = with_settings_of(text, filled(situation, "mailboxd-main.cf"));
    text = with_settings_of(text, filled(situation, "mailboxd-alone.cf"));
    const auto names =
        united(main_cf::value(text, "mydestination").value_or(""), situation.fact("postfix-names"));
    text = main_cf::with(text, "mydestination", names);
    text = main_cf::with(text, "myhostname", situation.options.host);
    // "Local only" of Debian's questions: no mail would arrive.
    if (main_cf::value(text, "inet_interfaces").value_or("all") != "all")
        text = main_cf::with(text, "inet_interfaces", "all");
    text = main_cf::with(text, "smtpd_tls_cert_file", situation.certificate);
    return main_cf::with(text, "smtpd_tls_key_file", situation.key);
}

// What is added to the operator's own values. See mailboxd-alone.cf.
struct Added {
    const char* name;
    const char* value;
    enum class Where { after, before } where;
};
constexpr std::array<Added, 8> kAdded{{
    {"virtual_mailbox_domains", "$mailboxd_domains", Added::Where::after},
    {"virtual_mailbox_maps", "$mailboxd_addresses", Added::Where::after},
    {"virtual_alias_maps", "$mailboxd_addresses $mailboxd_returns", Added::Where::after},
    {"transport_maps", "$mailboxd_transport", Added::Where::after},
    {"smtpd_sender_login_maps", "$mailboxd_senders", Added::Where::after},
    {"smtpd_restriction_classes", "mailboxd_quota mailboxd_own_sender mailboxd_returned",
     Added::Where::after},
    {"smtpd_recipient_restrictions", "$mailboxd_recipient_restrictions", Added::Where::before},
    {"smtpd_end_of_data_restrictions", "$mailboxd_quota", Added::Where::before},
}};

// Postfix is asked about a domain of its own in virtual_mailbox_domains first, and must not ask the
// database then. Domains of another class stand there with a `!`.
std::string own_domains(const Machine& machine, const std::string& main)
{
    std::string list;
    for (const char* name : {"mydestination", "virtual_alias_domains", "relay_domains"}) {
        for (const auto& element : domains(machine, main, name)) list += "!" + element + " ";
    }
    return list;
}

std::string main_beside(const Situation& situation, std::string text)
{
    const auto& machine = situation.machine;
    const auto original = text;
    text = with_settings_beside(text, filled(situation, "mailboxd-main.cf"));
    for (const auto& [name, value, where] : kAdded) {
        auto present = setting(machine, original, name);
        if (name == std::string_view{"virtual_mailbox_domains"})
            present += " " + situation.fact("postfix-own");
        const bool is_after = where == Added::Where::after;
        const auto joined = std::string{strings::trimmed(present)};
        text = main_cf::with(text, name,
                             joined.empty() ? std::string{value}
                             : is_after     ? joined + " " + value
                                            : std::string{value} + ", " + joined);
    }
    return main_cf::with(text, "smtputf8_enable", "no");
}

std::string with_bounces(std::string text)
{
    for (const char* service : {"bounce/unix", "defer/unix", "trace/unix"}) {
        text = master_cf::with_option(text, service, "cleanup_service_name", "mailboxd-bounces");
        text = master_cf::with_option(text, service, "internal_mail_filter_classes", "bounce");
    }
    return text;
}

std::string with_services(std::string text, const std::string& services)
{
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += services;
    static const std::regex smtp{"(.*:)?(smtp|25)/inet"};
    for (const auto& service : master_cf::services(text)) {
        if (service.program == "smtpd" && std::regex_match(service.name, smtp))
            text = master_cf::without_chroot(text, service.name);
    }
    return with_bounces(text);
}

std::string joined_by_commas(const std::string& first, const std::string& list)
{
    return list.empty() ? first : first + ", " + list;
}

// Gives the operator's own services for users who have logged in our restrictions, which concern
// our users only.
std::string with_restrictions(std::string text, const std::string& service,
                              const std::string& main_senders)
{
    const auto own = [&](const char* name, const std::string& otherwise) {
        return master_cf::option(text, service, name).value_or(otherwise);
    };
    const auto set = [&](const char* name, const std::string& value) {
        text = master_cf::with_option(text, service, name, value);
    };
    set("smtpd_sender_restrictions",
        joined_by_commas("$mailboxd_login_restrictions, $mailboxd_own_sender_restrictions",
                         own("smtpd_sender_restrictions", main_senders)));
    set("smtpd_recipient_restrictions", joined_by_commas("$mailboxd_recipient_restrictions",
                                                         own("smtpd_recipient_restrictions", "")));
    set("smtpd_data_restrictions",
        joined_by_commas("$mailboxd_sending_restrictions", own("smtpd_data_restrictions", "")));
    set("smtpd_end_of_data_restrictions",
        joined_by_commas(
            "$mailboxd_login_restrictions, $mailboxd_quota, $mailboxd_sending_restrictions",
            own("smtpd_end_of_data_restrictions", "")));
    set("smtpd_tls_mandatory_protocols", ">=TLSv1.2");
    set("smtpd_tls_mandatory_exclude_ciphers", "aNULL,MD5,RC4,3DES");
    return master_cf::without_chroot(text, service);
}

std::string master_text(const Situation& situation, const std::string& original)
{
    auto services = filled(situation, "mailboxd-master.cf");
    if (situation.fact("postfix") == "alone" || !has_submission(original))
        return with_services(original, services);
    services = services.substr(0, services.find(kUserServices));
    auto text = with_services(original, services);
    const auto main = situation.journal.find(kMain) != nullptr
                          ? situation.journal.original(kMain)
                          : situation.machine.contents(kMain).value_or("");
    for (const auto& service : master_cf::services(original)) {
        if (is_submission(service))
            text = with_restrictions(
                text, service.name, main_cf::value(main, "smtpd_sender_restrictions").value_or(""));
    }
    return text;
}

bool add_shared(Plan& plan, const Situation& situation, const std::string& path,
                std::function<std::string(const std::string&)> text)
{
    ManagedFile file{path, "postfix", {}, ManagedFile::Owner::shared, std::move(text)};
    file.comes_by_package = situation.will_be_installed("postfix");
    file.unit = kUnit;
    return add_file(plan, situation.machine, situation.journal, situation.options, file,
                    situation.secrets);
}

void add_aliases(Plan& plan, const Situation& situation)
{
    const auto& machine = situation.machine;
    ManagedFile file{"/etc/aliases", "postfix", {}, ManagedFile::Owner::shared};
    file.text = [](const std::string& text) { return text.empty() ? "postmaster: root\n" : text; };
    const bool is_new =
        add_file(plan, machine, situation.journal, situation.options, file, situation.secrets);
    const bool has_table = machine.exists("/etc/aliases.db") || machine.exists("/etc/aliases.lmdb");
    if (!is_new && has_table) return;
    plan.add(Phase::prepare, Kind::run, "postfix", "newaliases", [](Work& work) {
        const auto ended = work.machine.run({"newaliases"});
        if (!ended.is_well()) throw Rejected("'newaliases' failed: " + ended.said());
    });
}

struct Port {
    int number;
    const char* use;
};
constexpr std::array<Port, 4> kPorts{{{25, "receive mail"},
                                      {465, "take mail from users"},
                                      {587, "take mail from users"},
                                      {10027, "pass mail of aliases on"}}};

}  // namespace

void add_postfix(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    const auto& machine = situation.machine;
    if (!options.has("postfix")) return;
    for (const auto& [number, use] : kPorts) {
        if (const auto reason = port_obstacle(situation, number, "master"); !reason.empty())
            plan.obstacles.push_back(std::string{"Postfix cannot "} + use + ": " + reason);
    }
    if (!options.has("database") && !machine.exists("/etc/mailboxd/postfix-db-password"))
        plan.obstacles.push_back(
            "/etc/mailboxd/postfix-db-password is missing. Copy it from the machine where setup made the database, with the same owner and mode");
    if (situation.will_be_installed("postfix"))
        situation.decided("postfix", [] { return "alone"; });
    else if (machine.exists("/usr/sbin/postfix")) look_at_postfix(plan, situation);
    else return;
    const bool is_alone = situation.fact("postfix") == "alone";
    if (!is_alone)
        situation.decided("postfix-own", [&] {
            return own_domains(machine, machine.contents(kMain).value_or(""));
        });

    bool is_changed = false;
    add_templates(
        plan, situation, "postfix", "postfix", kFolder, kForPostfix, kUnit,
        [&situation] { return values(situation); }, is_changed);
    is_changed = add_shared(
                     plan, situation, kMain,
                     [&situation, is_alone](const std::string& text) {
        return is_alone ? main_alone(situation, text) : main_beside(situation, text);
                     })
        || is_changed;
    is_changed =
        add_shared(plan, situation, kMaster,
                   [&situation](const std::string& text) { return master_text(situation, text); })
        || is_changed;
    if (is_alone) add_aliases(plan, situation);
    const auto before = plan.steps.size();
    add_restart(plan, situation, "postfix", kUnit, is_alone ? "restart" : "reload-or-restart",
                is_changed);
    if (plan.steps.size() > before) add_check(plan, "postfix", {"postfix", "check"});
}

}  // namespace setup
