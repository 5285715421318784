#include "mailboxctl/mailbox_commands.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "db/grants.h"
#include "db/lifecycle.h"
#include "db/mailboxes.h"
#include "mail/password.h"
#include "mailboxctl/erasure.h"
#include "mailboxctl/recount.h"
#include "mailboxctl/why.h"
#include "peers/maildir.h"

namespace mailboxes {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::json_option;
using command::Prints;
using command::size_value;
using command::time_value;
using mailbox::Address;
using mailbox::State;
using strings::for_shell;

[[noreturn]] void refuse_absent(const Address& address)
{
    throw admin::Refused("there is no mailbox " + address.text() + "; mailboxctl mailbox list "
                         + address.domain() + " shows what there is");
}

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

// --- sizes ----------------------------------------------------------------------------

po::options_description recount_options()
{
    auto options = json_option();
    options.add_options()("all", "those of all domains");
    return options;
}

// How far it is, on a terminal, over the same line again and again.
class Progress {
public:
    explicit Progress(std::int64_t all)
        : all_{all}, is_shown_{::isatty(STDERR_FILENO) != 0 && all > 1}
    {
    }
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void show(std::int64_t done)
    {
        if (is_shown_)
            std::cerr << '\r' << done << " of " << all_ << " mailboxes counted" << std::flush;
        is_begun_ = is_shown_;
    }
    void clear()
    {
        if (std::exchange(is_begun_, false)) std::cerr << "\r\033[K" << std::flush;
    }

private:
    std::int64_t all_;
    bool is_shown_;
    bool is_begun_ = false;
};

struct Recounting {
    std::int64_t counted = 0;
    std::int64_t changed = 0;
    std::int64_t failed = 0;
};

// One line for each that has another size than before.
void recount_domain(db::Connection& connection, const doveadm::Client& doveadm,
                    const mailbox::Domain& domain, std::int64_t domain_id, Progress& progress,
                    command::Listing& listing, Recounting& done)
{
    constexpr std::int64_t kPage = 1000;
    for (std::int64_t last = 0;;) {
        const auto page = life::mailboxes(connection, domain_id, last, kPage);
        if (page.empty()) return;
        last = page.back().id;
        for (const auto& each : page) {
            progress.show(done.counted + done.failed);
            try {
                const auto size =
                    recount::mailbox(connection, doveadm, each.storage_id, domain.name());
                if (!size) continue;  // deleted meanwhile
                ++done.counted;
                if (size->bytes == each.size_bytes) continue;
                ++done.changed;
                listing.add({each.local_part + "@" + domain.name(), each.size_bytes, size->bytes,
                             size->messages});
            } catch (const doveadm::Unasked&) {
                throw;  // which is of no mailbox
            } catch (const doveadm::Failed& error) {
                ++done.failed;
                progress.clear();
                std::cerr << each.local_part << '@' << domain.name()
                          << " could not be counted: " << error.what() << '\n';
            }
        }
    }
}

int recount_many(const Call& call, db::Connection& connection, const doveadm::Client& doveadm)
{
    admin::Admin admin{connection};
    std::vector<mailbox::Domain> domains;
    if (call.has("all")) {
        for (const auto& name : admin.domain_names()) domains.push_back(call.domain(name));
    } else {
        domains.push_back(call.domain(call.arguments[0]));
    }
    std::int64_t all = 0;
    for (const auto& domain : domains) all += admin.mailboxes_of_domain(domain);
    Progress progress{all};
    Recounting done;
    command::Listing listing{call, {"mailbox", "size_before", "size_bytes", "messages"}};
    for (const auto& domain : domains) {
        const auto found = admin.find_domain(domain.name());
        if (found) recount_domain(connection, doveadm, domain, found->id, progress, listing, done);
    }
    progress.clear();
    listing.finish();
    std::cerr << done.counted << " mailboxes counted, " << done.changed << " had another size";
    if (done.failed > 0)
        std::cerr << ", " << done.failed << " could not be counted; the command can be repeated";
    std::cerr << ".\n";
    return done.failed == 0 ? 0 : command::kFailed;
}

int mailbox_recount(const Call& call)
{
    if (call.has("all") != call.arguments.empty())
        throw command::WrongUsage("give an address, a domain or --all, and one of them only");
    if (call.config.doveadm.empty())
        throw admin::Refused(
            "the setting doveadm is missing: Dovecot counts the mail, and it says where Dovecot listens");
    auto connection = call.connect();
    const auto is_one = !call.has("all") && call.arguments[0].find('@') != std::string::npos;
    const auto address = is_one ? std::optional{call.address(call.arguments[0])} : std::nullopt;
    if (!is_one && !call.has("all"))
        admin::Admin{connection}.domain_id(call.domain(call.arguments[0]).name());  // its sentence
    const auto found = is_one ? life::find(connection, *address) : std::nullopt;
    if (is_one && !found) refuse_absent(*address);
    // Otherwise each mailbox would be counted as empty.
    if (!call.config.store.empty() && recount::is_there_mail(connection))
        storage::Store{call.config.store}.expect_mail();
    constexpr std::chrono::seconds kLongest{60};
    try {
        const doveadm::Client doveadm{call.config, kLongest};
        if (!is_one) return recount_many(call, connection, doveadm);
        const auto size =
            recount::mailbox(connection, doveadm, found->storage_id, address->domain());
        if (!size) refuse_absent(*address);
        command::tell(call,
                      "Mailbox " + address->text() + " has " + std::to_string(size->bytes)
                          + " bytes in " + std::to_string(size->messages)
                          + " messages; its size was " + std::to_string(found->size_bytes)
                          + " before.",
                      {{"mailbox", address->text()},
                       {"size_before", found->size_bytes},
                       {"size_bytes", size->bytes},
                       {"messages", size->messages}});
        return 0;
    } catch (const doveadm::Unasked& error) {
        throw std::runtime_error(
            std::string{error.what()}
            + "; run this as root, with the settings doveadm and doveadm_key_file as Dovecot has them");
    }
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

// --- erasing --------------------------------------------------------------------------

po::options_description erase_options()
{
    auto options = json_option();
    options.add_options()("yes", "do it; nothing brings it back")(
        "deleted",
        "only those that are deleted already, such as a former customer's; who has the name now is not touched");
    return options;
}

erasure::What erased_by(const Call& call)
{
    const auto& text = call.arguments[0];
    erasure::What what{.domain = "", .is_deleted_only = call.has("deleted")};
    if (text.find('@') == std::string::npos) {
        what.domain = call.domain(text).name();
    } else {
        const auto address = call.address(text);
        what.domain = address.domain();
        what.local_part = address.local_part();
    }
    return what;
}

// Inside a mailbox is known by its storage id, and in the requests of the API by its path.
std::string not_reached(const erasure::What& what, const std::vector<std::string>& storage_ids)
{
    std::string patterns = " -e " + for_shell(erasure::pattern(what));
    if (!what.local_part.empty()) {
        for (const auto& id : storage_ids) patterns += " -e " + id;
    }
    return "Not reached:\n"
           "  mail that waits in Postfix's queue; what is for it bounces when it is tried next, what is from it goes out.\n"
           "    postqueue -j | grep -iE"
           + patterns
           + "\n"
             "    shows it with its queue_id, and postsuper -d QUEUE_ID removes it.\n"
             "  logs of mailboxd, nginx, Postfix and Dovecot, until they are rotated away: the files that name it, in capitals and\n"
             "  percent-encoded, too, and compressed ones, are found by\n"
             "    find /var/log -type f -exec zgrep -liE"
           + patterns
           + " {} +\n"
             "  the database's redo log, until it is written over, and its binary logs, if it writes some:\n"
             "    PURGE BINARY LOGS BEFORE NOW() once no replica needs them.\n"
             "  backups, until they have expired: after one was restored, run this again.\n"
             "  what others have: mail in their mailboxes, and their keys' labels and accounts' names.\n";
}

int erase_command(const Call& call)
{
    const auto what = erased_by(call);
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // a domain may have a million mailboxes
    db::Session session{patient.ctl_db, patient.ctl_db.password(), patient, migrate::expect_same};
    erasure::Erasure erasure{session, what};
    const auto rows = erasure.rows();
    const bool is_known =
        std::any_of(rows.begin(), rows.end(), [](const auto& table) { return table.second > 0; });
    if (!is_known) throw admin::Refused("nothing is known of " + what.text());
    if (!call.has("yes")) {
        std::string sentence;
        for (const auto& [table, count] : rows) {
            if (count > 0)
                sentence += (sentence.empty() ? "" : ", ") + std::to_string(count) + " in " + table;
        }
        const auto account = erasure.account();
        const auto whose = account.empty() ? "the domain is not there any more"
                                           : "the domain belongs to the account " + account;
        throw admin::Refused(
            "of " + what.text() + " there are these rows: " + sentence + "; " + whose
                + "; nothing was erased. With --yes they are, with all mail, and nothing brings it back"
                + (what.is_deleted_only
                       ? "."
                       : "; with --deleted, too, only what is in deleted_mailbox."),
            admin::Refused::Outcome::said);
    }
    const auto done = erasure::erase(erasure, session, patient);
    json::Members members{{"erased", what.text()},
                          {"sessions_ended", done.sessions_ended},
                          {"files", done.mail.files},
                          {"bytes", done.mail.bytes}};
    members.insert(members.end(), rows.begin(), rows.end());
    members.emplace_back("left_to_the_janitor",
                         done.left.empty() ? json::Value{} : json::Value{done.left});
    command::show(call, members);
    if (!call.has("json")) std::cout << '\n' << not_reached(what, done.storage_ids);
    return done.left.empty() ? 0 : command::kFailed;
}

// --- what was done --------------------------------------------------------------------

po::options_description audit_options()
{
    auto options = json_option();
    options.add_options()("last",
                          po::value<std::int64_t>()->value_name("NUMBER")->default_value(100),
                          "so many of the newest entries");
    return options;
}

std::vector<audit::Entry> entries(const Call& call, db::Connection& connection)
{
    const auto last = call.options["last"].as<std::int64_t>();
    if (last < 1) throw command::WrongUsage("--last wants a number from 1 on");
    if (call.arguments.empty()) return audit::all(connection, last);
    const auto& what = call.arguments[0];
    if (what.find('@') != std::string::npos) {
        const auto address = call.address(what);
        return audit::of_address(connection, address.local_part(), address.domain(), last);
    }
    const auto domain = mailbox::Domain::parse(what);
    return audit::of_name(
        connection, domain && what.find('.') != std::string::npos ? domain->name() : what, last);
}

int audit_command(const Call& call)
{
    constexpr std::int64_t kMicroseconds = 1'000'000;
    auto connection = call.connect();
    command::Listing listing{call, {"at", "actor", "client", "action", "domain", "what"}};
    for (const auto& entry : entries(call, connection)) {
        listing.add({time_value(entry.at / kMicroseconds), entry.actor, entry.client, entry.action,
                     entry.domain, entry.what});
    }
    listing.finish();
    return 0;
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
        {"mailbox recount",
         {"[ADDRESS|DOMAIN]"},
         "count anew how much mail there is",
         "Dovecot tells each mailbox's size when it changes something. Mail that came by another way, such as a restored\n"
         "Maildir, is counted by this. Of a domain, or of all with --all, each mailbox is listed that has another size than\n"
         "before. Wants the settings doveadm and doveadm_key_file, and rights to use them, as root has.",
         recount_options,
         mailbox_recount,
         Prints::outcome,
         command::Changes::in_steps},
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
        why::command(),
        {"erase",
         {"ADDRESS|DOMAIN"},
         "remove all that is known of an address or a domain, at once and for good",
         "Of an address: its mailbox, and those deleted ones that had it, with their mail. Of a domain: the domain itself with\n"
         "all its mailboxes, living and deleted, and the keys that were for it alone; the account stays. Audit entries stay\n"
         "as (erased), without names and clients' addresses. Prints how many rows of which table, how much mail, and what it\n"
         "cannot reach. Wants the janitor's settings, and is started as root like it; where it does not come to the mail or\n"
         "to Dovecot it leaves that to the janitor, says so, and ends with exit status 1. Can be repeated when it was stopped.",
         erase_options,
         erase_command,
         Prints::outcome,
         command::Changes::in_steps},
        {"audit",
         {"[ADDRESS|DOMAIN|KEY]"},
         "show who changed what",
         "Of an address, of everything in a domain, of everything that a key has done (KEY is its id), or of an account;\n"
         "without, the newest changes of all. The operator is whoever used mailboxctl.",
         audit_options,
         audit_command,
         Prints::listing},
    };
}

}  // namespace mailboxes
