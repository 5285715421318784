#include "mailboxctl/account_commands.h"

#include <unistd.h>

#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <ctime>
#include <iostream>
#include <optional>
#include <string>

#include "db/accounts.h"
#include "db/audit.h"
#include "db/grants.h"
#include "db/mailboxes.h"
#include "mail/password.h"

namespace tenants {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;
using command::print;
using command::Prints;
using command::WrongUsage;
using mailbox::State;

po::options_description yes_option()
{
    po::options_description options;
    options.add_options()("yes", "remove it without asking for its name");
    return options;
}

std::string counted(std::int64_t count, const std::string& thing)
{
    return std::to_string(count) + " " + thing
           + (count == 1             ? ""
              : thing.ends_with('x') ? "es"
                                     : "s");
}

std::string joined(const std::vector<std::string>& words)
{
    std::string all;
    for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
    return all;
}

// What goes with an account or a domain, in a sentence's words.
std::string text_of(const admin::Admin::Contents& contents, bool is_account)
{
    std::string text;
    if (is_account) {
        constexpr std::size_t kNamed = 10;
        auto names = contents.domains;
        const bool has_more = names.size() > kNamed;
        if (has_more) names.resize(kNamed);
        text = counted(std::ssize(contents.domains), "domain")
               + (names.empty() ? "" : " (" + joined(names) + (has_more ? ", ..." : "") + ")")
               + ", ";
    }
    text += counted(contents.mailboxes, "mailbox") + " with " + std::to_string(contents.bytes)
            + " bytes of mail";
    if (is_account) text += ", " + counted(contents.keys, "key") + " of the account";
    text += ", " + counted(contents.domain_keys, "key")
            + (is_account ? " of its domains" : " of its own");
    if (!contents.settings.empty())
        text += ", and the " + (is_account ? std::string{"account's "} : std::string{})
                + "settings " + joined(contents.settings);
    return text;
}

std::string days(const Call& call)
{
    return counted(call.config.deleted_for.count(), "day");
}

// How a removed domain comes back.
std::string way_back(const Call& call, const std::string& domain, const std::string& verb)
{
    if (call.config.deleted_for.count() == 0)
        return "Nothing brings it back, because deleted_for is 0.";
    return "For " + days(call) + " (deleted_for) mailboxctl domain restore " + domain + " " + verb
           + " all of it back. After that its mail is gone.";
}

std::string way_back_of_account(const Call& call, const std::vector<std::string>& domains,
                                const std::string& verb)
{
    const std::string of_account =
        "Nothing brings the account, its settings and its own keys back.";
    if (domains.empty()) return of_account;
    if (call.config.deleted_for.count() == 0)
        return of_account + " Nothing brings its domains back either, because deleted_for is 0.";
    return of_account + " For " + days(call) + " (deleted_for) mailboxctl domain restore "
           + (domains.size() == 1 ? domains.front() : "DOMAIN") + " --account NAME " + verb
           + " each of its domains back, into another account. After that their mail is gone.";
}

// Asks for the name to be typed, unless it was said with --yes. Without somebody to ask it refuses.
void confirm(const Call& call, const std::string& what, const std::string& name,
             const std::string& has, const std::string& way_back)
{
    if (call.has("yes")) return;
    const auto sentence =
        "the " + what + " " + name + " has " + has
        + ". All of that is removed with it: nobody logs in any more, mail is refused,"
          " keys are refused. "
        + way_back;
    if (::isatty(STDIN_FILENO) == 0)
        throw admin::Refused(sentence + " Nothing was removed; --yes removes it",
                             admin::Refused::Outcome::said);
    std::cerr << static_cast<char>(std::toupper(sentence[0])) << sentence.substr(1)
              << "\nType the name of the " << what << " to remove it: ";
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != name)
        throw admin::Refused("what was typed is not the name " + name + ". Nothing was removed",
                             admin::Refused::Outcome::said);
}

int account_add(const Call& call)
{
    auto connection = call.connect();
    admin::Admin{connection}.add_account(call.arguments[0]);
    std::cout << "Account " << call.arguments[0]
              << " added. Next: mailboxctl domain add DOMAIN --account " << call.arguments[0]
              << '\n';
    return 0;
}

int account_list(const Call& call)
{
    auto connection = call.connect();
    print(admin::Admin{connection}.accounts());
    return 0;
}

int account_set(const Call& call)
{
    const auto [name, value] = command::setting(call.arguments[1]);
    auto connection = call.connect();
    admin::Admin{connection}.set_account(call.arguments[0], name, value);
    std::cout << "Account " << call.arguments[0] << ": " << call.arguments[1] << '\n';
    return 0;
}

