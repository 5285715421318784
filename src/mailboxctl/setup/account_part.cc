// account_part.cc - the first account with its domain, postmaster and API key.

#include "base/config.h"
#include "db/accounts.h"
#include "db/migrate.h"
#include "mail/password.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

struct Found {
    bool has_account = false;
    bool has_key = false;
    bool has_domain = false;
    std::string owner;  // of the domain
};

Found look_at_tables(db::Connection& connection, const Options& options)
{
    admin::Admin admin{connection};
    Found found;
    try {
        const auto id = admin.account_id(options.account);
        found.has_account = true;
        found.has_key = !admin.keys(id).empty();
    } catch (const admin::Refused&) {
        // There is no such account.
    }
    const auto domain = mailbox::Domain::parse(options.domain);
    if (!domain) return found;
    if (const auto its = admin.find_domain(domain->name())) {
        found.has_domain = true;
        found.owner = its->account;
    }
    return found;
}

// Empty if the database or the configuration are not ready yet.
std::optional<Found> look_at_account(const Situation& situation)
{
    try {
        const auto config = Config::read(situation.machine.real(situation.options.configuration));
        db::Connection connection{config.ctl_db, config.ctl_db.password(), config,
                                  migrate::expect_same};
        return look_at_tables(connection, situation.options);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

// The changes of one run of the command, each in the audit log.
class Account {
public:
    explicit Account(Work& work)
        : work_{work}, config_{Config::read(work.machine.real(work.options.configuration))},
          connection_{config_.ctl_db, config_.ctl_db.password(), config_, migrate::expect_same},
          admin_{connection_}
    {
    }
    void add_account() { admin_.add_account(work_.options.account); }
    void add_domain()
    {
        const auto domain = mailbox::Domain::parse(work_.options.domain);
        const auto postmaster = mailbox::Address::parse("postmaster", *domain);
        const auto password = password::generate(postmaster, config_);
        admin::DomainSettings settings;
        if (config_.domain_quota != 0) settings.quota_bytes = config_.domain_quota;
        work_.keep(postmaster.text() + ": " + std::string{password.text()});
        admin_.add_domain(*domain, admin_.account_id(work_.options.account), settings,
                          password::hash(password.text(), config_));
    }
    void add_key()
    {
        admin::NewKey wanted;
        wanted.account_id = admin_.account_id(work_.options.account);
        wanted.label = "setup";
        admin_.add_key(wanted, [this](db::Connection&, const api_key::Key& key) {
            work_.keep("API key: " + std::string{key.text()});
        });
    }

private:
    Work& work_;
    Config config_;
    db::Connection connection_;
    admin::Admin admin_;
};

}  // namespace

void add_account(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    if (!options.has("account") || options.domain.empty()) return;
    const auto found = look_at_account(situation).value_or(Found{});
    if (found.has_domain && found.owner != options.account) {
        plan.obstacles.push_back("the domain " + options.domain + " belongs to the account "
                                 + found.owner
                                 + ". Name that one with --account, or another --domain");
        return;
    }
    const auto add = [&](const std::string& what, void (Account::*change)()) {
        plan.add(Phase::finish, Kind::create, "account", what, [change](Work& work) {
            Account account{work};
            (account.*change)();
        });
    };
    if (!found.has_account) add("the account " + options.account, &Account::add_account);
    if (!found.has_domain)
        add("the domain " + options.domain + " with postmaster@" + options.domain,
            &Account::add_domain);
    if (!found.has_key) add("an API key of the account " + options.account, &Account::add_key);
}

}  // namespace setup
