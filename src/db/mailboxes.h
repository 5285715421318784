// mailboxes.h - what the service does to the mail tables.
//
// Every function is one operation of the API and leaves the tables consistent for
// Postfix and Dovecot, which read them at any moment. Arguments are values from
// mailbox.h, so they are valid already. Returns every expected outcome; throws db::Error
// when MySQL could not be asked or did not answer, and then nothing was changed, unless
// it says that the outcome is unknown.
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
    bool is_all = false;  // false: the time was up before
};

// Within the caller's transaction: asks for the end of the sessions that are open with an
// old password, or on a mailbox that is suspended or goes away.
void end_sessions(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address);

// The same for all that there are: one row, since of a million mailboxes few have a session. The
// last statement of its transaction, so that its time is that of the change, however long it takes.
void end_all_sessions(db::Connection& connection);

// Within the caller's transaction, before they are deleted: keeps what brings the domain's
// mailboxes with ids above `after` and up to `last` back, and locks them. `with_domain`: they come
// back with their domain.
enum class Goes { alone, with_domain };
void keep_deleted(db::Connection& connection, const std::string& domain, std::int64_t domain_id,
                  std::int64_t after, std::int64_t last, std::string_view by,
                  Goes goes = Goes::alone);

// The newest migration that was applied; 0 for none.
std::int64_t schema_version(db::Connection& connection);

using db::InDoubt;

class Store {
public:
    // `longest_doubt`: how long a lost COMMIT is asked for.
    explicit Store(db::Session& session,
                   std::chrono::milliseconds longest_doubt = std::chrono::seconds{10})
        : session_{session}, longest_doubt_{longest_doubt}
    {
    }

    // What the database knows of this key and this domain. Nothing: no such key, or another secret.
    // Then nothing of the domain was looked at, here or in list(), whose time would tell of it.
    std::optional<grants::Grant> grant(const api_key::Key& key, std::string_view domain);

    // Whether anybody has it: for the log, never for an answer.
    bool has_domain(std::string_view domain);

    std::optional<GrantedListing> list(const api_key::Key& key, const mailbox::Domain& domain,
                                       const Page& page);
    // Whether the key still may, and the domain is still at that version.
    bool confirm(const api_key::Key& key, const Version& version);
    Listing page(std::int64_t domain_id, const mailbox::Domain& domain, const Page& page);

    // Each of these throws InDoubt where it cannot be told whether it was done.

    // What create() would say now, without changing anything: before the hashing, which costs more
    // than all the rest.
    Created foresee(const grants::Grant& grant, const std::vector<mailbox::Address>& addresses);
    bool has_mailbox(const grants::Grant& grant, const mailbox::Address& address);

    // All of them or none.
    Created create(const grants::Grant& grant, const std::vector<NewMailbox>& mailboxes,
                   const Actor& actor);
    Changed change_password(const grants::Grant& grant, const mailbox::Address& address,
                            std::string_view password_hash, const Actor& actor);
    Changed remove(const grants::Grant& grant, const mailbox::Address& address, const Actor& actor);
    // Those that the domain has now, as remove() does it, in transactions of some hundred: none
    // lasts long, however many there are. None begins after `last_begin`, or after one that could
    // not be made; what was committed before stays.
    Emptied remove_all(const grants::Grant& grant, const mailbox::Domain& domain,
                       const Actor& actor, std::chrono::steady_clock::time_point last_begin);

    // A page of the selected domains that a key may see. Does not check that it is the right key.
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
