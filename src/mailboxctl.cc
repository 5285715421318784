// mailboxctl - the operator's front door: accounts, domains, keys, schema, checks.
//
// One table of commands; each names its options and the function that does it.

#include <sodium.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "admin.h"
#include "check.h"
#include "config.h"
#include "db.h"
#include "migrate.h"
#include "password.h"
#include "store.h"
#include "version.h"

namespace {

namespace po = boost::program_options;
using mailbox::Domain;

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct WrongUsage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Call {
    const po::variables_map& options;
    const std::vector<std::string>& arguments;  // as many as the command wants
    const Config& config;

    bool has(const char* option) const { return options.count(option) != 0; }
    std::string text(const char* option) const { return has(option) ? options[option].as<std::string>() : std::string{}; }
    Domain domain(const std::string& name) const
    {
        const auto parsed = Domain::parse(name);
        if (!parsed) throw admin::Refused(name + " is no domain name (an internationalised one is given as xn--…)");
        return *parsed;
    }
};

struct Command {
    std::string_view name;       // one or two words
    std::vector<std::string> arguments;
    std::string_view summary;
    std::string_view details;
    po::options_description (*options)();
    int (*run)(const Call& call);
};

// --- output ---------------------------------------------------------------------------

void print(const admin::Table& table)
{
    std::vector<std::size_t> widths(table.front().size());
    for (const auto& row : table) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : table) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i) std::cout << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
        std::cout << row.back() << '\n';
    }
}

// --- commands -------------------------------------------------------------------------

db::Connection connect(const Config& config)
{
    return {config.ctl_db, config.ctl_db.password(), config};
}

po::options_description no_options()
{
    return po::options_description{};
}

po::options_description yes_option()
{
    po::options_description options;
    options.add_options()("yes", "remove it though it has mailboxes");
    return options;
}

// Removing what has mailboxes takes a second word.
void confirm(const Call& call, std::string_view what, std::int64_t mailboxes)
{
    if (mailboxes == 0 || call.has("yes")) return;
    throw admin::Refused(std::string{what} + " " + call.arguments[0] + " has " + std::to_string(mailboxes)
                         + (mailboxes == 1 ? " mailbox" : " mailboxes") + "; nothing was removed. With --yes they are deleted too.");
}

int account_add(const Call& call)
{
    auto connection = connect(call.config);
    admin::Admin{connection}.add_account(call.arguments[0]);
    std::cout << "Account " << call.arguments[0] << " added. Next: mailboxctl domain add DOMAIN --account " << call.arguments[0] << '\n';
    return 0;
}

int account_list(const Call& call)
{
    auto connection = connect(call.config);
    print(admin::Admin{connection}.accounts());
    return 0;
}

int account_remove(const Call& call)
{
    auto connection = connect(call.config);
    admin::Admin admin{connection};
    confirm(call, "account", admin.mailboxes_of_account(call.arguments[0]));
    admin.remove_account(call.arguments[0]);
    std::cout << "Account " << call.arguments[0] << " removed, with its domains and keys.\n";
    return 0;
}

po::options_description domain_add_options()
{
    po::options_description options;
    options.add_options()
        ("account", po::value<std::string>()->value_name("NAME")->required(), "the account that it belongs to")
        ("no-postmaster", "do not make postmaster@DOMAIN");
    return options;
}

int domain_add(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto postmaster = mailbox::Address::parse("postmaster", domain);
    db::Session session{call.config.ctl_db, call.config.ctl_db.password(), call.config};
    auth::Grant grant;
    grant.domain_id = admin::Admin{session.connection()}.add_domain(domain, call.text("account"));
    std::cerr << "Domain " << domain.name() << " added. Next: mailboxctl key add --account " << call.text("account") << '\n';
    if (call.has("no-postmaster")) return 0;
    const auto password = password::generate();
    store::Store{session}.create(grant, {{postmaster, password::hash(password, call.config)}}, {"operator", ""});
    std::cerr << "Its postmaster's password is shown this once:\n";
    std::cout << "mailbox: " << postmaster.text() << "\npassword: " << password << '\n';
    return 0;
}

int domain_list(const Call& call)
{
    auto connection = connect(call.config);
    print(admin::Admin{connection}.domains());
    return 0;
}

