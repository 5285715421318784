#include "mailboxctl/mailbox_commands.h"

#include <iostream>
#include <optional>
#include <string>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "db/grants.h"
#include "db/lifecycle.h"
#include "db/mailboxes.h"
#include "db/session.h"
#include "mail/password.h"
#include "mailboxctl/recount_command.h"

namespace mailbox_commands {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::json_option;
using command::Prints;
using command::refuse_absent;
using command::size_value;
using command::time_value;
using mailbox::Address;
using mailbox::State;
using strings::for_shell;

// What the API does, as an operator: the store wants to know the domain only.
struct Operator {
    explicit Operator(const Call& call) : session(call.session()) {}

    grants::Grant grant(const Address& address)
    {
        grants::Grant grant;
        grant.domain_id = admin::Admin{session.connection()}.domain_id(address.domain());
        return grant;
    }

    db::Session session;
    store::Store store{session};
    store::Actor actor{std::string{audit::kOperator}};
};

// --- looking --------------------------------------------------------------------------

po::options_description list_options()
{
    auto options = json_option();
    options.add_options()("deleted", "those that were deleted and can be restored")(
        "suspended", "those that are suspended, and suspended names that have no mailbox now");
    return options;
}

void list_suspended(const Call& call, db::Connection& connection, const mailbox::Domain& domain)
{
    command::Listing listing{call, {"mailbox", "state", "has_mailbox"}};
    for (const auto& each :
         life::suspended(connection, admin::Admin{connection}.domain_id(domain.name()))) {
        listing.add({each.local_part + "@" + domain.name(), each.state,
                     std::string{each.has_mailbox ? "yes" : "no"}});
    }
    listing.finish();
}

// On standard error, since they are no mailboxes.
void tell_of_suspended_names(db::Connection& connection, std::int64_t domain_id,
                             const mailbox::Domain& domain)
{
    const auto count = life::suspended_without_mailbox(connection, domain_id);
    if (count == 0) return;
    std::cerr << count << (count == 1 ? " name is" : " names are")
              << " suspended without having a mailbox now; mailboxctl mailbox list "
              << domain.name() << " --suspended shows " << (count == 1 ? "it" : "them") << ".\n";
}

void list_deleted(const Call& call, db::Connection& connection, const mailbox::Domain& domain)
{
    const auto deleted = life::deleted(connection, domain);
    if (deleted.empty())
        admin::Admin{connection}.domain_id(
            domain.name());  // for a domain that never was: its sentence
    command::Listing listing{
        call, {"mailbox", "size_bytes", "created_at", "deleted_at", "deleted_by", "storage_id"}};
    for (const auto& each : deleted) {
        if (each.is_purged) continue;
        listing.add({each.local_part + "@" + domain.text(), each.size_bytes,
                     time_value(each.created_at), time_value(each.deleted_at), each.deleted_by,
                     each.storage_id});
    }
    listing.finish();
}

int mailbox_list(const Call& call)
{
    constexpr std::int64_t kPage = 1000;
    const auto domain = call.domain(call.arguments[0]);
    auto connection = call.connect();
    if (call.has("deleted") && call.has("suspended"))
        throw command::WrongUsage("--deleted and --suspended are two lists: give one of them");
    if (call.has("deleted")) {
        list_deleted(call, connection, domain);
        return 0;
    }
    if (call.has("suspended")) {
        list_suspended(call, connection, domain);
        return 0;
    }
    const auto domain_id = admin::Admin{connection}.domain_id(domain.name());
    command::Listing listing{call,
                             {"mailbox", "state", "size_bytes", "quota_bytes", "created_at",
                              "last_login", "last_delivery"}};
    for (std::int64_t last = 0;;) {
        const auto page = life::mailboxes(connection, domain_id, last, kPage);
        for (const auto& each : page) {
            listing.add({each.local_part + "@" + domain.text(), each.state, each.size_bytes,
                         size_value(each.quota_bytes), time_value(each.created_at),
                         time_value(each.last_login), time_value(each.last_delivery)});
        }
        if (page.empty()) break;
        last = page.back().id;
    }
    listing.finish();
    tell_of_suspended_names(connection, domain_id, domain);
    return 0;
}

int mailbox_show(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    auto connection = call.connect();
    const auto found = life::find(connection, address);
    if (const auto state = life::suspended_without_mailbox(connection, address); !found && state) {
        throw admin::Refused(
            "there is no mailbox " + address.text() + ", but its name is suspended (" + *state
            + "): a mailbox that gets it is " + *state + ", too. mailboxctl mailbox resume "
            + for_shell(address.text()) + " ends that");
    }
    if (!found) refuse_absent(address);
    command::show(call, {{"mailbox", address.text()},
                         {"state", found->state},
                         {"size_bytes", found->size_bytes},
                         {"quota_bytes", size_value(found->quota_bytes)},
                         {"created_at", time_value(found->created_at)},
                         {"last_login", time_value(found->last_login)},
                         {"last_delivery", time_value(found->last_delivery)},
                         {"storage_id", found->storage_id}});
    return 0;
}

// --- what the API does, too -----------------------------------------------------------

po::options_description password_options()
{
    auto options = json_option();
    command::add_password_option(options);
    return options;
}

std::string new_hash(const Call& call, const Address& address)
{
    const auto typed =
        command::read_password(call, command::Ask::twice, "Password of " + address.text());
    password::check(typed.text(), address, call.config);
    return password::hash(typed.text(), call.config);
}

// What is said of a mailbox that is suspended since before it was added; otherwise empty.
std::string of_suspension(db::Connection& connection, const Address& address)
{
    const auto found = life::find(connection, address);
    if (!found || found->state == mailbox::text(State::active)) return "";
    return " It is " + found->state
           + ", because its name was suspended before; mailboxctl mailbox resume "
           + for_shell(address.text()) + " ends that.";
}

int mailbox_add(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    Operator as_operator{call};
    const auto grant = as_operator.grant(address);
    const auto done =
        as_operator.store.create(grant, {{address, new_hash(call, address)}}, as_operator.actor);
    if (done.outcome != store::Created::Outcome::yes) throw admin::Refused(store::sentence(done));
    command::tell(call,
                  "Mailbox " + address.text() + " added."
                      + of_suspension(as_operator.session.connection(), address),
                  {{"mailbox", address.text()}});
    return 0;
}

int mailbox_passwd(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    Operator as_operator{call};
    const auto grant = as_operator.grant(address);
    if (!life::find(as_operator.session.connection(), address))
        refuse_absent(address);  // before anybody has to type
    if (as_operator.store.change_password(grant, address, new_hash(call, address),
                                          as_operator.actor)
        != store::Changed::yes) {
        refuse_absent(address);
    }
    command::tell(call, "Password of " + address.text() + " changed; open sessions are ended.",
                  {{"mailbox", address.text()}});
    return 0;
}

int mailbox_remove(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    Operator as_operator{call};
    if (as_operator.store.remove(as_operator.grant(address), address, as_operator.actor)
        != store::Changed::yes)
        refuse_absent(address);
    const auto days = call.config.deleted_for.count();
    const auto rest = days == 0 ? " deleted; the janitor removes its mail."
                                : " deleted. For " + std::to_string(days)
                                      + " days mailboxctl mailbox restore "
                                      + for_shell(address.text()) + " brings it back.";
    const auto state = life::suspended_without_mailbox(as_operator.session.connection(), address);
    const auto stays = !state
                           ? ""
                           : "\nIts name stays suspended (" + *state
                                 + ") until mailboxctl mailbox resume " + for_shell(address.text());
    command::tell(call, "Mailbox " + address.text() + rest + stays, {{"mailbox", address.text()}});
    return 0;
}

// --- what only an operator does -------------------------------------------------------

po::options_description restore_options()
{
    auto options = json_option();
    options.add_options()("as", po::value<std::string>()->value_name("NAME"),
                          "under this name, beside a mailbox that has the old one")(
        "id", po::value<std::string>()->value_name("STORAGE_ID"),
        "this one of several, as mailbox list --deleted shows them; otherwise the last deleted")(
        "of-removed-domain",
        "also where the domain was removed since then, and added again: the one that has it now may have the mail");
    return options;
}

int mailbox_restore(const Call& call)
{
    life::Restoring wanted{.address = call.address(call.arguments[0]),
                           .storage_id = call.text("id"),
                           .is_of_removed_domain = call.has("of-removed-domain")};
    auto name = wanted.address;
    if (call.has("as"))
        wanted.name = name = call.address_in(call.text("as"), wanted.address.domain());
    auto connection = call.connect();
    const auto was = life::restore(connection, wanted, call.config.deleted_for);
    command::tell(call,
                  "Mailbox " + name.text() + " is back as it was when it was deleted, at "
                      + admin::time_text(was.deleted_at) + ": " + std::to_string(was.size_bytes)
                      + " bytes of mail, its password, state " + was.state + ".",
                  {{"mailbox", name.text()},
                   {"state", was.state},
                   {"size_bytes", was.size_bytes},
                   {"deleted_at", time_value(was.deleted_at)},
                   {"storage_id", was.storage_id}});
    return 0;
}

int mailbox_quota(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    const auto& text = call.arguments[1];
    std::optional<std::int64_t> bytes;
    if (text == "none") bytes = 0;
    else if (text != "default") bytes = admin::parse_size(text);
    auto connection = call.connect();
    life::set_quota(connection, address, bytes);
    command::tell(call, "Quota of " + address.text() + ": " + text,
                  {{"mailbox", address.text()}, {"quota_bytes", size_value(bytes)}});
    return 0;
}

po::options_description suspend_options()
{
    auto options = json_option();
    command::add_disabled_option(options);
    return options;
}

int set_state(const Call& call, State state)
{
    const auto address = call.address(call.arguments[0]);
    auto connection = call.connect();
    const auto now = life::set_state(connection, address, state);
    const auto above = admin::Admin{connection}.suspended_above_mailbox(address.domain());
    const auto what =
        (now.has_mailbox ? "Mailbox " : "There is no mailbox now. The name ") + address.text();
    command::tell(call,
                  command::state_sentence(what, "mailbox", address.text(), state, now.state, above),
                  {{"mailbox", address.text()}, {"state", std::string{mailbox::text(now.state)}}});
    return 0;
}

int mailbox_suspend(const Call& call)
{
    return set_state(call, command::suspended(call));
}

int mailbox_resume(const Call& call)
{
    return set_state(call, State::active);
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"mailbox list",
         {"DOMAIN"},
         "list a domain's mailboxes, or the deleted ones",
         "",
         list_options,
         mailbox_list,
         Prints::listing},
        {"mailbox show",
         {"ADDRESS"},
         "show a mailbox",
         "storage_id names its folder in the mail store, and itself in the logs of Dovecot and Postfix.",
         json_option,
         mailbox_show,
         Prints::listing},
        {"mailbox add",
         {"ADDRESS"},
         "add a mailbox",
         "The password is asked for, or taken from a file.",
         password_options,
         mailbox_add},
        {"mailbox passwd",
         {"ADDRESS"},
         "change a mailbox's password",
         "The password is asked for, or taken from a file. Sessions that are open with the old one are ended.",
         password_options,
         mailbox_passwd},
        {"mailbox remove",
         {"ADDRESS"},
         "delete a mailbox",
         "Nobody can log in any more, and mail for it is refused. Its mail is kept for mailbox restore, and removed after the\n"
         "setting deleted_for (7 days); erase removes it at once.",
         json_option,
         mailbox_remove},
        {"mailbox restore",
         {"ADDRESS"},
         "bring a deleted mailbox back",
         "With its mail, password, size, quota and state, as long as the setting deleted_for says (7 days). Where a mailbox has\n"
         "the address again, --as gives the deleted one another name in the same domain.",
         restore_options,
         mailbox_restore},
        {"mailbox quota",
         {"ADDRESS", "SIZE|none|default"},
         "set how much a mailbox may hold",
         "SIZE such as 500M or 2G; none: as much as comes; default: as the domain says (domain set quota_bytes=…).",
         json_option,
         mailbox_quota},
        recount_command::command(),
        {"mailbox suspend",
         {"ADDRESS"},
         "let nobody into a mailbox",
         "Nobody logs in over IMAP, POP3 or submission any more, and open sessions are ended; mail still arrives, unless\n"
         "with --disabled, when it has to wait outside (450).",
         suspend_options,
         mailbox_suspend},
        {"mailbox resume",
         {"ADDRESS"},
         "end a mailbox's suspension",
         "",
         json_option,
         mailbox_resume},
    };
}

}  // namespace mailbox_commands
