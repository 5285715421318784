#include "mailboxctl/why.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/check_result.h"
#include "base/json.h"
#include "base/strings.h"
#include "db/audit.h"
#include "db/lifecycle.h"
#include "mail/password.h"
#include "mailboxctl/send_limit.h"
#include "peers/dovecot.h"
#include "peers/postfix_lookups.h"

namespace why {
namespace {

using command::Call;
using finding::Mark;
using mailbox::Address;
using strings::for_shell;

// --- what is found --------------------------------------------------------------------

struct Point {
    const char* name;
    Mark mark;
    std::string says;
    std::string advice;
};

// What a mailbox is for. Each works until something is found that closes it; the first such is the
// reason.
enum class Way { mail_in, login, sending, api };
constexpr std::size_t kWays = 4;
constexpr std::array<const char*, kWays> kNames{"mail in", "login", "sending", "API"};
constexpr std::array<const char*, kWays> kMembers{"mail_in", "login", "sending", "api"};

class Report {
public:
    void add(const char* name, Mark mark, std::string says, std::string advice = {})
    {
        points_.push_back({name, mark, std::move(says), std::move(advice)});
    }
    void close(std::initializer_list<Way> ways, const std::string& reason)
    {
        for (const auto way : ways) {
            auto& state = ways_.at(static_cast<std::size_t>(way));
            if (state == kYes) state = reason;
        }
    }
    bool is_well() const
    {
        return std::none_of(points_.begin(), points_.end(),
                            [](const Point& point) { return point.mark == Mark::wrong; });
    }
    void print() const;
    void print_json(const std::string& asked, const Address& address) const;

private:
    static constexpr char kYes[] = "yes";

