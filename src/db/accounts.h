// accounts.h - what an operator does to the tables, by mailboxctl or over HTTP: accounts, domains,
// keys.
//
// Every change and its rows in audit_log are one transaction. Throws Refused if the change is
// refused; nothing was changed then. Throws db::Error if the database could not be asked, and
// db::InDoubt if no one can say whether the change was made.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/audited_transactions.h"
#include "db/connection.h"
#include "db/mailbox_settings.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace admin {

// A change that was refused, with a sentence that says why. what() adds what to do with mailboxctl.
struct Refused : std::runtime_error {
    // Whether the sentence itself says that nothing was changed. If not, mailboxctl appends that.
    enum class Outcome { unsaid, said };

    // A refusal that only mailboxctl can meet.
    explicit Refused(const std::string& its_sentence, Outcome its_outcome = Outcome::unsaid)
        : std::runtime_error{its_sentence}, outcome{its_outcome}, sentence{its_sentence}
    {
    }
    // A refusal that the API answers, too. `its_code`: the stable word for programs, a literal;
    // the service's table says the status. `advice`: what to do with mailboxctl.
    Refused(std::string_view its_code, const std::string& its_sentence,
            const std::string& advice = {}, Outcome its_outcome = Outcome::unsaid)
        : std::runtime_error{advice.empty() ? its_sentence : its_sentence + "; " + advice},
          outcome{its_outcome}, code{its_code}, sentence{its_sentence}
    {
    }

    Outcome outcome;
    std::string_view code;  // empty: mailboxctl's own
    std::string sentence;   // without the advice
};

using Table = std::vector<std::vector<std::string>>;  // the first row is the heading

// A setting that a request changes, or leaves as it is.
template <typename Value>
using Given = std::optional<Value>;
// A limit; empty: none.
using Limit = std::optional<std::int64_t>;

struct AccountSettings {
    Given<std::string> name;
    Given<Limit> max_mailboxes;
    Given<std::int64_t> max_domains;
    Given<Limit> max_aliases;
};

// An account as the operator sees it. Times are seconds since 1970.
struct Account {
    std::int64_t id = 0;
    std::string name;
    mailbox::State state = mailbox::State::active;
    Limit max_mailboxes;           // of all its domains together
    std::int64_t max_domains = 0;  // that its own keys may make
    std::int64_t aliases = 0;
    Limit max_aliases;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;
    std::int64_t domains = 0;
    std::int64_t mailboxes = 0;
    std::int64_t size_bytes = 0;
};

// Which accounts are listed, and in which order.
struct AccountSelection {
    enum class Order { by_name, by_name_descending };
    std::string prefix;             // of the name; empty: any
    std::optional<bool> is_active;  // empty: any
    Order order = Order::by_name;
    std::int64_t limit = 100;
    std::int64_t skip = 0;
};
struct AccountPage {
    std::int64_t total = 0;
    std::vector<Account> items;
};

struct DomainSettings {
    Given<Limit> max_mailboxes;
    Given<Limit> quota_bytes;  // of each of its mailboxes that has none of its own
    Given<Limit> max_aliases;
    Given<bool> has_system_addresses;  // whether abuse@ and the like reach postmaster@
    Given<bool> forwards_outside;      // whether its aliases may lead to other servers
    Given<bool> updates_duplicates;
    Given<bool> allows_delete_all;
    Given<mailbox::State> state;
};

// A domain as an operator or its account sees it.
struct DomainDetails {
    std::int64_t id = 0;
    std::int64_t account_id = 0;
    std::string account;
    std::string name;
    mailbox::State state = mailbox::State::active;
    bool updates_duplicates = false;
    bool allows_delete_all = false;
    Limit max_mailboxes;
    Limit quota_bytes;
    std::int64_t aliases = 0;
    Limit max_aliases;
    bool has_system_addresses = true;
    bool forwards_outside = false;
    std::int64_t mailboxes = 0;
    std::int64_t size_bytes = 0;
    std::int64_t created_at = 0;  // seconds since 1970
};

// Whether adding a domain asks for the account's max_domains. The operator's own does not.
enum class MaxDomains { asked, not_asked };

// Whether removing may take mailboxes along.
enum class Mailboxes { may_be_removed, must_not_exist };

// `account_id`: 0 makes a key of the operator, which needs addresses.
struct NewKey {
    std::int64_t account_id = 0;
    std::optional<mailbox::Domain> domain;
    bool is_read_only = false;
    std::int64_t expires_at = 0;         // seconds since 1970; 0: never
    std::vector<std::string> addresses;  // ranges it may call from; none: any
    std::string label;
    std::string kind = "user";   // user, domain or web; for clients that read it again
    std::string user_name = {};  // likewise
};

