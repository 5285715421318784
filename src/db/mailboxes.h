// mailboxes.h - the service's operations on the mail tables.
//
// Every function of Store is one operation of the API. It leaves the tables consistent, because
// Postfix and Dovecot read them at any moment. Arguments are values of mail/, so they are valid.
// Expected outcomes are return values. Throws db::Error if the database could not be asked or did
// not answer; nothing was changed then, unless it is InDoubt.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
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
#include "db/session.h"
#include "db/transaction.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace store {

using audit::Actor;

struct NewMailbox {
    mailbox::Address address;
    std::string password_hash;
};

enum class Changed { yes, no_such_mailbox };

struct Emptied {
    std::int64_t removed = 0;
    bool is_all = false;  // false: the time was up, and some are left
};

// Within the caller's transaction: asks the janitor to end the mailbox's open sessions. For a
// mailbox that gets a new password, is suspended or is deleted.
void end_sessions(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address);

// The same for the sessions of all mailboxes. It is one row, because of a million mailboxes few
// have a session. It must be the last statement of its transaction, so that its time is the time of
// the change, however long that takes.
void end_all_sessions(db::Connection& connection);

// Within the caller's transaction, before the domain's mailboxes with ids above `after` and up to
// `last` are deleted: locks them and keeps what is needed to restore them. `with_domain`: they are
// restored together with their domain.
enum class Goes { alone, with_domain };
void keep_deleted(db::Connection& connection, const std::string& domain, std::int64_t domain_id,
                  std::int64_t after, std::int64_t last, std::string_view by,
                  Goes goes = Goes::alone);

// Returns the number of the newest migration that was applied; 0 if none was.
std::int64_t schema_version(db::Connection& connection);

using db::InDoubt;

class Store {
public:
    // `longest_doubt`: for how long the outcome of a lost COMMIT is asked for.
    explicit Store(db::Session& session,
                   std::chrono::milliseconds longest_doubt = std::chrono::seconds{10})
        : session_{session}, longest_doubt_{longest_doubt}
    {
    }

    // Returns what the key may do in the domain. Empty if there is no such key or its secret is
    // wrong. Then nothing of the domain was read, here or in list(): the time of an answer tells
    // nothing about it.
    std::optional<grants::Grant> grant(const api_key::Key& key, std::string_view domain);

    // Returns whether any account has the domain: for the log, never for an answer.
    bool has_domain(std::string_view domain);

    // These three are as in list.h.
    std::optional<GrantedListing> list(const api_key::Key& key, const mailbox::Domain& domain,
                                       const Page& page);
    bool confirm(const api_key::Key& key, const Version& version);
    Listing page(std::int64_t domain_id, const mailbox::Domain& domain, const Page& page);

    // Returns what create() would return now, without changing anything. To be asked before the
    // passwords are hashed, because that costs more than all the rest.
    Created foresee(const grants::Grant& grant, const std::vector<mailbox::Address>& addresses);
    bool has_mailbox(const grants::Grant& grant, const mailbox::Address& address);

    // The changes. Each throws InDoubt if it cannot find out whether the change was made.

    // Creates all of the mailboxes or none.
    Created create(const grants::Grant& grant, const std::vector<NewMailbox>& mailboxes,
                   const Actor& actor);
    Changed change_password(const grants::Grant& grant, const mailbox::Address& address,
                            std::string_view password_hash, const Actor& actor);
    Changed remove(const grants::Grant& grant, const mailbox::Address& address, const Actor& actor);
    // Removes the mailboxes that the domain has now, as remove() does. Each transaction removes
    // some hundred of them, so none lasts long. None begins after `last_begin`, or after one that
    // failed; what was committed before that stays.
    Emptied remove_all(const grants::Grant& grant, const mailbox::Domain& domain,
                       const Actor& actor, std::chrono::steady_clock::time_point last_begin);

    // Returns a page of the selected domains that the key may see. Does not check the key.
    Domains domains(std::string_view key_id, const Page& page, const Selection& selection = {});

    std::int64_t schema_version();

private:
    template <typename Read>
    auto reading(Read read);
    template <typename Work>
    auto transaction(const audit::Id& audit, Work work);

    db::Session& session_;
    std::chrono::milliseconds longest_doubt_;
    Lists lists_;
};

}  // namespace store