    std::vector<Point> points_;
    std::array<std::string, kWays> ways_{kYes, kYes, kYes, kYes};
};

void Report::print() const
{
    constexpr int kMarkWidth = 7;
    constexpr int kNameWidth = 16;
    for (const auto& [name, mark, says, advice] : points_) {
        std::cout << std::left << std::setw(kMarkWidth) << text(mark) << std::setw(kNameWidth)
                  << name << says << '\n';
        if (!advice.empty())
            std::cout << std::string(kMarkWidth + kNameWidth, ' ') << "-> " << advice << '\n';
    }
    for (std::size_t i = 0; i < kWays; ++i)
        std::cout << (i == 0 ? "" : "; ") << kNames[i] << ": " << ways_[i];
    std::cout << '\n';
}

void Report::print_json(const std::string& asked, const Address& address) const
{
    const auto object = [](const json::Members& members) {
        auto text = json::object(members);
        text.resize(text.size() - 2);  // the bracket and the line end
        return text;
    };
    json::Members members{{"asked", asked}, {"mailbox", address.text()}};
    for (std::size_t i = 0; i < kWays; ++i) members.emplace_back(kMembers[i], ways_[i]);
    std::string separator = ",\"points\":[\n";
    std::cout << object(members);
    for (const auto& [name, mark, says, advice] : points_) {
        std::cout << std::exchange(separator, "},\n")
                  << object({{"point", name},
                             {"result", text(mark)},
                             {"says", says},
                             {"advice", advice.empty() ? json::Value{} : json::Value{advice}}});
    }
    std::cout << "}\n]}\n";
}

// --- the tables -----------------------------------------------------------------------

struct House {
    std::string account;
    std::string account_state;
    std::optional<std::int64_t> account_allowance;
    std::int64_t account_mailboxes = 0;
    std::string domain_state;
    std::optional<std::int64_t> domain_allowance;
    std::int64_t domain_mailboxes = 0;
    std::optional<std::int64_t> quota_bytes;
    std::int64_t domain_id = 0;
    std::int64_t keys = 0;  // that are in force for the domain
    std::int64_t now = 0;   // the database's clock
};

constexpr char kHouse[] =
    "SELECT a.name, a.state, a.max_mailboxes,"
    " (SELECT CAST(SUM(o.mailboxes) AS SIGNED) FROM domain o WHERE o.account_id = a.id),"
    " d.state, d.max_mailboxes, d.mailboxes, d.quota_bytes,"
    " (SELECT COUNT(*) FROM api_key k WHERE k.account_id = a.id AND COALESCE(k.domain_id, d.id) = d.id"
    " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > UNIX_TIMESTAMP())), UNIX_TIMESTAMP(), d.id"
    " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::optional<House> house_of(db::Connection& connection, const std::string& domain)
{
    auto rows = connection.query(kHouse, {domain});
    if (!rows.next()) return std::nullopt;
    const auto number = [&](unsigned column) {
        return rows.is_null(column) ? std::nullopt : std::optional{rows.integer(column)};
    };
    return House{rows.text(1),     rows.text(2),    number(3),       rows.integer(4),
                 rows.text(5),     number(6),       rows.integer(7), number(8),
                 rows.integer(11), rows.integer(9), rows.integer(10)};
}

constexpr char kSecret[] =
    "SELECT CONCAT(storage_id, '.', generation), password FROM mailbox WHERE storage_id = ?";

// --- sentences ------------------------------------------------------------------------

std::string at(std::int64_t seconds)
{
    return admin::time_text(seconds);
}

std::string by(const std::string& actor)
{
    return actor == audit::kOperator ? "by the operator" : "by key " + actor;
}

std::string when_and_who(const std::optional<audit::Entry>& entry)
{
    constexpr std::int64_t kMicroseconds = 1'000'000;
    if (!entry) return "(the audit log does not know since when)";
    return at(entry->at / kMicroseconds) + ", " + by(entry->actor)
           + (entry->client.empty() ? "" : " from " + entry->client);
}

std::string share(std::int64_t count, std::optional<std::int64_t> limit)
{
    return std::to_string(count) + (limit ? " of " + std::to_string(*limit) : ", no limit");
}

constexpr char kByTheTables[] = "as far as the tables say, yes";

// What `look` finds in a table that tables of an earlier release do not have; there it finds
// nothing.
template <typename Look>
auto in_newer_table(Look look) -> decltype(look())
{
    constexpr int kNoSuchTable = 1146;
    try {
        return look();
    } catch (const db::Error& error) {
        if (error.number != kNoSuchTable) throw;
        return {};
    }
}

// --- one thing after the other --------------------------------------------------------

class Inquiry {
public:
    Inquiry(const Call& call, db::Connection& connection, std::string asked, Address address)
        : call_{call}, connection_{connection}, asked_{std::move(asked)}, address_{
                                                                              std::move(address)}
    {
    }
    // Returns the exit status.
    int run();

private:
    // A command that is about this mailbox.
    std::string advised(const char* words) const
    {
        return "mailboxctl " + std::string{words} + " " + for_shell(address_.text());
    }
    bool has_domain() const { return house_.domain_id != 0; }
    void look_at_all();
    std::string since(const audit::Actions& actions);
    void look_at_address();
    void look_at_state(const char* level, const std::string& name, const std::string& state);
    void look_for_deleted(bool has_mailbox);
    void tell_of_deleted(const life::Deleted& last, bool has_mailbox, bool is_of_former);
    void look_at_allowance(bool has_mailbox);
    void look_at_size(const life::Mailbox& mailbox);
    void look_at_password(const life::Mailbox& mailbox);
    void look_at_postfix(bool has_mailbox);
    void look_at_dovecot(const std::optional<life::Mailbox>& mailbox);
    void cannot_ask(const std::string& reason);
    void ask_dovecot(const std::optional<life::Mailbox>& mailbox);
    void look_at_sending(const life::Mailbox& mailbox);
    void try_to_count();
    void look_at_api();