constexpr char kSuspended[] =
    "Nobody logs in over IMAP, POP3 or submission any more, and open IMAP and POP3 sessions are ended within two seconds;\n"
    "mail still arrives, unless with --disabled, when it has to wait outside (450). What is suspended itself, or by its\n"
    "domain or its account, stays so until each of them is resumed. After a resume an open submission session, which\n"
    "sent nothing meanwhile, goes on, and so does any that was not ended yet; only after a mailbox's own suspension\n"
    "everybody has to log in again.";

po::options_description suspend_options()
{
    po::options_description options;
    command::add_disabled_option(options);
    return options;
}

int set_account_state(const Call& call, State state)
{
    const auto& name = call.arguments[0];
    auto connection = call.connect();
    const auto now = admin::Admin{connection}.set_account_state(name, state);
    std::cout << command::state_sentence("Account " + name, "account", name, state, now) << '\n';
    return 0;
}

int account_suspend(const Call& call)
{
    return set_account_state(call, command::suspended(call));
}

int account_resume(const Call& call)
{
    return set_account_state(call, State::active);
}

int account_remove(const Call& call)
{
    const auto& name = call.arguments[0];
    auto connection = call.connect();
    admin::Admin admin{connection};
    const auto contents = admin.contents_of_account(name);
    if (!contents.is_empty())
        confirm(call, "account", name, text_of(contents, true),
                way_back_of_account(call, contents.domains, "brings"));
    const auto removed = admin.remove_account(name);
    std::cout << "Account " << name << " removed, with " << text_of(removed, true) << ". "
              << way_back_of_account(call, removed.domains, "brings") << '\n';
    return 0;
}

po::options_description domain_add_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME")->required(),
                          "the account that it belongs to")("no-postmaster",
                                                            "do not make postmaster@DOMAIN");
    return options;
}

int domain_add(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto postmaster = mailbox::Address::parse("postmaster", domain);
    auto session = call.session();
    grants::Grant grant;
    grant.domain_id = admin::Admin{session.connection()}.add_domain(domain, call.text("account"),
                                                                    call.config.domain_quota);
    std::cerr << "Domain " << domain.text() << " added. Next: mailboxctl key add --account "
              << call.text("account") << '\n';
    if (call.has("no-postmaster")) return 0;
    const auto password = password::generate(postmaster, call.config);
    const auto without_postmaster = [&](const std::string& why) {
        return std::runtime_error("the domain " + domain.text() + " was added, but it has no "
                                  + postmaster.text() + ": " + why
                                  + " Mail servers expect that address; mailboxctl mailbox add "
                                  + postmaster.text() + " makes it");
    };
    const auto done = [&] {
        try {
            return store::Store{session}.create(
                grant, {{postmaster, password::hash(password.text(), call.config)}},
                {std::string{audit::kOperator}});
        } catch (const db::Error& error) {
            throw without_postmaster(std::string{error.what()} + ".");
        }
    }();
    if (done.outcome != store::Created::Outcome::yes)
        throw without_postmaster(store::sentence(done));
    std::cerr << "Its postmaster's password is shown this once:\n";
    std::cout << "mailbox: " << postmaster.text() << "\npassword: " << password.text() << '\n';
    return 0;
}

po::options_description domain_list_options()
{
    po::options_description options;
    options.add_options()("deleted", "those that were removed and can be restored");
    return options;
}

int domain_list(const Call& call)
{
    auto connection = call.connect();
    admin::Admin admin{connection};
    if (!call.has("deleted")) {
        print(admin.domains());
        return 0;
    }
    const auto grace = std::chrono::seconds{call.config.deleted_for}.count();
    admin::Table table{{"DOMAIN", "ACCOUNT", "STATE", "MAILBOXES", "SIZE_BYTES", "KEYS", "DELETED",
                        "UNTIL", "ID"}};
    for (const auto& each : admin.removed_domains()) {
        if (each.age >= grace) continue;
        table.push_back({each.name, each.account, each.state, std::to_string(each.mailboxes),
                         std::to_string(each.bytes), std::to_string(each.keys),
                         admin::time_text(each.deleted_at),
                         admin::time_text(each.deleted_at + grace), std::to_string(each.id)});
    }
    print(table);
    return 0;
}

int domain_set(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto [name, value] = command::setting(call.arguments[1]);
    auto connection = call.connect();
    admin::Admin{connection}.set_domain(domain, name, value);
    std::cout << "Domain " << domain.text() << ": " << call.arguments[1] << '\n';
    return 0;
}

int set_domain_state(const Call& call, State state)
{
    const auto domain = call.domain(call.arguments[0]);
    auto connection = call.connect();
    admin::Admin admin{connection};
    const auto now = admin.set_domain_state(domain, state);
    std::cout << command::state_sentence("Domain " + domain.text(), "domain", domain.text(), state,
                                         now, admin.suspended_above_domain(domain.name()))
              << '\n';
    return 0;
}

