// mailboxes.h - the service's operations on the mail tables.
//
// Every function of Store is one operation of the API. It leaves the tables consistent, because
// Postfix and Dovecot read them at any moment. Arguments are values of mail/, so they are valid.
// Expected outcomes are return values. Throws db::Error if the database could not be asked or did
// not answer. Nothing was changed then. After InDoubt, which is such an error, the change may have
// been made.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/allowances.h"
#include "db/audit.h"
#include "db/connection.h"
#include "db/domain_list.h"
#include "db/grants.h"
#include "db/list.h"
#include "db/mailbox_settings.h"
#include "db/session.h"
#include "db/transaction.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace store {

using audit::Actor;

struct NewMailbox {
    mailbox::Address address;
    std::string password_hash;
    std::optional<Quota> quota_bytes = {};     // empty: its domain's
    std::optional<mailbox::State> state = {};  // empty: active
};

enum class Changed { yes, no_such_mailbox };

// Two functions of the caller that run within the transaction of a change: at its begin and before
// its COMMIT. Empty: nothing runs.
struct Steps {
    std::function<void(db::Connection&)> first = {};
    std::function<void(db::Connection&)> last = {};
};

struct Emptied {
    std::int64_t removed = 0;
    bool is_all = false;  // false: the time was up, and some are left
};

// Within the caller's transaction: does what end_sessions() does, for all mailboxes. Writes a
// single row, because only a few of a million mailboxes have a session. Call it as the last
// statement of the transaction: the row's time is the time of the change, and a transaction can
// take long.
void end_all_sessions(db::Connection& connection);

// Within the caller's transaction: locks the domain's mailboxes with ids above `after` and up to
// `last`, and keeps what is needed to restore them. Call it before they are deleted. `with_domain`:
// they are restored together with their domain.
enum class Goes { alone, with_domain };
void keep_deleted(db::Connection& connection, const std::string& domain, std::int64_t domain_id,
                  std::int64_t after, std::int64_t last, std::string_view by,
                  Goes goes = Goes::alone);

// Returns the number of the newest migration that was applied; 0 if none was.
std::int64_t schema_version(db::Connection& connection);

using db::InDoubt;

class Store {
public:
    // `longest_doubt`: how long to ask the database for the outcome of a lost COMMIT.
    explicit Store(db::Session& session,
                   std::chrono::milliseconds longest_doubt = std::chrono::seconds{10})
        : session_{session}, longest_doubt_{longest_doubt}
    {
    }

    // Returns what the key may do in the domain. Empty if there is no such key or its secret is
    // wrong. In these cases neither this function nor list() reads anything of the domain, so the
    // response time reveals nothing about it.
    // `on_behalf_of`: the request may concern the domains of this account only; 0: any account.
    std::optional<grants::Grant> grant(const api_key::Key& key, std::string_view domain,
                                       std::int64_t on_behalf_of = 0);

    bool has_account(std::int64_t id);
    // Returns whether any account has the domain. Only for the log: an answer must not reveal it.
    bool has_domain(std::string_view domain);

    // Return what the functions of the same name in list.h return.
    std::optional<GrantedListing> list(const api_key::Key& key, const mailbox::Domain& domain,
                                       const Page& page);
    bool confirm(const api_key::Key& key, const Version& version);
    Listing page(std::int64_t domain_id, const mailbox::Domain& domain, const Page& page);

    DetailedListing details(std::int64_t domain_id, const mailbox::Domain& domain,
                            const Page& page);

    // Returns what create() would return now, without changing anything. Call it before the
    // passwords are hashed, because hashing costs more than all the rest.
    Created foresee(const grants::Grant& grant, const std::vector<mailbox::Address>& addresses);
    bool has_mailbox(const grants::Grant& grant, const mailbox::Address& address);

    // The changes. Each throws InDoubt if it cannot find out whether the change was made.

    // Creates all of the mailboxes or none. If the domain updates duplicates, a mailbox that exists
    // gets the new password, and the quota and state if they are given.
    Created create(const grants::Grant& grant, const std::vector<NewMailbox>& mailboxes,
                   const Actor& actor, const Steps& steps = {},
                   SuspendedNames suspended_names = SuspendedNames::refused);
    Changed change_password(const grants::Grant& grant, const mailbox::Address& address,
                            std::string_view password_hash, const Actor& actor);
    Changed remove(const grants::Grant& grant, const mailbox::Address& address, const Actor& actor);
    // Removes the mailboxes that the domain has now, as remove() does. Each transaction removes
    // a few hundred of them, so none lasts long. No transaction begins after `last_begin`, or after
    // one that failed. Mailboxes that were removed before that stay removed.
    Emptied remove_all(const grants::Grant& grant, const mailbox::Domain& domain,
                       const Actor& actor, std::chrono::steady_clock::time_point last_begin);

    // Returns a page of the selected domains. Does not check a key.
    Domains domains(const Whose& whose, const Page& page, const Selection& selection = {});

    std::int64_t schema_version();

    // The worker's session, for the operations that accounts.h declares.
    db::Session& session() { return session_; }
    std::chrono::milliseconds longest_doubt() const { return longest_doubt_; }

private:
    template <typename Work>
    auto transaction(audit::Id& audit, const Actor& actor, Work work);

    db::Session& session_;
    std::chrono::milliseconds longest_doubt_;
    Lists lists_;
};

}  // namespace store
