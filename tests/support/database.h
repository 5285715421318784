// database.h - databases of the tests' own on the server that scripts/run-tests starts or is given,
// and tenants in them.
//
// Whatever is made there is named mailboxd_test_ and something, and nothing else is touched: it may
// be anybody's server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "base/config.h"
#include "db/connection.h"
#include "db/grants.h"
#include "db/mailboxes.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace database {

// A Config for that server, with the cheapest password hashes. Throws a sentence that
// says what to do where there is no server.
Config config(const std::string& name);
// Neither of the two can be copied or moved, and their Config has to outlive a Session.
db::Connection connection(const Config& config);
db::Session session(const Config& config);
// Whether the server is there for these tests alone, so that its settings may be changed: a test's
// precondition.
boost::test_tools::assertion_result is_private(boost::unit_test::test_unit_id);

// A new database, with the migrations or empty; dropped when it ends.
enum class Content { migrated, empty };
class Database {
public:
    explicit Database(Content content = Content::migrated);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    const Config& config() const { return config_; }
    const std::string& name() const { return config_.db.name; }
    db::Connection connect() const { return connection(config_); }

    // The administrator's own view, on a connection of its own.
    std::int64_t number(const char* statement,
                        db::Values values = {});  // of one row with one column
    std::string text(const char* statement, db::Values values = {});
    std::vector<std::string> column(const char* statement, db::Values values = {});
    std::uint64_t execute(const char* statement, db::Values values = {});
    void run(const std::string& statement);

private:
    explicit Database(Config config);

    Config config_;
    db::Connection connection_;
};

// One who may read that database, from wherever; dropped when it ends.
class User {
public:
    User(Database& database, const std::string& password);  // in quotes
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    const std::string& name() const { return name_; }

private:
    explicit User(Database& database);

    Database& database_;
    std::string name_;
};

// The one that all tests may share that keep to a tenant of their own.
Database& shared();

// An account with a domain and a key, and what a test asks of them again and again.
struct Tenant {
    explicit Tenant(Database& its_database = shared());

    grants::Grant grant();
    mailbox::Address address(std::string_view local_part) const
    {
        return mailbox::Address::parse(local_part, domain);
    }
    store::NewMailbox mailbox(std::string_view local_part,
                              std::string_view hash = "{PLAIN}first") const
    {
        return {address(local_part), std::string{hash}};
    }

    std::int64_t rows();               // mailboxes that there are
    std::int64_t counter();            // and that the domain says there are
    std::vector<std::string> names();  // in the order of their ids
    std::vector<std::string> audit();  // `create alice`, in the order written
    std::int64_t session_ends(std::string_view local_part);
    std::string storage_id(std::string_view local_part);
    std::int64_t generation(std::string_view local_part);
    std::string password(std::string_view local_part);

    Database& database;
    std::string account;
    mailbox::Domain domain;
    std::int64_t domain_id;
    api_key::Key key;
    db::Session session;
    store::Store store;
    store::Actor actor{key.id(), "192.0.2.1"};
};

}  // namespace database
