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
#include "mailboxctl/adopt_command.h"
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

// Makes the changes that the API makes, in the name of the operator. The store needs only the
// domain of the grant.
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

// --- list and show ---------------------------------------------------------------------

po::options_description list_options()
{
    auto options = json_option();
    options.add_options()("deleted", "list the deleted mailboxes that can be restored")(
        "suspended", "list the suspended mailboxes, and suspended names that have no mailbox now");
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

// Says how many names are suspended without a mailbox; on standard error, because the list has only
// mailboxes.
void report_suspended_names(db::Connection& connection, std::int64_t domain_id,
                            const mailbox::Domain& domain)
{
    const auto count = life::suspended_without_mailbox(connection, domain_id);
    if (count == 0) return;
    std::cerr << count << (count == 1 ? " name is" : " names are")
              << " suspended without having a mailbox now; list " << (count == 1 ? "it" : "them")
              << " with: mailboxctl mailbox list " << domain.name() << " --suspended\n";
}

void list_deleted(const Call& call, db::Connection& connection, const mailbox::Domain& domain)
{
    const auto deleted = life::deleted(connection, domain);
    if (deleted.empty())
        admin::Admin{connection}.domain_id(domain.name());  // refuses a domain that never existed
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
        throw command::WrongUsage("--deleted and --suspended cannot be combined");
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
    report_suspended_names(connection, domain_id, domain);
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
            + "): a new mailbox of this name is " + *state + ", too. mailboxctl mailbox resume "
            + for_shell(address.text()) + " resumes it");
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

// --- create, change, delete -----------------------------------------------------------

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

// Returns a sentence about a new mailbox whose name was suspended before; otherwise empty.
std::string suspension_sentence(db::Connection& connection, const Address& address)
{
    const auto found = life::find(connection, address);
    if (!found || found->state == mailbox::text(State::active)) return "";
    return " It is " + found->state
           + ", because its name was suspended before. mailboxctl mailbox resume "
           + for_shell(address.text()) + " resumes it.";
}

int mailbox_add(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    Operator as_operator{call};
    const auto grant = as_operator.grant(address);
    const auto done =
        as_operator.store.create(grant, {{address, new_hash(call, address)}}, as_operator.actor, {},
                                 store::SuspendedNames::accepted);
    if (done.outcome != store::Created::Outcome::yes) throw admin::Refused(store::sentence(done));
    command::tell(call,
                  "Mailbox " + address.text() + " added."
                      + suspension_sentence(as_operator.session.connection(), address),
                  {{"mailbox", address.text()}});
    return 0;
}

int mailbox_passwd(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    Operator as_operator{call};
    const auto grant = as_operator.grant(address);
    if (!life::find(as_operator.session.connection(), address))
        refuse_absent(address);  // before the operator has to type
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
                                      + " days it can be restored: mailboxctl mailbox restore "
                                      + for_shell(address.text());
    const auto state = life::suspended_without_mailbox(as_operator.session.connection(), address);
    const auto stays = !state
                           ? ""
                           : "\nIts name stays suspended (" + *state
                                 + ") until mailboxctl mailbox resume " + for_shell(address.text());
    command::tell(call, "Mailbox " + address.text() + rest + stays, {{"mailbox", address.text()}});
    return 0;
}

// --- restore, quota, suspend ----------------------------------------------------------

po::options_description restore_options()
{
    auto options = json_option();
    options.add_options()(
        "as", po::value<std::string>()->value_name("NAME"),
        "restore it under this name, because another mailbox has the address now")(
        "id", po::value<std::string>()->value_name("STORAGE_ID"),
        "restore the mailbox with this id, as shown by mailbox list --deleted; by default the one deleted last")(
        "of-removed-domain",
        "restore it even if the domain was deleted since then and added again; its present owner gets the mail");
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
    const auto was = life::Changes{connection}.restore(wanted, call.config.deleted_for);
    command::tell(call,
                  "Mailbox " + name.text() + " restored as it was when it was deleted, at "
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
    const auto bytes = admin::quota_of_mailbox(text);
    auto connection = call.connect();
    life::Changes{connection}.set_quota(address, bytes);
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
    const auto now = life::Changes{connection}.set_state(address, state);
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
         "list the mailboxes of a domain, or the deleted ones",
         "",
         list_options,
         mailbox_list,
         Prints::listing},
        {"mailbox show",
         {"ADDRESS"},
         "show a mailbox",
         "storage_id is the name of its folder in the mail store, and of the mailbox in the logs of Dovecot and Postfix.",
         json_option,
         mailbox_show,
         Prints::listing},
        {"mailbox add",
         {"ADDRESS"},
         "create a mailbox",
         "Asks for the password, or reads it from a file.",
         password_options,
         mailbox_add},
        {"mailbox passwd",
         {"ADDRESS"},
         "change the password of a mailbox",
         "Asks for the password, or reads it from a file. Sessions that were opened with the old password are ended.",
         password_options,
         mailbox_passwd},
        {"mailbox remove",
         {"ADDRESS"},
         "delete a mailbox",
         "Nobody can log in, and mail for it is refused. Its mail is kept for the time of the setting deleted_for (7 days), until\n"
         "then mailbox restore restores it. erase removes it at once.",
         json_option,
         mailbox_remove},
        {"mailbox restore",
         {"ADDRESS"},
         "restore a deleted mailbox",
         "Restores its mail, password, size, quota and state, within the time of the setting deleted_for (7 days). If another\n"
         "mailbox has the address now, --as gives the restored one another name in the same domain.",
         restore_options,
         mailbox_restore},
        {"mailbox quota",
         {"ADDRESS", "SIZE|none|default"},
         "set the quota of a mailbox",
         "SIZE: such as 500M or 2G. none: no limit. default: the setting quota_bytes of its domain (domain set).",
         json_option,
         mailbox_quota},
        recount_command::command(),
        adopt_command::command(),
        {"mailbox suspend",
         {"ADDRESS"},
         "suspend a mailbox: logins are refused",
         "Nobody can log in over IMAP, POP3 or submission, and open sessions are ended. Mail still arrives, unless --disabled is\n"
         "given: then it is deferred (450).",
         suspend_options,
         mailbox_suspend},
        {"mailbox resume",
         {"ADDRESS"},
         "resume a suspended mailbox",
         "",
         json_option,
         mailbox_resume},
    };
}

}  // namespace mailbox_commands