// A key, without its secret. Times are seconds since 1970; 0: never.
struct KeyDetails {
    std::string id;
    std::int64_t account_id = 0;  // 0: a key of the operator
    std::string account;
    std::optional<std::string> domain;
    bool is_read_only = false;
    std::string addresses;  // separated by spaces; empty: any
    std::string label;
    std::string kind;
    std::string user_name;
    std::int64_t created_at = 0;
    std::int64_t expires_at = 0;
    std::int64_t revoked_at = 0;
};

// Returns the time as 2026-01-31T12:00:00Z, and "-" for 0.
std::string time_text(std::int64_t seconds);

// Returns the last second in which a key is valid, as time_text() does: a key that expires on a day
// is valid through that day.
std::string last_moment(std::int64_t expires_at);

using audit::action_of;

// Returns the number of bytes that Config::size() reads. Throws Refused if the text is not a size.
std::int64_t parse_size(const std::string& text);

// Return the limit that the text says: a number or "none", and for a quota a size or "none". Throw
// Refused, which names the setting, for any other text.
Limit limit_of(const std::string& setting, const std::string& value);
Limit quota_of(const std::string& value);
// Returns the quota of a mailbox that the text says: a size, "none" or "default". Throws Refused.
store::Quota quota_of_mailbox(const std::string& value);
// Returns the one setting of a domain. Throws Refused for an unknown setting or value.
DomainSettings setting_of_domain(const std::string& setting, const std::string& value);

// Throws Refused if an account must not have this name, whatever accounts and keys there are.
void check_account_name(const std::string& name);

class Admin {
public:
    // For mailboxctl: the operator acts on this connection.
    explicit Admin(db::Connection& connection,
                   audit::Within within = audit::Within::own_transactions)
        : transactions_{connection, within}
    {
    }
    // For the service: `actor` makes one change; see audit::Transactions.
    Admin(db::Repetition& how, const audit::Id& id, const audit::Actor& actor,
          std::function<void(db::Connection&)> first = {},
          std::function<void(db::Connection&)> last = {})
        : transactions_{how, id, actor, std::move(first), std::move(last)}
    {
    }

    // Runs within the transaction of the change, as its last step.
    template <typename Made>
    using Last = std::function<void(db::Connection&, const Made&)>;

    // Returns the new account.
    Account add_account(const AccountSettings& settings, const Last<Account>& last = {});
    std::int64_t add_account(const std::string& name);  // without limits; returns its id
    Table accounts();
    AccountPage accounts(const AccountSelection& selection);
    std::optional<Account> find_account(std::int64_t id);
    // These throw Refused if there is no such account.
    std::int64_t account_id(const std::string& name);
    Account change_account(std::int64_t id, const AccountSettings& settings);
    // What an account or a domain has, and what is removed with it.
    struct Contents {
        std::vector<std::string> domains;  // of an account, by name
        std::int64_t mailboxes = 0;
        std::int64_t bytes = 0;        // of mail
        std::int64_t keys = 0;         // for the whole account
        std::int64_t domain_keys = 0;  // for one domain alone
        std::int64_t aliases = 0;
        std::vector<std::string>
            settings;         // that are not as they are without a word, such as "max_mailboxes 5"
        std::string account;  // of a domain: its account
        bool is_empty() const
        {
            return domains.empty() && mailboxes == 0 && keys + domain_keys == 0 && settings.empty();
        }
    };
    Contents contents_of_account(const std::string& name);
    Contents contents_of_domain(const mailbox::Domain& domain);
    // Removes the account with its domains, their mailboxes and its keys. Returns what was removed
    // with it. Its domains can be restored into another account; nothing else can be restored.
    Contents remove_account(std::int64_t id, Mailboxes mailboxes);
    Contents remove_account(const std::string& name);
    // Sets max_mailboxes=NUMBER|none, max_domains=NUMBER or max_aliases=NUMBER|none.
    void set_account(const std::string& name, const std::string& setting, const std::string& value);
    // Sets the state. Returns the one that is in force afterwards, by the rules of
    // mailbox::after(). Ends the open sessions of all its mailboxes unless that is `active`. A
    // request that would weaken the state changes nothing and is not audited.
    mailbox::State set_account_state(std::int64_t id, mailbox::State wanted);
    mailbox::State set_account_state(const std::string& name, mailbox::State wanted);

