#include "mailboxctl/domain_commands.h"

#include <array>
#include <chrono>
#include <iostream>
#include <string>

#include "db/accounts.h"
#include "db/audit.h"
#include "db/domain_names.h"
#include "db/grants.h"
#include "db/mailboxes.h"
#include "mail/password.h"
#include "mailboxctl/removal.h"

namespace domain_commands {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;
using command::print;
using command::Prints;
using command::WrongUsage;
using mailbox::State;
using removal::counted;

po::options_description domain_add_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME")->required(),
                          "the account that owns the domain; required")(
        "no-postmaster", "do not create postmaster@DOMAIN");
    return options;
}

int domain_add(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto postmaster = mailbox::Address::parse("postmaster", domain);
    const bool has_postmaster = !call.has("no-postmaster");
    const auto password = password::generate(postmaster, call.config);
    auto connection = call.connect();
    admin::Admin admin{connection};
    const auto account = admin.account_id(call.text("account"));
    admin::DomainSettings settings;
    if (call.config.domain_quota != 0) settings.quota_bytes = call.config.domain_quota;
    admin.add_domain(domain, account, settings,
                     has_postmaster ? password::hash(password.text(), call.config) : "");
    std::cerr << "Domain " << domain.text() << " added. Next: mailboxctl key add --account "
              << call.text("account") << '\n';
    if (!has_postmaster) return 0;
    std::cerr << "The password of its postmaster is shown only once:\n";
    std::cout << "mailbox: " << postmaster.text() << "\npassword: " << password.text() << '\n';
    return 0;
}

po::options_description domain_list_options()
{
    po::options_description options;
    options.add_options()("deleted", "list the deleted domains that can be restored");
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
    removal::confirm(call, "domain", name,
                     removal::text_of(admin.contents_of_domain(domain), removal::Level::domain),
                     removal::how_to_restore(call, name));
    const auto removed = admin.remove_domain(domain);
    std::cout << "Domain " << name << " removed, with "
              << removal::text_of(removed, removal::Level::domain) << ". "
              << removal::how_to_restore(call, name) << '\n';
    return 0;
}

po::options_description domain_restore_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "restore it into this account, because its own was deleted, too")(
        "id", po::value<std::int64_t>()->value_name("NUMBER"),
        "restore the domain with this number, as shown by domain list --deleted; by default the one deleted last");
    return options;
}

int domain_restore(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    auto connection = call.connect();
    const auto id = call.has("id") ? call.options["id"].as<std::int64_t>() : 0;
    if (call.has("id") && id < 1)
        throw WrongUsage("--id must be the number that mailboxctl domain list --deleted shows");
    const auto was = admin::Admin{connection}.restore_domain(domain, call.config.deleted_for, id,
                                                             call.text("account"));
    std::cout << "Domain " << domain.text() << " restored in the account " << was.account
              << " as it was when it was deleted, at " << admin::time_text(was.deleted_at) << ": "
              << counted(was.mailboxes, "mailbox") << " with " << was.bytes << " bytes of mail, "
              << counted(was.keys, "key") << " of its own, its settings, state " << was.state
              << ".\n";
    return 0;
}

po::options_description domain_dns_options()
{
    po::options_description options;
    options.add_options()("host", po::value<std::string>()->value_name("NAME")->required(),
                          "the name of the mail server, as in its certificate; required");
    return options;
}

// There are no records for `imap` and `pop3`, so that no password is sent in clear. All domains
// share one name for autodiscover, because Outlook requires a certificate for the name that it
// asks.
int domain_dns(const Call& call)
{
    const auto domain = call.domain(call.arguments[0]);
    const auto host = call.domain(call.text("host")).name() + ".";
    auto connection = call.connect();
    if (domain_names::stands_for(connection, domain.name()).empty())
        admin::Admin{connection}.mailboxes_of_domain(domain);  // refuses one that does not exist
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

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"domain add",
         {"DOMAIN"},
         "create a domain in an account",
         "Also creates postmaster@DOMAIN, which RFC 5321 requires to accept mail, and prints its password once.",
         domain_add_options,
         domain_add,
         Prints::secret},
        {"domain list",
         {},
         "list the domains, or the deleted ones",
         "",
         domain_list_options,
         domain_list,
         Prints::listing},
        {"domain dns",
         {"DOMAIN"},
         "print the DNS records that a domain needs for mail",
         "Lines of a zone file: where its mail goes (MX), who may send in its name (SPF; add other senders), what happens to\n"
         "mail that others send in its name (DMARC; p=none only reports it), and where mail programs find the server (SRV, and\n"
         "a name for nginx/mailboxd-autoconfig.conf). The server itself needs A, AAAA and PTR records.",
         domain_dns_options,
         domain_dns,
         Prints::listing},
        {"domain set",
         {"DOMAIN", "NAME=VALUE"},
         "change a setting of a domain",
         "on_duplicate=reject|update: what a POST of an existing mailbox does: refuse it (the default), or change its password,\n"
         "  as the original API probably did. With update, a client that may create mailboxes can take over existing ones.\n"
         "allow_delete_all=yes|no: whether DELETE of all SMTP credentials may delete all mailboxes of the domain (default no).\n"
         "max_mailboxes=NUMBER|none: how many mailboxes the domain may have.\n"
         "quota_bytes=SIZE|none: the quota of mailboxes that have none of their own, such as 500M or 2G.\n"
         "max_aliases=NUMBER|none: how many aliases the domain may have.\n"
         "system_addresses=yes|no: whether abuse@, hostmaster@, webmaster@ and the other role names of RFC 2142 reach postmaster@,\n"
         "  unless a mailbox or an alias has the name (default yes).\n"
         "forward_outside=yes|no: whether aliases of the domain may send mail to other servers (default no). Postfix needs the\n"
         "  settings of the page \"Mail servers\" for that.",
         no_options,
         domain_set},
        {"domain suspend",
         {"DOMAIN"},
         "suspend a domain: its logins are refused, and API keys can only list it",
         command::kSuspendDetails,
         command::disabled_option,
         domain_suspend},
        {"domain resume", {"DOMAIN"}, "resume a suspended domain", "", no_options, domain_resume},
        {"domain remove",
         {"DOMAIN"},
         "delete a domain with its mailboxes and its own keys",
         "Shows what is deleted, and asks for the name of the domain. Its mailboxes are deleted: nobody can log in, and their\n"
         "mail is removed after the time of the setting deleted_for. Until then domain restore restores all of it.",
         removal::yes_option,
         domain_remove},
        {"domain restore",
         {"DOMAIN"},
         "restore a deleted domain",
         "Restores its settings and state, the mailboxes that were deleted with it (mail, passwords, quotas), and the keys for\n"
         "this domain alone, within the time of the setting deleted_for. Mailboxes that had been deleted before stay deleted.\n"
         "If the name was added again, delete that domain first.",
         domain_restore_options,
         domain_restore},
    };
}

}  // namespace domain_commands
