#include "mailboxctl/erasure.h"

#include <optional>
#include <system_error>

#include "db/accounts.h"
#include "db/audit.h"
#include "db/grants.h"
#include "db/mailboxes.h"
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
// By the domain of an address, or its own name.
constexpr char kOfSending[] =
    "SELECT COUNT(*) FROM sending_rate WHERE (kind = 'mailbox' AND SUBSTRING_INDEX(name, '@', -1) = ? AND (? = '' OR name = CONCAT(?, '@', ?)))"
    " OR (kind = 'domain' AND name = ? AND ? = '')";
constexpr char kForgetSending[] =
    "DELETE FROM sending_rate WHERE (kind = 'mailbox' AND SUBSTRING_INDEX(name, '@', -1) = ? AND (? = '' OR name = CONCAT(?, '@', ?)))"
    " OR (kind = 'domain' AND name = ? AND ? = '')";
// Of a domain that is there, and of those that were removed and had the name.
constexpr char kOfNames[] =
    "SELECT COUNT(*) FROM suspended_name WHERE domain_id IN (SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?)"
    " AND (? = '' OR local_part = ?)";
constexpr char kOfRemoved[] =
    "SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM deleted_key k WHERE k.domain_id = d.id)), 0) FROM deleted_domain d WHERE d.name = ?";
constexpr char kOfDomain[] =
    "SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM api_key k WHERE k.domain_id = d.id)), 0),"
    " COALESCE(SUM((SELECT COUNT(*) FROM mailbox_range r WHERE r.domain_id = d.id)), 0) FROM domain d WHERE d.name = ?";

}  // namespace

namespace {

// A character of a name as grep -iE finds it: itself, or percent-encoded, in both cases if it is a
// letter.
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

// Of a character beyond ASCII, all bytes together: grep takes no part of one.
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

// In both of its forms.
std::string encoded_or_not_domain(const std::string& name)
{
    const auto unicode_name = unicode::u_labels(name);
    return unicode_name ? "(" + encoded_or_not(name) + "|" + encoded_or_not(*unicode_name) + ")"
                        : encoded_or_not(name);
}

}  // namespace

std::string pattern(const What& what)
{
    const auto domain = encoded_or_not_domain(what.domain);
    if (what.local_part.empty()) return domain;
    const auto local_part = encoded_or_not(what.local_part);
    return local_part + "(" + encoded_or_not('+') + "[^@[:space:]]*)?" + encoded_or_not('@')
           + domain + "|" + domain + encoded_or_not('.') + "?/+(" + encoded_or_not("mailboxes")
           + "|" + encoded_or_not("credentials") + ")/+" + local_part;
}

Erasure::Rows Erasure::rows()
{
    auto& connection = session_.connection();
    const auto& part = what_.local_part;
    auto deleted = connection.query(kOfDeleted, {what_.domain, part, part});
    deleted.next();
    auto removed = connection.query(kOfRemoved, {what_.domain});
    removed.next();
    if (what_.is_deleted_only) {
        Rows all{{"deleted_mailbox", deleted.integer(1)}};
        if (part.empty())
            all.insert(all.end(), {{"deleted_domain", removed.integer(1)},
                                   {"deleted_key", removed.integer(2)}});
        return all;
    }
    auto names = connection.query(kOfNames, {what_.domain, what_.domain, part, part});
    names.next();
    auto living = connection.query(kOfLiving, {what_.domain, part, part});
    auto audited = connection.query(kOfAudit, {what_.domain, part, part});
    auto domain = connection.query(kOfDomain, {what_.domain});
    auto sending =
        connection.query(kOfSending, {what_.domain, part, part, what_.domain, what_.domain, part});
    for (auto* rows : {&living, &audited, &domain, &sending}) rows->next();
    Rows all{{"mailbox", living.integer(1)},          {"mailbox_usage", living.integer(2)},
             {"mailbox_activity", living.integer(3)}, {"submission_rate", living.integer(4)},
             {"deleted_mailbox", deleted.integer(1)}, {"audit_log", audited.integer(1)},
             {"sending_rate", sending.integer(1)},    {"suspended_name", names.integer(1)}};
    if (part.empty()) {
        all.insert(all.end(), {{"domain", domain.integer(1)},
                               {"api_key", domain.integer(2)},
                               {"mailbox_range", domain.integer(3)},
                               {"deleted_domain", removed.integer(1)},
                               {"deleted_key", removed.integer(2)}});
    }
    return all;
}

std::string Erasure::account()
{
    return admin::Admin{session_.connection()}
        .find_domain(what_.domain)
        .value_or(admin::Admin::Domain{})
        .account;
}