    // Adds a domain. `postmaster`: the hash of the password of its postmaster, which is created
    // with it; empty: none is created. Returns the new domain.
    DomainDetails add_domain(const mailbox::Domain& domain, std::int64_t account_id,
                             const DomainSettings& settings, const std::string& postmaster = {},
                             MaxDomains max_domains = MaxDomains::not_asked,
                             const Last<DomainDetails>& last = {});
    // Without a postmaster. `quota_bytes`: 0: none. Returns its id.
    std::int64_t add_domain(const mailbox::Domain& domain, const std::string& account,
                            std::int64_t quota_bytes = 0);
    Table domains();
    std::optional<DomainDetails> domain_details(std::int64_t id);
    std::vector<std::string> domain_names();  // sorted
    struct Domain {
        std::int64_t id = 0;
        std::string account;
    };
    std::optional<Domain> find_domain(const std::string& name);
    // Returns what is suspended above a domain, or above a mailbox in it: the account, then the
    // domain itself. Empty if nothing is.
    struct Suspended {
        std::string level;  // "account" or "domain"
        std::string name;
        std::string state;
    };
    std::vector<Suspended> suspended_above_mailbox(const std::string& domain);
    std::vector<Suspended> suspended_above_domain(const std::string& domain);
    // Throws Refused if there is no such domain.
    std::int64_t domain_id(const std::string& name);
    // Sets on_duplicate=reject|update, allow_delete_all=yes|no, max_mailboxes=NUMBER|none,
    // quota_bytes=SIZE|none, max_aliases=NUMBER|none, system_addresses=yes|no or
    // forward_outside=yes|no.
    void set_domain(const mailbox::Domain& domain, const std::string& setting,
                    const std::string& value);
    // `postmaster`: the hash of a new password for its postmaster; empty: the old one stays.
    DomainDetails change_domain(std::int64_t id, const DomainSettings& settings,
                                const std::string& postmaster = {});
    mailbox::State set_domain_state(const mailbox::Domain& domain,
                                    mailbox::State wanted);  // as of an account
    std::int64_t mailboxes_of_domain(const mailbox::Domain& domain);
    // Removes the domain. Its mailboxes become deleted mailboxes, whose mail stays until it is
    // purged. Returns what was removed with it.
    // `id`: the domain that is meant, if the name may have changed hands meanwhile; 0: whatever
    // domain has the name.
    Contents remove_domain(const mailbox::Domain& domain,
                           Mailboxes mailboxes = Mailboxes::may_be_removed, std::int64_t id = 0);

    // A removed domain.
    struct Removed {
        std::int64_t id = 0;
        std::int64_t account_id = 0;
        std::string account;  // its name then
        std::string name;
        std::string state;
        std::int64_t deleted_at = 0;
        std::int64_t age = 0;        // seconds since then
        std::int64_t mailboxes = 0;  // that come back with it
        std::int64_t bytes = 0;
        std::int64_t keys = 0;
    };
    // Returns the removed domains that can be restored, the last removed first: those with that
    // name, or all.
    std::vector<Removed> removed_domains(const std::string& name = {});
    // Restores a removed domain: its settings and state, the mailboxes that were deleted with it,
    // its keys and suspended names. `id`: which of several; 0: the last removed. `account`: another
    // one, if its own was removed, too; empty: its own. Throws Refused if it cannot be restored;
    // nothing was changed then.
    Removed restore_domain(const mailbox::Domain& domain, std::chrono::seconds grace,
                           std::int64_t id = 0, const std::string& account = {});

    api_key::Key add_key(const NewKey& wanted, const Last<api_key::Key>& last = {});
    // Returns the keys in force and revoked ones that are still kept: of an account, or all (0).
    std::vector<KeyDetails> keys(std::int64_t account_id);
    // Empty if there is no key with that id, or it is revoked or has expired.
    std::optional<KeyDetails> find_key(const std::string& id);
    Table keys(const std::string& account);  // empty: of all accounts
    void revoke_key(const std::string& id);

private:
    void transaction(const std::function<void()>& work) { transactions_.run(work); }
    void check_max_domains(std::int64_t account_id);
    void check_number_of_keys(std::int64_t account_id);
    std::int64_t keep_decisions(const mailbox::Domain& domain, std::int64_t account_id,
                                DomainSettings& settings);
    void add_postmaster(std::int64_t domain_id, const mailbox::Domain& domain,
                        const std::string& password_hash);
    void set_postmaster(std::int64_t domain_id, const std::string& domain,
                        const std::string& password_hash);
    static void refuse_if_any(std::int64_t mailboxes, const std::string& of);
    db::Connection& connection() { return transactions_.connection(); }
    void empty_and_delete_domain(std::int64_t id, const std::string& name);
    Contents contents(std::int64_t account, std::int64_t domain);  // a domain, or 0 and the account
    Removed restorable(const std::string& name, std::int64_t id, std::chrono::seconds grace);
    void restore_mailboxes(const Removed& removed);
    void take_allowance(std::int64_t account, const std::string& name, const std::string& domain);
    void check_max_aliases(std::int64_t account, const std::string& name,
                           const std::string& domain);
    void audit(std::string_view action, std::string_view domain, std::string_view what)
    {
        transactions_.write(action, domain, what);
    }

    audit::Transactions transactions_;
};

}  // namespace admin