int domain_suspend(const Call& call)
{
    return set_domain_state(call, command::suspended(call));
}

int domain_resume(const Call& call)
{
    return set_domain_state(call, State::active);
}

int domain_remove(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    auto connection = call.connect();
    admin::Admin admin{connection};
    const auto name = domain.text();
    confirm(call, "domain", name, text_of(admin.contents_of_domain(domain), false),
            way_back(call, name, "brings"));
    const auto removed = admin.remove_domain(domain);
    std::cout << "Domain " << name << " removed, with " << text_of(removed, false) << ". "
              << way_back(call, name, "brings") << '\n';
    return 0;
}

po::options_description domain_restore_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "into this account, because its own was removed, too")(
        "id", po::value<std::int64_t>()->value_name("NUMBER"),
        "this one of several, as domain list --deleted shows them; otherwise the last removed");
    return options;
}

int domain_restore(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    auto connection = call.connect();
    const auto id = call.has("id") ? call.options["id"].as<std::int64_t>() : 0;
    if (call.has("id") && id < 1)
        throw WrongUsage("--id wants the number that mailboxctl domain list --deleted shows");
    const auto was = admin::Admin{connection}.restore_domain(domain, call.config.deleted_for, id,
                                                             call.text("account"));
    std::cout << "Domain " << domain.text() << " is back in the account " << was.account
              << " as it was when it was removed, at " << admin::time_text(was.deleted_at) << ": "
              << counted(was.mailboxes, "mailbox") << " with " << was.bytes << " bytes of mail, "
              << counted(was.keys, "key") << " of its own, its settings, state " << was.state
              << ".\n";
    return 0;
}

po::options_description domain_dns_options()
{
    po::options_description options;
    options.add_options()("host", po::value<std::string>()->value_name("NAME")->required(),
                          "the mail server's name, as its certificate has it");
    return options;
}

// No `imap` and `pop3` beside `imaps` and `pop3s`: no password in clear. One name for autodiscover,
// since Outlook wants a certificate that is right for the name it asks.
int domain_dns(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto host = call.domain(call.text("host")).name() + ".";
    auto connection = call.connect();
    admin::Admin{connection}.mailboxes_of_domain(
        domain);  // for a domain that is none of ours: its sentence
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
    options.add_options()("account", po::value<std::string>()->value_name("NAME")->required(),
                          "the account that it belongs to")(
        "domain", po::value<std::string>()->value_name("DOMAIN"),
        "narrow it to one domain")("read-only", "it may list, not change")(
        "expires", po::value<std::string>()->value_name("DAYS|DATE"),
        "days from now, or the last day (YYYY-MM-DD, UTC) on which it is valid")(
        "from", po::value<std::vector<std::string>>()->value_name("RANGE")->composing(),
        "address or range it may call from; repeatable")(
        "label", po::value<std::string>()->value_name("TEXT"), "a note for key list");
    return options;
}

std::int64_t expiry(const std::string& text)
{
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    constexpr std::int64_t kDay = 86'400;
    std::int64_t days = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (error == std::errc{} && end == text.data() + text.size() && days > 0 && days <= 36'500)
        return now + days * kDay;
    std::tm day{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%d", &day);
    if (rest == nullptr || *rest != '\0')
        throw WrongUsage("--expires wants a number of days, or a date such as 2027-06-30");
    const auto wanted = day.tm_mday;
    const std::int64_t last = ::timegm(&day) + kDay;  // which makes 2 March of 30 February
    if (day.tm_mday != wanted) throw WrongUsage("--expires: there is no such day");
    if (last <= now) throw WrongUsage("--expires: that day is over");
    return last;
}

int key_add(const Call& call)
{
    admin::NewKey wanted{.account = call.text("account"),
                         .domain = {},
                         .is_read_only = call.has("read-only"),
                         .expires_at = call.has("expires") ? expiry(call.text("expires")) : 0,
                         .addresses = call.has("from")
                                          ? call.options["from"].as<std::vector<std::string>>()
                                          : std::vector<std::string>{},
                         .label = call.text("label")};
    if (call.has("domain")) wanted.domain = call.domain(call.text("domain"));
    auto connection = call.connect();
    const auto key = admin::Admin{connection}.add_key(wanted);
    if (wanted.expires_at != 0)
        std::cerr << "Valid through " << admin::last_moment(wanted.expires_at) << ". ";
    std::cerr << "Key " << key.id()
              << " added. It is shown this once; clients send it as the password of user api:\n";
    std::cout << key.text() << '\n';
    return 0;
}

po::options_description key_list_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "only this account's");
    return options;
}