int domain_set(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto& setting = call.arguments[1];
    const auto equals = setting.find('=');
    if (equals == std::string::npos) throw WrongUsage("a setting reads NAME=VALUE, such as on_duplicate=update");
    auto connection = connect(call.config);
    admin::Admin{connection}.set_domain(domain, setting.substr(0, equals), setting.substr(equals + 1));
    std::cout << "Domain " << domain.name() << ": " << setting << '\n';
    return 0;
}

int domain_remove(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    auto connection = connect(call.config);
    admin::Admin admin{connection};
    confirm(call, "domain", admin.mailboxes_of_domain(domain));
    admin.remove_domain(domain);
    std::cout << "Domain " << domain.name() << " removed.\n";
    return 0;
}

po::options_description domain_dns_options()
{
    po::options_description options;
    options.add_options()
        ("host", po::value<std::string>()->value_name("NAME")->required(), "the mail server's name, as its certificate has it");
    return options;
}

// No `imap` and `pop3` beside `imaps` and `pop3s`: no password in clear. One name for autodiscover, since Outlook wants a
// certificate that is right for the name it asks.
int domain_dns(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto host = call.domain(call.text("host")).name() + ".";
    auto connection = connect(call.config);
    admin::Admin{connection}.mailboxes_of_domain(domain);  // for a domain that is none of ours: its sentence
    const auto records = std::vector<std::array<std::string, 3>>{
        {"", "MX", "10 " + host},
        {"", "TXT", "\"v=spf1 mx ~all\""},
        {"_dmarc.", "TXT", "\"v=DMARC1; p=none; rua=mailto:postmaster@" + domain.name() + "\""},
        {"_imaps._tcp.", "SRV", "0 1 993 " + host},
        {"_pop3s._tcp.", "SRV", "10 1 995 " + host},
        {"_submissions._tcp.", "SRV", "0 1 465 " + host},
        {"_submission._tcp.", "SRV", "10 1 587 " + host},
        {"_autodiscover._tcp.", "SRV", "0 1 443 " + host},
        {"autoconfig.", "CNAME", host},
    };
    std::cout << "; For the zone of " << domain.name() << ".\n";
    for (const auto& [name, type, value] : records) {
        std::cout << name << domain.name() << ".\tIN\t" << type << '\t' << value << '\n';
    }
    return 0;
}

po::options_description key_add_options()
{
    po::options_description options;
    options.add_options()
        ("account", po::value<std::string>()->value_name("NAME")->required(), "the account that it belongs to")
        ("domain", po::value<std::string>()->value_name("DOMAIN"), "narrow it to one domain")
        ("read-only", "it may list, not change")
        ("expires", po::value<std::string>()->value_name("DAYS|DATE"), "days from now, or the day (YYYY-MM-DD, UTC) it ends on")
        ("from", po::value<std::vector<std::string>>()->value_name("RANGE")->composing(), "address or range it may call from; repeatable")
        ("label", po::value<std::string>()->value_name("TEXT"), "a note for key list");
    return options;
}

