#include "mailboxctl/erasure.h"

#include <optional>
#include <system_error>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "db/grants.h"
#include "db/mailboxes.h"
#include "db/session.h"
#include "db/transaction.h"
#include "mail/address.h"
#include "mail/unicode.h"
#include "mailboxctl/janitor_purge.h"
#include "peers/dovecot.h"

namespace erasure {
namespace {

constexpr char kOfLiving[] =
    "SELECT COUNT(m.id), COUNT(u.storage_id), COUNT(a.storage_id), COUNT(r.storage_id) FROM domain d JOIN mailbox m ON m.domain_id = d.id"
    " LEFT JOIN mailbox_usage u ON u.storage_id = m.storage_id LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " LEFT JOIN submission_rate r ON r.storage_id = m.storage_id WHERE d.name = ? AND (? = '' OR m.local_part = ?)";
constexpr char kOfDeleted[] =
    "SELECT COUNT(*) FROM deleted_mailbox WHERE domain = ? AND (? = '' OR local_part = ?)";
constexpr char kOfAudit[] =
    "SELECT COUNT(*) FROM audit_log WHERE domain = ? AND (? = '' OR local_part = ?)";
// Found by the domain of the address, or by the name of the domain.
constexpr char kOfSending[] =
    "SELECT COUNT(*) FROM sending_rate WHERE (kind = 'mailbox' AND SUBSTRING_INDEX(name, '@', -1) = ? AND (? = '' OR name = CONCAT(?, '@', ?)))"
    " OR (kind IN ('domain', 'forwarded') AND name = ? AND ? = '')";
constexpr char kForgetSending[] =
    "DELETE FROM sending_rate WHERE (kind = 'mailbox' AND SUBSTRING_INDEX(name, '@', -1) = ? AND (? = '' OR name = CONCAT(?, '@', ?)))"
    " OR (kind IN ('domain', 'forwarded') AND name = ? AND ? = '')";
// Suspended names of the present domain and of deleted domains with the same name.
constexpr char kOfNames[] =
    "SELECT COUNT(*) FROM suspended_name WHERE domain_id IN (SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?)"
    " AND (? = '' OR local_part = ?)";
// A target outside is stored as its client wrote it: in upper case, with an extension, or with an
// alias domain.
constexpr db::Text kIsTarget{
    "FIND_IN_SET(SUBSTRING_INDEX(t.address, '@', -1), ?)"
    " AND ? IN ('', SUBSTRING_INDEX(SUBSTRING_INDEX(LOWER(t.address), '@', 1), '+', 1))"};
// Aliases of the address or domain, and targets of other aliases that name it. A domain's aliases
// are those of its removed domains, too.
constexpr char kOfAliases[] =
    "SELECT COUNT(*) FROM alias WHERE domain_id IN (SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?)"
    " AND (? = '' OR local_part = ?)";
constexpr auto kOfTargets = db::Text{"SELECT COUNT(*) FROM alias_target t WHERE "} + kIsTarget;
constexpr char kOfRemoved[] =
    "SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM deleted_key k WHERE k.domain_id = d.id)), 0) FROM deleted_domain d WHERE d.name = ?";
constexpr char kOfDomain[] =
    "SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM api_key k WHERE k.domain_id = d.id)), 0),"
    " COALESCE(SUM((SELECT COUNT(*) FROM mailbox_range r WHERE r.domain_id = d.id)), 0) FROM domain d WHERE d.name = ?";

}  // namespace

namespace {

// Returns an expression for grep -iE that finds a character as itself or percent-encoded; for a
// letter, in upper and lower case.
std::string encoded_or_not(char c)
{
    constexpr std::string_view kSpecial = ".$^{|}*+?()[\\";
    constexpr char kDigits[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = c >= 'a' && c <= 'z';
    const std::string high =
        is_letter ? std::string{'[', kDigits[byte >> 4], kDigits[(byte >> 4) - 2], ']'}
                  : std::string{kDigits[byte >> 4]};
    return "("
           + (kSpecial.find(c) == std::string_view::npos ? std::string{c} : std::string{'\\', c})
           + "|%" + high + kDigits[byte & 15] + ")";
}

// Same for a text. The bytes of a character beyond ASCII stay together, because grep matches no
// part of one.
std::string encoded_or_not(std::string_view text)
{
    constexpr char kDigits[] = "0123456789abcdef";
    std::string all;
    for (std::size_t i = 0; i < text.size();) {
        if (unicode::is_ascii(text.substr(i, 1))) {
            all += encoded_or_not(text[i++]);
            continue;
        }
        std::string encoded;
        const auto begin = i;
        do {
            const auto byte = static_cast<unsigned char>(text[i]);
            encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        } while (++i < text.size() && (text[i] & 0xC0) == 0x80);
        all += "(" + std::string{text.substr(begin, i - begin)} + "|" + encoded + ")";
    }
    return all;
}

// Same for a domain, in its ASCII and its Unicode form.
std::string encoded_or_not_domain(const std::string& name)
{
    const auto unicode_name = unicode::u_labels(name);
    return unicode_name ? "(" + encoded_or_not(name) + "|" + encoded_or_not(*unicode_name) + ")"
                        : encoded_or_not(name);
}

}  // namespace

std::string pattern(const Target& target)
{
    const auto domain = encoded_or_not_domain(target.domain);
    if (target.local_part.empty()) return domain;
    const auto local_part = encoded_or_not(target.local_part);
    // Postfix also writes a target of an alias as name=domain@17.forward.invalid, and the sender of
    // mail that such an alias has sent on as SRS0=…=domain=name@….
    return local_part + "(" + encoded_or_not('+') + "[^@[:space:]]*)?(=|" + encoded_or_not('@')
           + ")" + domain + "|" + domain + "=" + local_part + "|" + domain + encoded_or_not('.')
           + "?/+(" + encoded_or_not("mailboxes") + "|" + encoded_or_not("credentials") + ")/+"
           + local_part;
}

namespace {

constexpr char kAliasDomains[] =
    "SELECT n.name FROM domain_name n JOIN domain d ON d.id = n.domain_id WHERE d.name = ? AND n.is_alias"
    " UNION SELECT k.name FROM deleted_domain_name k JOIN deleted_domain d ON d.id = k.domain_id WHERE d.name = ?";

// Returns the domain and its alias domains.
std::vector<std::string> names_of(db::Connection& connection, const std::string& domain)
{
    std::vector<std::string> names{domain};
    for (auto rows = connection.query(kAliasDomains, {domain, domain}); rows.next();)
        names.push_back(rows.read<std::string>());
    return names;
}

}  // namespace

Erasure::Rows Erasure::rows()
{
    auto& connection = session_.connection();
    const auto& part = target_.local_part;
    using Count = std::int64_t;
    const auto deleted = connection.query(kOfDeleted, {target_.domain, part, part}).only<Count>();
    const auto [removed_domains, removed_keys] =
        connection.query(kOfRemoved, {target_.domain}).only<Count, Count>();
    if (target_.is_deleted_only) {
        Rows all{{"deleted_mailbox", deleted}};
        if (part.empty())
            all.insert(all.end(),
                       {{"deleted_domain", removed_domains}, {"deleted_key", removed_keys}});
        return all;
    }
    const auto names =
        connection.query(kOfNames, {target_.domain, target_.domain, part, part}).only<Count>();
    const auto [mailboxes, sizes, activities, submissions] =
        connection.query(kOfLiving, {target_.domain, part, part})
            .only<Count, Count, Count, Count>();
    const auto audited = connection.query(kOfAudit, {target_.domain, part, part}).only<Count>();
    const auto [domains, keys, ranges] =
        connection.query(kOfDomain, {target_.domain}).only<Count, Count, Count>();
    const auto sending =
        connection
            .query(kOfSending, {target_.domain, part, part, target_.domain, target_.domain, part})
            .only<Count>();
    const auto aliases =
        connection.query(kOfAliases, {target_.domain, target_.domain, part, part}).only<Count>();
    const auto targets =
        connection
            .query(kOfTargets, {strings::joined(names_of(connection, target_.domain), ","), part})
            .only<Count>();
    Rows all{{"mailbox", mailboxes},
             {"mailbox_usage", sizes},
             {"mailbox_activity", activities},
             {"submission_rate", submissions},
             {"deleted_mailbox", deleted},
             {"audit_log", audited},
             {"sending_rate", sending},
             {"suspended_name", names},
             {"alias", aliases},
             {"alias_target", targets}};
    if (part.empty()) {
        all.insert(all.end(), {{"domain", domains},
                               {"api_key", keys},
                               {"mailbox_range", ranges},
                               {"deleted_domain", removed_domains},
                               {"deleted_key", removed_keys}});
    }
    return all;
}

std::string Erasure::account()
{
    return admin::Admin{session_.connection()}
        .find_domain(target_.domain)
        .value_or(admin::Admin::Domain{})
        .account;
}

namespace {

// As in the janitor: a living mailbox with the same storage id exists only if the tables were
// changed by hand.
constexpr char kLockOut[] =
    "UPDATE deleted_mailbox d SET purged_at = COALESCE(purged_at, UNIX_TIMESTAMP()) WHERE domain = ? AND (? = '' OR local_part = ?)"
    " AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.storage_id = d.storage_id)";

// Suspended names: the first statement is for a domain and all deleted domains of its name, the
// second for an address. They run before the rows of deleted domains are deleted, which have the
// ids.
constexpr char kForgetNames[] =
    "DELETE FROM suspended_name WHERE domain_id IN (SELECT id FROM deleted_domain WHERE name = ?)";
constexpr char kForgetName[] =
    "DELETE FROM suspended_name WHERE local_part = ? AND domain_id IN"
    " (SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?)";
// Aliases of the target, as with suspended names. Those of a removed domain have its id.
constexpr char kForgetAliases[] =
    "DELETE FROM alias WHERE domain_id IN (SELECT id FROM deleted_domain WHERE name = ?)";
constexpr char kDomainsOfName[] =
    "SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?";
constexpr char kForgetAlias[] = "DELETE FROM alias WHERE local_part = ? AND domain_id = ?";
// Other aliases lead to the target no more. In what their clients read again, its address is
// replaced, as it stands between quotes, commas and blanks; \\Q and \\E quote a name in the regular
// expression. It may have been written with an alias domain.
constexpr auto kForgetInActions =
    db::Text{
        "UPDATE alias a JOIN alias_target t ON t.alias_id = a.id SET a.actions = REGEXP_REPLACE(a.actions, ?, ?) WHERE "}
    + kIsTarget;
constexpr auto kForgetTargets = db::Text{"DELETE t FROM alias_target t WHERE "} + kIsTarget;

// Removes the target from the aliases that lead to it.
void forget_targets(db::Connection& connection, const Target& target)
{
    const auto& [domain, part, is_deleted_only] = target;
    const auto names = names_of(connection, domain);
    const auto all = strings::joined(names, ",");
    auto written = names;
    for (const auto& name : names) {
        if (const auto unicode_name = unicode::u_labels(name)) written.push_back(*unicode_name);
    }
    const auto local_part =
        part.empty() ? std::string{"[^\"' ,]*"} : "(?<=[\"', ])\\Q" + part + "\\E(\\+[^\"' ,@]*)?";
    for (const auto& name : written) {
        connection.execute(
            kForgetInActions,
            {"(?i)" + local_part + "@\\Q" + name + "\\E(?=[\"', ])", kErased, all, part});
    }
    connection.execute(kForgetTargets, {all, part});
}

constexpr char kForgetRemoved[] = "DELETE FROM deleted_domain WHERE name = ?";  // with their keys

}  // namespace

// Deletes the target in the usual way first, so that there is no second way that could go wrong.
void Erasure::lock_out()
{
    const store::Actor actor{std::string{audit::kOperator}};
    const auto domain = mailbox::Domain::parse(target_.domain).value();
    auto& connection = session_.connection();
    const auto known = admin::Admin{connection}.find_domain(target_.domain);
    if (target_.is_deleted_only || !known) {
        // The present mailbox or domain stays.
    } else if (target_.local_part.empty()) {
        admin::Admin{connection}.remove_domain(domain);
    } else {
        grants::Grant grant;
        grant.domain_id = known->id;
        store::Store{session_}.remove(grant, mailbox::Address::parse(target_.local_part, domain),
                                      actor);
    }
    auto& again = session_.connection();
    db::in_transaction(again, [&] {
        again.execute(kLockOut, {target_.domain, target_.local_part, target_.local_part});
        if (!target_.is_deleted_only) forget_targets(again, target_);
        if (target_.local_part.empty()) {
            again.execute(kForgetNames, {target_.domain});
            again.execute(kForgetAliases, {target_.domain});
            again.execute(kForgetRemoved, {target_.domain});
        } else if (!target_.is_deleted_only) {
            again.execute(kForgetName, {target_.local_part, target_.domain, target_.domain});
            // A trigger of alias changes the domain's row, so the same statement must not read it.
            for (auto ids = again.query(kDomainsOfName, {target_.domain, target_.domain});
                 ids.next();)
                again.execute(kForgetAlias, {target_.local_part, ids.read<std::int64_t>()});
        }
        if (target_.local_part.empty()) audit::write(again, {}, 0, actor, "erase", kErased, "");
        else audit::write(again, {}, 0, actor, "erase", target_.domain, kErased);
    });
}

constexpr char kStorageIds[] =
    "SELECT storage_id FROM deleted_mailbox WHERE domain = ? AND (? = '' OR local_part = ?) AND purged_at IS NOT NULL ORDER BY storage_id";

std::vector<std::string> Erasure::storage_ids()
{
    auto rows = session_.connection().query(
        kStorageIds, {target_.domain, target_.local_part, target_.local_part});
    std::vector<std::string> ids;
    while (rows.next()) ids.push_back(rows.read<std::string>());
    return ids;
}

namespace {

constexpr char kHadMail[] =
    "SELECT 1 FROM deleted_mailbox WHERE domain = ? AND (? = '' OR local_part = ?) AND purged_at IS NOT NULL AND size_bytes > 0 LIMIT 1";
// The storage id stays until the janitor has checked for a last delivery to it.
constexpr char kNameless[] =
    "UPDATE deleted_mailbox SET domain = '', local_part = '', password = '', created_at = 0, size_bytes = 0, deleted_by = ''"
    " WHERE storage_id = ?";

}  // namespace

Erasure::Mail Erasure::remove_mail(maildir::Store& store)
{
    auto& connection = session_.connection();
    if (connection.query(kHadMail, {target_.domain, target_.local_part, target_.local_part}).count()
        > 0)
        store.expect_mail();
    Mail mail;
    for (const auto& id : storage_ids()) {
        try {
            const auto removed = store.remove(id, maildir::Clock::time_point::max());
            mail.files += removed.files;
            mail.bytes += removed.bytes;
            connection.execute(kNameless, {id});
        } catch (const std::system_error& error) {
            mail.failed.emplace_back(error.what());
        }
    }
    return mail;
}

namespace {

constexpr char kAnonymous[] =
    "UPDATE audit_log SET client = '', local_part = IF(local_part = '', '', ?), domain = ? WHERE domain = ? AND (? = '' OR local_part = ?)"
    " LIMIT 1000";

}  // namespace

void Erasure::forget()
{
    if (target_.is_deleted_only)
        return;  // old entries cannot be told apart from those of the present owner of the name
    auto& connection = session_.connection();
    const auto& part = target_.local_part;
    connection.execute(kForgetSending,
                       {target_.domain, part, part, target_.domain, target_.domain, part});
    const std::string domain = part.empty() ? kErased : target_.domain;
    while (connection.execute(kAnonymous, {kErased, domain, target_.domain, part, part}) > 0) {}
}

// If Dovecot or the store cannot be reached, the janitor does the work later; the tables tell it.
Done erase(Erasure& erasure, db::Session& session, const Config& config)
{
    Done done;
    const auto leave = [&](const std::string& what, const std::string& why) {
        done.left += (done.left.empty() ? "" : "; ") + what + " (" + why + ")";
    };
    const auto attempt = [&](const char* what, const auto& work) {
        try {
            work();
        } catch (const db::Error&) {
            throw;
        } catch (const std::exception& error) {
            leave(what, error.what());
        }
    };
    std::optional<dovecot::Client> doveadm;
    attempt("open sessions",
            [&] { doveadm.emplace(config); });  // before this process changes its user
    std::optional<maildir::Store> store;
    attempt("the mail", [&] { store.emplace(janitor::become_owner_of_store(config)); });
    erasure.lock_out();
    if (doveadm) {
        janitor::Sessions sessions{session, *doveadm};
        janitor::Ended ended;
        attempt("open sessions", [&] { ended = janitor::end_sessions(sessions); });
        done.sessions_ended = ended.users;
        if (ended.stayed > 0)
            leave("open sessions",
                  std::to_string(ended.stayed) + " users have sessions that do not end");
    }
    done.storage_ids = erasure.storage_ids();
    if (store) attempt("the mail", [&] { done.mail = erasure.remove_mail(*store); });
    erasure.forget();
    const auto& failed = done.mail.failed;
    if (!failed.empty())
        leave("the mail", std::to_string(failed.size())
                              + " mailboxes could not be removed; the first: " + failed.front());
    return done;
}

}  // namespace erasure
