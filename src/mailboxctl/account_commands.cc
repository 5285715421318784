#include "mailboxctl/account_commands.h"

#include <iostream>

#include "db/accounts.h"
#include "mailboxctl/removal.h"

namespace account_commands {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;
using command::print;
using command::Prints;
using mailbox::State;

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
        removal::confirm(call, "account", name, removal::text_of(contents, removal::Level::account),
                         removal::how_to_restore(call, contents.domains));
    const auto removed = admin.remove_account(name);
    std::cout << "Account " << name << " removed, with "
              << removal::text_of(removed, removal::Level::account) << ". "
              << removal::how_to_restore(call, removed.domains) << '\n';
    return 0;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"account add",
         {"NAME"},
         "create an account for a customer",
         "Domains and keys belong to an account. A key gives access to the domains of its own account only.",
         no_options,
         account_add},
        {"account list", {}, "list the accounts", "", no_options, account_list, Prints::listing},
        {"account set",
         {"ACCOUNT", "NAME=VALUE"},
         "change a setting of an account",
         "max_mailboxes=NUMBER|none: limit of mailboxes in all its domains together.\n"
         "max_domains=NUMBER: how many domains its own keys may have and add; 0, the default: only the operator adds domains.\n"
         "max_aliases=NUMBER|none: limit of aliases in all its domains together.",
         no_options,
         account_set},
        {"account suspend",
         {"NAME"},
         "suspend an account: its logins and API keys are refused",
         command::kSuspendDetails,
         command::disabled_option,
         account_suspend},
        {"account resume", {"NAME"}, "resume a suspended account", "", no_options, account_resume},
        {"account remove",
         {"NAME"},
         "delete an account with its domains and keys",
         "Shows what is deleted, and asks for the name of the account. Its mailboxes are deleted: nobody can log in, and their\n"
         "mail is removed after the time of the setting deleted_for. Until then domain restore restores each of its domains,\n"
         "into another account. The account's own settings and keys cannot be restored.",
         removal::yes_option,
         account_remove},
    };
}

}  // namespace account_commands