std::int64_t expiry(const std::string& text)
{
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    constexpr std::int64_t kDay = 86'400;
    std::int64_t days = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (error == std::errc{} && end == text.data() + text.size() && days > 0 && days <= 36'500) return now + days * kDay;
    std::tm day{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%d", &day);
    if (rest == nullptr || *rest != '\0') throw WrongUsage("--expires wants a number of days, or a date such as 2027-06-30");
    const auto wanted = day.tm_mday;
    const std::int64_t last = ::timegm(&day) + kDay;  // which makes 2 March of 30 February
    if (day.tm_mday != wanted) throw WrongUsage("--expires: there is no such day");
    if (last <= now) throw WrongUsage("--expires: that day is over");
    return last;
}

int key_add(const Call& call)
{
    admin::NewKey wanted{.account = call.text("account"), .domain = {}, .is_read_only = call.has("read-only"),
                         .expires_at = call.has("expires") ? expiry(call.text("expires")) : 0,
                         .addresses = call.has("from") ? call.options["from"].as<std::vector<std::string>>() : std::vector<std::string>{},
                         .label = call.text("label")};
    if (call.has("domain")) wanted.domain = call.domain(call.text("domain"));
    auto connection = connect(call.config);
    const auto key = admin::Admin{connection}.add_key(wanted);
    std::cerr << "Key " << key.id() << " added. It is shown this once; clients send it as the password of user api:\n";
    std::cout << key.text() << '\n';
    return 0;
}

po::options_description key_list_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"), "only this account's");
    return options;
}

int key_list(const Call& call)
{
    auto connection = connect(call.config);
    print(admin::Admin{connection}.keys(call.text("account")));
    return 0;
}

// Takes the whole key as well as its id, for who has only the key at hand.
int key_revoke(const Call& call)
{
    const auto key = auth::Key::parse(call.arguments[0]);
    const auto id = key ? key->id() : call.arguments[0];
    if (id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string::npos) {
        throw admin::Refused("a key's id has lower-case letters and digits; mailboxctl key list shows them in its first column");
    }
    auto connection = connect(call.config);
    admin::Admin{connection}.revoke_key(id);
    std::cout << "Key " << id << " revoked; it is refused from now on.\n";
    return 0;
}

po::options_description migrate_options()
{
    po::options_description options;
    options.add_options()
        ("db-user", po::value<std::string>()->value_name("USER"), "database user that may create tables (otherwise ctl_db_user)")
        ("db-password-file", po::value<std::string>()->value_name("FILE"), "file whose first line is that user's password");
    return options;
}

int migrate_command(const Call& call)
{
    auto database = call.config.ctl_db;
    if (call.has("db-user")) {
        database.user = call.text("db-user");
        database.password_file = call.text("db-password-file");
    }
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // to change a large table takes its time
    db::Connection connection{database, database.password(), patient};
    const auto count = migrate::apply(connection, std::cout);
    std::cout << (count == 0 ? "Nothing to do: " : "") << "the schema has version " << migrate::newest_version() << ".\n";
    return 0;
}

int check_command(const Call& call)
{
    return check::run(call.config, std::cout) ? 0 : kFailed;
}

const std::vector<Command>& commands()
{
    static const std::vector<Command> all{
        {"account add", {"NAME"}, "add a customer's account",
         "Domains and keys belong to an account; a key sees its own account's domains and nothing else.", no_options, account_add},
        {"account list", {}, "list the accounts", "", no_options, account_list},
        {"account remove", {"NAME"}, "remove an account with its domains and keys",
         "Its mailboxes are deleted: nobody can log in, and their mail is removed after the grace period.", yes_option, account_remove},
        {"domain add", {"DOMAIN"}, "add a domain to an account",
         "Makes postmaster@DOMAIN too, which RFC 5321 wants to take mail, and prints its password once.", domain_add_options, domain_add},
        {"domain list", {}, "list the domains", "", no_options, domain_list},
        {"domain dns", {"DOMAIN"}, "print the DNS records that a domain's mail wants",
         "In the form of a zone file: where its mail goes (MX), who may send in its name (SPF; add what else does), what\n"
         "becomes of mail that others send in its name (DMARC; p=none only reports it), and where mail programs find the\n"
         "server (SRV, and a name for nginx/mailboxd-autoconfig.conf). The server itself wants A, AAAA and PTR records.",
         domain_dns_options, domain_dns},
        {"domain set", {"DOMAIN", "NAME=VALUE"}, "change a setting of a domain",
         "on_duplicate=reject|update: whether a POST of a mailbox that exists is refused (the default), or changes its\n"
         "  password as the original probably did. With update, who may create mailboxes can take over existing ones.\n"
         "max_mailboxes=NUMBER|none: how many mailboxes it may have.", no_options, domain_set},
        {"domain remove", {"DOMAIN"}, "remove a domain",
         "Its mailboxes are deleted: nobody can log in, and their mail is removed after the grace period.", yes_option, domain_remove},
        {"key add", {}, "make an API key, and print it once",
         "The key alone goes to standard output. Clients send it as the password of the user api (HTTP Basic).", key_add_options, key_add},
        {"key list", {}, "list the keys, without their secrets", "", key_list_options, key_list},
        {"key revoke", {"ID"}, "refuse a key from now on", "ID is the first column of key list, or the whole key.", no_options, key_revoke},
        {"migrate", {}, "bring the database's tables to this version",
         "Adds what is missing and changes nothing that the previous release needs. Safe to repeat.", migrate_options, migrate_command},
        {"check", {}, "look over configuration, database and counters, and say what to do",
         "Exit status 0 when all is well.", no_options, check_command},
    };
    return all;
}

// --- the command line -----------------------------------------------------------------

po::options_description common_options()
{
    po::options_description options;
    options.add_options()
        ("config,c", po::value<std::string>()->value_name("FILE")->default_value("/etc/mailboxd/mailboxd.conf"), "configuration")
        ("help,h", "explain the command");
    return options;
}

std::string usage(const Command& command)
{
    std::string text{"mailboxctl "};
    text += command.name;
    for (const auto& argument : command.arguments) text += " " + argument;
    return text;
}

void print_help()
{
    std::cout << "Usage: mailboxctl [--config FILE] COMMAND [ARGUMENT]... [OPTION]...\n\n"
                 "A first mailbox, from nothing:\n"
                 "  mailboxctl account add demo\n"
                 "  mailboxctl domain add example.org --account demo\n"
                 "  mailboxctl key add --account demo\n"
                 "  curl -u api:KEY http://HOST/example.org/mailboxes -d mailbox=alice -d password=PASSWORD\n\n"
                 "Commands (mailboxctl COMMAND --help explains one):\n";
    for (const auto& command : commands()) {
        std::cout << "  " << std::left << std::setw(24) << usage(command).substr(11) << command.summary << '\n';
    }
    std::cout << "\nOptions of every command:\n" << common_options()
              << "  -V [ --version ]       print the version and leave\n"
                 "\nExit status: 0 done, 1 refused or failed (nothing was changed), 2 wrong usage.\n";
}

void print_help(const Command& command)
{
    std::cout << "Usage: " << usage(command) << " [OPTION]...\n\n" << command.summary << ".\n";
    if (!command.details.empty()) std::cout << command.details << '\n';
    std::cout << "\nOptions:\n" << command.options().add(common_options());
}

// The command that the words before and between options name, without them.
const Command& take_command(std::vector<std::string>& words)
{
    std::vector<std::size_t> places;  // of words that are no option and no --config's value
    for (std::size_t i = 0; i < words.size() && places.size() < 2; ++i) {
        if (words[i] == "--config" || words[i] == "-c") ++i;
        else if (!words[i].starts_with('-')) places.push_back(i);
    }
    if (places.empty()) throw WrongUsage("no command given");
    for (const auto& command : commands()) {
        const bool is_pair = command.name.find(' ') != std::string_view::npos;
        if (is_pair && places.size() < 2) continue;
        const auto named = is_pair ? words[places[0]] + " " + words[places[1]] : words[places[0]];
        if (named != command.name) continue;
        if (is_pair) words.erase(words.begin() + static_cast<std::ptrdiff_t>(places[1]));
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(places[0]));
        return command;
    }
    throw WrongUsage("there is no command " + words[places[0]] + (places.size() > 1 ? " " + words[places[1]] : ""));
}