int key_list(const Call& call)
{
    auto connection = call.connect();
    print(admin::Admin{connection}.keys(call.text("account")));
    return 0;
}

int key_revoke(const Call& call)
{
    const auto& id = call.arguments[0];
    if (id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string::npos) {
        throw admin::Refused(
            "a key's id has lower-case letters and digits; mailboxctl key list shows them in its first column");
    }
    auto connection = call.connect();
    admin::Admin{connection}.revoke_key(id);
    std::cout << "Key " << id << " revoked; it is refused from now on.\n";
    return 0;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"account add",
         {"NAME"},
         "add a customer's account",
         "Domains and keys belong to an account; a key sees its own account's domains and nothing else.",
         no_options,
         account_add},
        {"account list", {}, "list the accounts", "", no_options, account_list, Prints::listing},
        {"account set",
         {"ACCOUNT", "NAME=VALUE"},
         "change a setting of an account",
         "max_mailboxes=NUMBER|none: how many mailboxes all its domains may have together.",
         no_options,
         account_set},
        {"account suspend",
         {"NAME"},
         "let nobody of an account in, neither people nor keys",
         kSuspended,
         suspend_options,
         account_suspend},
        {"account resume", {"NAME"}, "end an account's suspension", "", no_options, account_resume},
        {"account remove",
         {"NAME"},
         "remove an account with its domains and keys",
         "Says what goes with it, and asks for its name to be typed. Its mailboxes are deleted: nobody can log in, and their\n"
         "mail is removed after the setting deleted_for. Until then domain restore brings each of its domains back, into\n"
         "another account. The account's own settings and keys are gone at once.",
         yes_option,
         account_remove},
        {"domain add",
         {"DOMAIN"},
         "add a domain to an account",
         "Makes postmaster@DOMAIN too, which RFC 5321 wants to take mail, and prints its password once.",
         domain_add_options,
         domain_add,
         Prints::secret},
        {"domain list",
         {},
         "list the domains, or the removed ones",
         "",
         domain_list_options,
         domain_list,
         Prints::listing},
        {"domain dns",
         {"DOMAIN"},
         "print the DNS records that a domain's mail wants",
         "In the form of a zone file: where its mail goes (MX), who may send in its name (SPF; add what else does), what\n"
         "becomes of mail that others send in its name (DMARC; p=none only reports it), and where mail programs find the\n"
         "server (SRV, and a name for nginx/mailboxd-autoconfig.conf). The server itself wants A, AAAA and PTR records.",
         domain_dns_options,
         domain_dns,
         Prints::listing},
        {"domain set",
         {"DOMAIN", "NAME=VALUE"},
         "change a setting of a domain",
         "on_duplicate=reject|update: whether a POST of a mailbox that exists is refused (the default), or changes its\n"
         "  password as the original probably did. With update, who may create mailboxes can take over existing ones.\n"
         "allow_delete_all=yes|no: whether one call may delete all its mailboxes, as the SMTP credentials' API has it (no).\n"
         "max_mailboxes=NUMBER|none: how many mailboxes it may have.\n"
         "quota_bytes=SIZE|none: how much a mailbox may hold that has no quota of its own, such as 500M or 2G.",
         no_options,
         domain_set},
        {"domain suspend",
         {"DOMAIN"},
         "let nobody of a domain in, and change nothing by its keys",
         kSuspended,
         suspend_options,
         domain_suspend},
        {"domain resume", {"DOMAIN"}, "end a domain's suspension", "", no_options, domain_resume},
        {"domain remove",
         {"DOMAIN"},
         "remove a domain",
         "Says what goes with it, and asks for its name to be typed. Its mailboxes are deleted: nobody can log in, and their\n"
         "mail is removed after the setting deleted_for. Until then domain restore brings all of it back.",
         yes_option,
         domain_remove},
        {"domain restore",
         {"DOMAIN"},
         "bring a removed domain back",
         "With its settings and state, the mailboxes that were deleted with it, their mail, passwords and quotas, and the keys\n"
         "that were for it alone, as long as the setting deleted_for says. Mailboxes that were deleted before it stay deleted.\n"
         "Where the name was added again, that domain has to be removed first.",
         domain_restore_options,
         domain_restore},
        {"key add",
         {},
         "make an API key, and print it once",
         "The key alone goes to standard output. Clients send it as the password of the user api (HTTP Basic).",
         key_add_options,
         key_add,
         Prints::secret},
        {"key list",
         {},
         "list the keys, without their secrets",
         "",
         key_list_options,
         key_list,
         Prints::listing},
        {"key revoke",
         {"ID"},
         "refuse a key from now on",
         "ID is the first column of key list; it is also the 10 characters that follow mbx- in the key.",
         no_options,
         key_revoke},
    };
}

}  // namespace tenants