    const Call& call_;
    db::Connection& connection_;
    std::string asked_;
    Address address_;
    House house_{};
    bool is_active_ = true;   // mailbox, domain and account
    std::string login_name_;  // as Dovecot knows who logs in now
    std::string stored_;      // its password's hash
    Report report_;
};

void Inquiry::look_at_address()
{
    if (asked_ == address_.text()) {
        report_.add("address", Mark::ok, asked_);
    } else if (asked_.find('+') != std::string::npos) {
        report_.add("address", Mark::note,
                    "mail to " + asked_ + " is that of " + address_.text()
                        + "; nobody logs in by what has a +");
    } else {
        report_.add("address", Mark::note,
                    asked_ + " is " + address_.text() + ": capitals make no difference");
    }
}

// When the mailbox that is there now was changed so. Another one may have had the address before:
// what the log says of that one is no news of this one.
std::string Inquiry::since(const audit::Actions& actions)
{
    const auto begin = audit::latest(connection_, {"create", "restore", "restore"},
                                     address_.domain(), address_.local_part());
    const auto entry =
        audit::latest(connection_, actions, address_.domain(), address_.local_part());
    if (!begin || (entry && entry->at >= begin->at)) return when_and_who(entry);
    // A suspension stays with the name.
    if (entry && (entry->action == "suspend" || entry->action == "disable")) {
        return when_and_who(entry) + " (that stayed with the name when the mailbox was deleted)";
    }
    return begin->action == "restore" ? "before it was restored " + when_and_who(begin)
                                      : when_and_who(std::nullopt);
}

void Inquiry::look_at_state(const char* level, const std::string& name, const std::string& state)
{
    const bool is_account = level == std::string_view{"account"};
    const bool is_mailbox = level == std::string_view{"mailbox"};
    const std::string prefix = is_mailbox ? "" : std::string{level} + "-";
    if (state == mailbox::text(mailbox::State::active)) {
        report_.add(level, Mark::ok, name + " is active");
        return;
    }
    is_active_ = false;
    const std::string suspend = prefix + "suspend", disable = prefix + "disable",
                      resume = prefix + "resume";
    const audit::Actions actions{suspend, disable, resume};
    const auto when =
        is_mailbox
            ? since(actions)
            : when_and_who(audit::latest(connection_, actions, is_account ? "" : address_.domain(),
                                         is_account ? name : ""));
    const bool is_disabled = state == mailbox::text(mailbox::State::disabled);
    report_.add(
        level, Mark::wrong,
        name + " is suspended since " + when + ": nobody logs in"
            + (is_disabled ? ", and mail has to wait outside (450)" : "; mail still arrives"),
        "mailboxctl " + std::string{level} + " resume " + for_shell(name));
    const auto reason = "no, the " + std::string{level} + " is suspended";
    report_.close({Way::login, Way::sending}, reason);
    if (is_disabled) report_.close({Way::mail_in}, reason + " (450)");
    if (is_account) report_.close({Way::api}, reason + " (403)");
    else if (!is_mailbox) report_.close({Way::api}, "lists only, the domain is suspended (403)");
}

// Of the address, whether or not it has a mailbox now: the old one's mail is not in the new one.
void Inquiry::look_for_deleted(bool has_mailbox)
{
    const auto add = advised("mailbox add");
    const auto deleted = life::deleted(connection_, address_);
    const bool is_of_former =
        !deleted.empty() && has_domain() && deleted.front().domain_id != house_.domain_id;
    if (!deleted.empty()) tell_of_deleted(deleted.front(), has_mailbox, is_of_former);
    if (has_mailbox || (!deleted.empty() && !is_of_former)) return;
    const auto entry = audit::latest(connection_, {"delete", "delete", "delete"}, address_.domain(),
                                     address_.local_part());
    if (is_of_former) report_.add("mailbox", Mark::wrong, "there is none", add);
    else if (entry)
        report_.add("deleted", Mark::wrong,
                    "deleted " + when_and_who(entry) + "; its mail is removed", add);
    else
        report_.add("mailbox", Mark::wrong, "there is none, and there was none as far as is known",
                    add);
}

// Of a former domain of the name: it may have been another customer's, whose mail is nothing for
// who has the domain now.
void Inquiry::tell_of_deleted(const life::Deleted& last, bool has_mailbox, bool is_of_former)
{
    const bool is_in_the_way = !has_mailbox && !is_of_former;
    const auto mark = is_in_the_way ? Mark::wrong : Mark::note;
    auto says = (is_in_the_way ? "deleted " : "an earlier mailbox of this name was deleted ")
                + at(last.deleted_at) + " " + by(last.deleted_by) + ", with "
                + std::to_string(last.size_bytes) + " bytes";
    if (is_of_former) {
        says +=
            ", when the domain was another one, before it was removed and added again; it belongs to the account "
            + house_.account + " now";
    }
    const auto until = last.deleted_at + std::chrono::seconds{call_.config.deleted_for}.count();
    if (last.is_purged || until <= std::time(nullptr)) {
        return report_.add("deleted", mark, says + "; it cannot be restored any more",
                           is_in_the_way ? advised("mailbox add") : "");
    }
    const auto restore = advised("mailbox restore") + (has_mailbox ? " --as NAME" : "");
    says += "; it can be restored until " + at(until);
    if (is_of_former)
        report_.add("deleted", mark, says,
                    "only if the mail is theirs: " + restore + " --of-removed-domain");
    else if (has_domain()) report_.add("deleted", mark, says, restore);
    else
        report_.add(
            "deleted", mark,
            says
                + ", once the domain, which was removed, is there again and is the same customer's",
            restore + " --of-removed-domain");
}

void Inquiry::look_at_allowance(bool has_mailbox)
{
    const auto look = [&](const char* level, const std::string& name, std::int64_t count,
                          std::optional<std::int64_t> limit) {
        const auto says = std::string{level} + " has " + share(count, limit);
        if (!limit || count < *limit) return report_.add("allowance", Mark::ok, says);
        report_.add("allowance", has_mailbox ? Mark::note : Mark::wrong,
                    says + ": no mailbox can be added (409)",
                    "mailboxctl " + std::string{level} + " set " + for_shell(name)
                        + " max_mailboxes=NUMBER");
    };
    look("domain", address_.domain(), house_.domain_mailboxes, house_.domain_allowance);
    look("account", house_.account, house_.account_mailboxes, house_.account_allowance);
}

void Inquiry::look_at_size(const life::Mailbox& mailbox)
{
    constexpr std::int64_t kNearly = 10;  // a tenth is left
    const auto limit = mailbox.quota_bytes ? mailbox.quota_bytes : house_.quota_bytes;
    const auto size = mailbox.size_bytes;
    if (!limit || *limit == 0)
        return report_.add("size", Mark::ok, std::to_string(size) + " bytes, no quota");
    const auto says = share(size, limit) + " bytes, by "
                      + (mailbox.quota_bytes ? "its own quota" : "the domain's quota");
    const auto advice = advised("mailbox quota") + " SIZE";
    if (size >= *limit) {
        report_.add("size", Mark::wrong,
                    says + ": it is full, and mail is refused (552) until messages are removed",
                    advice);
        report_.close({Way::mail_in}, "no, the mailbox is full (552)");
    } else if (*limit - size < *limit / kNearly) {
        report_.add("size", Mark::note,
                    says + ": a message larger than what is left is refused (552)", advice);
    } else {
        report_.add("size", Mark::ok, says);
    }
}

void Inquiry::look_at_password(const life::Mailbox& mailbox)
{
    auto rows = connection_.query(kSecret, {mailbox.storage_id});
    if (!rows.next()) return;  // deleted in this moment
    login_name_ = rows.text(1) + "@" + address_.domain();
    stored_ = rows.text(2);
    report_.add("password", Mark::ok,
                "the last one was set " + since({"create", "password", "password"}));
    if (!call_.has("password") && !call_.has("password-file")) return;
    const auto typed =
        command::read_password(call_, command::Ask::once, "Password of " + address_.text());
    const auto is_right = password::verify(typed.text(), stored_);
    const auto passwd = advised("mailbox passwd");
    if (!is_right) {
        report_.add(
            "password given", Mark::unknown,
            "cannot be compared: the stored hash is of another scheme than {ARGON2ID}, or there is no memory for it");
    } else if (*is_right) {
        report_.add("password given", Mark::ok, "is right");
    } else {
        report_.add("password given", Mark::wrong, "is wrong", passwd);
        report_.close({Way::login, Way::sending}, "no, not with this password");
    }
}

void Inquiry::look_at_postfix(bool has_mailbox)
{
    auto key = asked_.substr(0, asked_.rfind('@'));
    std::transform(key.begin(), key.end(), key.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    key += "@" + address_.domain();
    const auto name = postfix::find(connection_, "addresses", key);
    const auto access = postfix::find(connection_, "recipients", key);
    if (!name) {
        report_.add(
            "Postfix", has_mailbox ? Mark::wrong : Mark::note,
            "finds no such mailbox: RCPT is refused (550)",
            has_mailbox
                ? "it looks like another mailbox's name inside; the mailbox needs another one"
                : "");
        report_.close({Way::mail_in}, "no, there is no mailbox (550)");
    } else if (access && access->starts_with("450")) {
        report_.add("Postfix", Mark::note, "answers RCPT with " + *access);
    } else {
        report_.add(
            "Postfix", Mark::ok,
            "takes mail for it as " + *name
                + (access == "mailboxd_quota" ? ", if Dovecot says that there is room" : ""));
    }
}

void Inquiry::cannot_ask(const std::string& reason)
{
    report_.add(
        "Dovecot", Mark::unknown, "was not asked: " + reason,
        "run this as root; the settings doveadm and doveadm_key_file have to be as Dovecot has them");
    report_.close({Way::login, Way::sending}, kByTheTables);
}

void Inquiry::look_at_dovecot(const std::optional<life::Mailbox>& mailbox)
{
    if (call_.config.doveadm.empty()) {
        report_.add("Dovecot", Mark::unknown, "was not asked: the setting doveadm is missing");
        return report_.close({Way::login, Way::sending}, kByTheTables);
    }
    try {
        ask_dovecot(mailbox);
    } catch (const doveadm::Unasked& reason) {
        cannot_ask(reason.what());
    } catch (const Config::Problems& reason) {
        cannot_ask(reason.what());  // for its key
    } catch (const doveadm::Failed& error) {
        report_.add("Dovecot", Mark::wrong, error.what(),
                    "see whether it runs (systemctl status dovecot), and into its log");
        report_.close({Way::login, Way::sending}, "not known, Dovecot does not answer");
        report_.close({Way::mail_in}, "taken, and waits until Dovecot answers");
    }
}

void Inquiry::ask_dovecot(const std::optional<life::Mailbox>& mailbox)
{
    const doveadm::Client client{call_.config, std::chrono::seconds{5}};
    const bool knows = client.user(address_.ascii()).has_value();
    if (!mailbox)
        return report_.add("Dovecot", knows ? Mark::note : Mark::ok,
                           knows ? "has a mailbox of this name that is not ours"
                                 : "knows nobody of this name");
    const bool lets_in = knows && client.user(login_name_, "imap").has_value();
    if (!knows || (!lets_in && is_active_)) {
        report_.add(
            "Dovecot", Mark::wrong,
            knows ? "knows it, but lets nobody in" : "knows nobody of this name",
            "look whether its mailboxd-sql.conf.ext leads to this database, and into its log");
        report_.close({Way::login, Way::sending}, "no, Dovecot does not let it in");
    } else {
        report_.add("Dovecot", lets_in ? Mark::ok : Mark::note,
                    lets_in ? "knows it and lets it in"
                            : "knows it, and lets nobody in while it is suspended");
    }
    std::int64_t count = 0;
    std::string open;
    for (const auto& session : client.sessions()) {
        if (!session.user.starts_with(mailbox->storage_id)) continue;
        open += (++count == 1 ? ": " : ", ") + session.service + " from " + session.address;
    }
    report_.add("sessions", Mark::ok, std::to_string(count) + " open" + open);
}

void Inquiry::look_at_sending(const life::Mailbox& mailbox)
{
    const auto limit = call_.config.send_limit;
    if (limit == 0) return report_.add("sent", Mark::ok, "no limit (send_limit = 0)");
    for (const auto& count : sending::counts(connection_, mailbox.storage_id, limit)) {
        const auto whose = count.kind == "mailbox"
                               ? std::string{}
                               : ", by all mailboxes of the " + count.kind + " " + count.name;
        const auto says = share(count.recipients, count.limit) + " recipients in an hour" + whose;
        if (count.room() > 0) {
            if (count.kind == "mailbox" || count.recipients > 0)
                report_.add("sent", Mark::ok, says);
            continue;
        }
        const auto end = at(count.until);
        report_.add("sent", Mark::wrong, says + ": further ones are refused (450) until " + end,
                    "wait; or a higher send_limit in mailboxd.conf");
        report_.close({Way::sending}, "no, not before " + end + " (450)");
    }
    try_to_count();
}

// As Postfix's user, who may lack a right. Whoever reads its password can try; nothing is counted.
void Inquiry::try_to_count()
{
    const auto& user = call_.config.postfix_db;
    if (user.password_file.empty() || ::access(user.password_file.c_str(), R_OK) != 0) return;
    try {
        db::Connection connection{user, user.password(), call_.config};
        sending::try_to_count(connection);
    } catch (const db::Error& error) {
        report_.add("sending", Mark::wrong, std::string{"cannot be counted: "} + error.what(),
                    "mailboxctl check");
        report_.close({Way::sending}, "no, it cannot be counted (451)");
    }
}

void Inquiry::look_at_api()
{
    if (house_.keys > 0)
        return report_.add("API keys", Mark::ok,
                           std::to_string(house_.keys) + " in force for the domain");
    report_.add("API keys", Mark::note, "none is in force for the domain",
                "mailboxctl key add --account " + for_shell(house_.account));
    report_.close({Way::api}, "no, there is no key (401)");
}

void Inquiry::look_at_all()
{
    look_at_address();
    const auto house = house_of(connection_, address_.domain());
    if (!house) {
        const auto entry =
            audit::latest(connection_, {"domain-remove", "domain-remove", "domain-remove"},
                          address_.domain(), "");
        const auto removed = in_newer_table(
            [&] { return admin::Admin{connection_}.removed_domains(address_.domain()); });
        const auto is_kept =
            !removed.empty()
            && removed.front().age < std::chrono::seconds{call_.config.deleted_for}.count();
        report_.add("domain", Mark::wrong,
                    address_.domain()
                        + (entry ? " was removed " + when_and_who(entry) : " is none of ours"),
                    (is_kept ? "mailboxctl domain restore " + for_shell(address_.domain())
                                   + " brings all of it back; a new one: "
                             : std::string{})
                        + "mailboxctl domain add " + for_shell(address_.domain())
                        + " --account NAME");
        report_.close({Way::mail_in, Way::login, Way::sending, Way::api},
                      "no, the domain is not there");
        if (!life::deleted(connection_, address_).empty()) look_for_deleted(false);
        return;
    }
    house_ = *house;
    look_at_state("account", house_.account, house_.account_state);
    look_at_state("domain", address_.domain(), house_.domain_state);
    const auto mailbox = life::find(connection_, address_);
    const bool has_mailbox = mailbox.has_value();
    if (mailbox) look_at_state("mailbox", address_.text(), mailbox->state);
    else report_.close({Way::mail_in, Way::login, Way::sending}, "no, there is no mailbox");
    const auto state =
        in_newer_table([&] { return life::suspended_without_mailbox(connection_, address_); });
    if (!mailbox && state) {
        const auto entry = audit::latest(connection_, {"suspend", "disable", "disable"},
                                         address_.domain(), address_.local_part());
        report_.add("name", Mark::note,
                    "it is suspended (" + *state + ") since " + when_and_who(entry)
                        + ": a mailbox that gets it is suspended, too",
                    advised("mailbox resume"));
    }
    look_for_deleted(has_mailbox);
    look_at_allowance(has_mailbox);
    if (mailbox) {
        look_at_size(*mailbox);
        report_.add("last used", Mark::ok,
                    "login: " + at(mailbox->last_login)
                        + ", delivery: " + at(mailbox->last_delivery));
        look_at_password(*mailbox);
    }
    look_at_postfix(has_mailbox);
    look_at_dovecot(mailbox);
    if (mailbox) look_at_sending(*mailbox);
    look_at_api();
}

int Inquiry::run()
{
    look_at_all();
    if (call_.has("json")) report_.print_json(asked_, address_);
    else report_.print();
    return report_.is_well() ? 0 : command::kFailed;
}

// --- the command ----------------------------------------------------------------------

boost::program_options::options_description options()
{
    auto options = command::json_option();
    options.add_options()("password", "ask for a password, and say whether it is right");
    command::add_password_option(options);
    return options;
}

int run(const Call& call)
{
    const auto& asked = call.arguments[0];
    const auto at_sign = std::min(asked.rfind('@'), asked.size());
    const auto address =
        call.address(asked.substr(0, std::min(asked.find('+'), at_sign)) + asked.substr(at_sign));
    db::Connection connection{call.config.ctl_db, call.config.ctl_db.password(), call.config};
    return Inquiry{call, connection, asked, address}.run();
}

}  // namespace

command::Command command()
{
    return {
        "why",
        {"ADDRESS"},
        "say what stands in the way of a mailbox's mail, and what to do",
        "One line each: the states of account, domain and mailbox, deletion, allowance, size, last use, password, what\n"
        "Postfix's tables say (mailboxctl runs their queries) and what Dovecot says (by the setting doveadm), what was\n"
        "sent, keys. The last line says what works. WRONG stands in the way, note does not, ? could not be looked at.\n"
        "Exit status 0 when nothing is WRONG.",
        options,
        run,
        command::Prints::listing};
}

}  // namespace why
