#include "mailboxctl/domain_commands.h"

#include <array>
#include <chrono>
#include <iostream>
#include <string>

#include "db/accounts.h"
#include "db/audit.h"
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

}  // namespace

std::vector<command::Command> commands()
{
    return {
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
         command::kSuspendDetails,
         command::disabled_option,
         domain_suspend},
        {"domain resume", {"DOMAIN"}, "end a domain's suspension", "", no_options, domain_resume},
        {"domain remove",
         {"DOMAIN"},
         "remove a domain",
         "Says what goes with it, and asks for its name to be typed. Its mailboxes are deleted: nobody can log in, and their\n"
         "mail is removed after the setting deleted_for. Until then domain restore brings all of it back.",
         removal::yes_option,
         domain_remove},
        {"domain restore",
         {"DOMAIN"},
         "bring a removed domain back",
         "With its settings and state, the mailboxes that were deleted with it, their mail, passwords and quotas, and the keys\n"
         "that were for it alone, as long as the setting deleted_for says. Mailboxes that were deleted before it stay deleted.\n"
         "Where the name was added again, that domain has to be removed first.",
         domain_restore_options,
         domain_restore},
    };
}

}  // namespace domain_commands
