// change.h - a change to accounts, domains, keys, aliases or a mailbox, in one transaction of the
// worker's session.
#pragma once

#include "db/accounts.h"
#include "db/aliases.h"
#include "db/audit.h"
#include "db/audited_change.h"
#include "db/lifecycle.h"
#include "mailboxd/exchange.h"

namespace api {

// Returns who the audit log names for the request's change.
inline audit::Actor actor_of(const Exchange& exchange)
{
    return {exchange.key.id(), exchange.request.client};
}

// Makes one change: call one function of `admin`, `mailboxes` or `aliases` that changes something.
// `steps`: the first and the last step of its transaction.
class Change {
public:
    explicit Change(const Exchange& exchange, const store::Steps& steps = {})
        : actor_{actor_of(exchange)},  // the others refer to it
          transactions_{exchange.store.session(), id_, actor_, exchange.store.longest_doubt()},
          admin{transactions_, id_, actor_, steps.first, steps.last}, mailboxes{transactions_, id_,
                                                                                actor_, steps.first,
                                                                                steps.last},
          // Without a last step: add() takes it as an argument.
          aliases{transactions_, id_, actor_, steps.first}
    {
    }

private:
    audit::Id id_;
    audit::Actor actor_;
    store::AuditedChange transactions_;

public:
    admin::Admin admin;
    life::Changes mailboxes;
    alias::Changes aliases;
};

// Runs `read` with an Admin that only reads.
template <typename Read>
auto reading(const Exchange& exchange, Read read)
{
    return db::reading(exchange.store.session(), [&](db::Connection& connection) {
        admin::Admin admin{connection};
        return read(admin);
    });
}

}  // namespace api
