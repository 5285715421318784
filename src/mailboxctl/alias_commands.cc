#include "mailboxctl/alias_commands.h"

#include <cstdint>
#include <string>

#include "base/strings.h"
#include "db/aliases.h"
#include "db/domain_names.h"
#include "mail/alias_rule.h"
#include "mail/unicode.h"

namespace alias_commands {
namespace {

namespace po = boost::program_options;
using admin::Refused;
using command::Call;
using command::json_option;
using command::no_options;
using command::Prints;
using command::WrongUsage;

constexpr std::int64_t kAtOnce = 1000;
constexpr alias::Caller kOperator{.whose = {}, .is_operator = true};

// Returns what an argument means: name@domain, or @domain for a catch-all.
alias::Pattern pattern_of(const Call& call, const std::string& text)
{
    const auto at = text.rfind('@');
    if (at == std::string::npos)
        throw WrongUsage("'" + text
                         + "' is neither an address nor a catch-all such as @example.org");
    const auto domain = call.domain(text.substr(at + 1));
    if (at == 0) return {.local_part = {}, .domain = domain};
    return {.local_part = call.address(text).local_part(), .domain = domain};
}

std::string text_of(const std::string& local_part, const std::string& domain)
{
    return domain.empty() ? "(all domains)" : local_part + "@" + domain;
}

const char* state_of(const alias::Followed& target)
{
    if (target.is_there) return "";
    return target.is_outside ? " (not permitted)" : " (deleted)";
}

po::options_description add_options()
{
    po::options_description options = json_option();
    options.add_options()(
        "stop", "the mailbox that has the address gets no mail itself, only the targets do")(
        "description", po::value<std::string>()->value_name("TEXT"), "a note, shown by the API");
    return options;
}

int alias_add(const Call& call)
{
    const auto pattern = pattern_of(call, call.arguments[0]);
    alias::Settings settings;
    settings.expression = alias::expression_of(pattern);
    settings.description = call.text("description");
    std::vector<std::string> actions;
    for (std::size_t i = 1; i < call.arguments.size(); ++i) {
        const auto target = alias::target_of(call.arguments[i]);
        if (!target) throw WrongUsage("'" + call.arguments[i] + "' is not an address");
        actions.push_back(alias::action_of(*target));
    }
    if (call.has("stop")) actions.emplace_back("stop()");
    settings.actions = actions;
    auto connection = call.connect();
    const auto made = alias::Changes{connection}.add(kOperator, settings);
    const auto recipients = alias::recipients(connection, made.number);
    command::tell(call,
                  "Alias " + text_of(made.local_part, made.domain) + " added: its mail goes to "
                      + strings::joined(recipients, ", ") + ".",
                  {{"address", text_of(made.local_part, made.domain)}, {"id", made.id}});
    return 0;
}

int alias_list(const Call& call)
{
    auto connection = call.connect();
    store::Whose whose;
    if (!call.arguments.empty())
        whose.domain_id = admin::Admin{connection}.domain_id(call.domain(call.arguments[0]).name());
    command::Listing listing{call, {"alias", "targets", "recipients", "created_at", "id"}};
    for (store::Page wanted{kAtOnce, 0};; wanted.skip += kAtOnce) {
        const auto page = alias::page(connection, whose, wanted);
        for (const auto& each : page.items) {
            std::vector<std::string> targets;
            for (const auto& target : alias::targets(connection, each.number))
                targets.push_back(target.address + state_of(target));
            const auto recipients = alias::recipients(connection, each.number);
            listing.add({text_of(each.local_part, each.domain), strings::joined(targets, ","),
                         static_cast<std::int64_t>(recipients.size()),
                         command::time_value(each.created_at), each.id});
        }
        if (page.items.size() < static_cast<std::size_t>(kAtOnce)) break;
    }
    listing.finish();
    return 0;
}

// Returns the alias that an argument means: an address, a catch-all, or the id of either.
std::optional<alias::Alias> alias_of(const Call& call, db::Connection& connection)
{
    const auto& text = call.arguments[0];
    if (text.find('@') == std::string::npos && unicode::is_ascii(text))
        return alias::find(connection, text);
    const auto pattern = pattern_of(call, text);
    return alias::find(connection, pattern.domain->name(), pattern.local_part);
}

int alias_remove(const Call& call)
{
    auto connection = call.connect();
    const auto found = alias_of(call, connection);
    if (!found)
        throw Refused("there is no alias " + call.arguments[0]
                      + "; mailboxctl alias list shows what there is");
    alias::Changes{connection}.remove(kOperator, *found);
    command::tell(call, "Alias " + text_of(found->local_part, found->domain) + " removed.",
                  {{"address", text_of(found->local_part, found->domain)}, {"id", found->id}});
    return 0;
}

int domain_alias_add(const Call& call)
{
    const auto alias = call.domain(call.arguments[0]);
    const auto domain = call.domain(call.arguments[1]);
    auto connection = call.connect();
    domain_names::add(connection, alias, domain);
    command::tell(call,
                  "Alias domain " + alias.text() + " added: every address of " + domain.text()
                      + " is also one of " + alias.text() + ".",
                  {{"alias", alias.name()}, {"domain", domain.name()}});
    return 0;
}

int domain_alias_list(const Call& call)
{
    const auto domain =
        call.arguments.empty() ? std::string{} : call.domain(call.arguments[0]).name();
    auto connection = call.connect();
    command::Listing listing{call, {"alias", "domain", "created_at"}};
    for (const auto& each : domain_names::all(connection, domain))
        listing.add({each.name, each.domain, command::time_value(each.created_at)});
    listing.finish();
    return 0;
}

int domain_alias_remove(const Call& call)
{
    const auto alias = call.domain(call.arguments[0]);
    auto connection = call.connect();
    const auto domain = domain_names::remove(connection, alias);
    command::tell(call, "Alias domain " + alias.text() + " of " + domain + " removed.",
                  {{"alias", alias.name()}, {"domain", domain}});
    return 0;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"alias add",
         {"ADDRESS", "TARGET..."},
         "send the mail of an address to mailboxes",
         "ADDRESS is name@domain, or @domain for a catch-all: it takes the mail of all names of the domain that have neither a\n"
         "mailbox nor an alias. Each TARGET is a mailbox or an alias of the same account. If ADDRESS has a mailbox, that one still\n"
         "gets its mail, unless --stop is given.\n"
         "An alias is bound to its targets themselves. If a target is deleted and its name is given to another mailbox, the new\n"
         "one gets nothing until the alias is removed and added again. An alias that leads nowhere refuses mail (550).",
         add_options,
         alias_add},
        {"alias list",
         {"[DOMAIN]"},
         "list the aliases of a domain, or all",
         "The column MAILBOXES is the number of mailboxes that get the mail now; 0: mail is refused.",
         json_option,
         alias_list,
         Prints::listing},
        {"alias remove",
         {"ADDRESS"},
         "delete an alias",
         "ADDRESS is name@domain, @domain for a catch-all, or the id that alias list shows: the catch-all of a whole account has\n"
         "no address.",
         json_option,
         alias_remove},
        {"domain alias add",
         {"ALIAS", "DOMAIN"},
         "give a domain another name",
         "Every address of DOMAIN gets mail as an address of ALIAS, too, and people can log in with either. Set the MX record of\n"
         "ALIAS as that of DOMAIN.",
         json_option,
         domain_alias_add},
        {"domain alias list",
         {"[DOMAIN]"},
         "list the alias domains of a domain, or all",
         "",
         json_option,
         domain_alias_list,
         Prints::listing},
        {"domain alias remove",
         {"ALIAS"},
         "remove an alias domain",
         "Mail to its addresses is refused, and nobody can log in with them. Nothing else changes.",
         json_option,
         domain_alias_remove},
    };
}

}  // namespace alias_commands