namespace {

// As in the janitor: a mailbox with the same storage id cannot be, unless somebody changed the
// tables by hand.
constexpr char kLockOut[] =
    "UPDATE deleted_mailbox d SET purged_at = COALESCE(purged_at, UNIX_TIMESTAMP()) WHERE domain = ? AND (? = '' OR local_part = ?)"
    " AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.storage_id = d.storage_id)";

// What is kept of names. The first where a domain is erased, with all that was removed and had its
// name; the second where an address is. Of removed domains first: their ids are known by their
// rows.
constexpr char kForgetNames[] =
    "DELETE FROM suspended_name WHERE domain_id IN (SELECT id FROM deleted_domain WHERE name = ?)";
constexpr char kForgetName[] =
    "DELETE FROM suspended_name WHERE local_part = ? AND domain_id IN"
    " (SELECT id FROM domain WHERE name = ? UNION SELECT id FROM deleted_domain WHERE name = ?)";
constexpr char kForgetRemoved[] = "DELETE FROM deleted_domain WHERE name = ?";  // and their keys

}  // namespace

// Deleted as always first, so that this has no way of its own to go wrong.
void Erasure::lock_out()
{
    const store::Actor actor{std::string{audit::kOperator}};
    const auto domain = mailbox::Domain::parse(what_.domain).value();
    auto& connection = session_.connection();
    const auto known = admin::Admin{connection}.find_domain(what_.domain);
    if (what_.is_deleted_only || !known) {
        // Nobody who lives is touched.
    } else if (what_.local_part.empty()) {
        admin::Admin{connection}.remove_domain(domain);
    } else {
        grants::Grant grant;
        grant.domain_id = known->id;
        store::Store{session_}.remove(grant, mailbox::Address::parse(what_.local_part, domain),
                                      actor);
    }
    auto& again = session_.connection();
    db::in_transaction(again, [&] {
        again.execute(kLockOut, {what_.domain, what_.local_part, what_.local_part});
        if (what_.local_part.empty()) {
            again.execute(kForgetNames, {what_.domain});
            again.execute(kForgetRemoved, {what_.domain});
        } else if (!what_.is_deleted_only) {
            again.execute(kForgetName, {what_.local_part, what_.domain, what_.domain});
        }
        if (what_.local_part.empty()) audit::write(again, {}, 0, actor, "erase", kErased, "");
        else audit::write(again, {}, 0, actor, "erase", what_.domain, kErased);
    });
}

constexpr char kStorageIds[] =
    "SELECT storage_id FROM deleted_mailbox WHERE domain = ? AND (? = '' OR local_part = ?) AND purged_at IS NOT NULL ORDER BY storage_id";

std::vector<std::string> Erasure::storage_ids()
{
    auto rows = session_.connection().query(kStorageIds,
                                            {what_.domain, what_.local_part, what_.local_part});
    std::vector<std::string> ids;
    while (rows.next()) ids.push_back(rows.text(1));
    return ids;
}

namespace {

constexpr char kHadMail[] =
    "SELECT 1 FROM deleted_mailbox WHERE domain = ? AND (? = '' OR local_part = ?) AND purged_at IS NOT NULL AND size_bytes > 0 LIMIT 1";
// The storage id stays until the janitor has looked whether a last delivery came to it.
constexpr char kNameless[] =
    "UPDATE deleted_mailbox SET domain = '', local_part = '', password = '', created_at = 0, size_bytes = 0, deleted_by = ''"
    " WHERE storage_id = ?";

}  // namespace

Erasure::Mail Erasure::remove_mail(maildir::Store& store)
{
    auto& connection = session_.connection();
    if (connection.query(kHadMail, {what_.domain, what_.local_part, what_.local_part}).count() > 0)
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
    if (what_.is_deleted_only)
        return;  // its entries cannot be told from those of who has the name now
    auto& connection = session_.connection();
    const auto& part = what_.local_part;
    connection.execute(kForgetSending,
                       {what_.domain, part, part, what_.domain, what_.domain, part});
    const std::string domain = part.empty() ? kErased : what_.domain;
    while (connection.execute(kAnonymous, {kErased, domain, what_.domain, part, part}) > 0) {}
}

// What Dovecot and the store do not let us do, the janitor does later: it is told by the tables.
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
    attempt("open sessions", [&] { doveadm.emplace(config); });  // before we are somebody else
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
                  std::to_string(ended.stayed) + " users have some that do not end");
    }
    done.storage_ids = erasure.storage_ids();
    if (store) attempt("the mail", [&] { done.mail = erasure.remove_mail(*store); });
    erasure.forget();
    const auto& failed = done.mail.failed;
    if (!failed.empty())
        leave("the mail", std::to_string(failed.size())
                              + " mailboxes' could not be removed, the first: " + failed.front());
    return done;
}

}  // namespace erasure