int run(std::vector<std::string> words)
{
    const auto is_one_of = [](const char* first, const char* second) {
        return [=](const std::string& word) { return word == first || word == second; };
    };
    const bool wants_help = words.empty() || std::any_of(words.begin(), words.end(), is_one_of("--help", "-h")) || words[0] == "help";
    if (std::any_of(words.begin(), words.end(), is_one_of("--version", "-V"))) {
        std::cout << "mailboxctl " << kVersion << '\n';
        return 0;
    }
    if (wants_help) {
        try {
            print_help(take_command(words));
        } catch (const WrongUsage&) {
            print_help();
        }
        return 0;
    }
    const auto& command = take_command(words);
    std::vector<std::string> arguments;
    po::options_description visible{command.options()};
    visible.add(common_options());
    po::options_description all{visible};
    all.add_options()("argument", po::value(&arguments));
    po::positional_options_description positions;
    positions.add("argument", -1);
    po::variables_map options;
    try {
        po::store(po::command_line_parser(words).options(all).positional(positions).run(), options);
        po::notify(options);
    } catch (const po::error& error) {
        throw WrongUsage(error.what());
    }
    if (arguments.size() != command.arguments.size()) throw WrongUsage("usage: " + usage(command));
    const auto config = Config::read(options["config"].as<std::string>());
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    return command.run({options, arguments, config});
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return run({argv + 1, argv + argc});
    } catch (const WrongUsage& wrong) {
        std::cerr << "mailboxctl: " << wrong.what() << "; mailboxctl --help explains\n";
        return kUsage;
    } catch (const Config::Problems& problems) {
        std::cerr << "mailboxctl: " << problems.what() << '\n';
        return kUsage;
    } catch (const std::exception& error) {
        std::cerr << "mailboxctl: " << error.what() << '\n';
        return kFailed;
    }
}
