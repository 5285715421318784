// database.h - databases of the tests on the server that scripts/run-tests starts or is given, and
// tenants in them.
//
// All databases and users that the tests create are named mailboxd_test_…. The tests touch nothing
// else, because the server may be shared.
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
#include "db/session.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace database {

// Returns a Config for that server, with the cheapest password hashes. If there is no server,
// throws a message that says what to do.
Config config(const std::string& name);
// Neither can be copied or moved. The Config must outlive a Session.
db::Connection connection(const Config& config);
db::Session session(const Config& config);
// A precondition: true if the server serves these tests alone, so that its settings may be changed.
boost::test_tools::assertion_result is_private(boost::unit_test::test_unit_id);

// A new database, with all migrations or empty; dropped by the destructor.
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

    // Statements of the administrator, on a separate connection.
    // Returns the value of a query for one row of one column.
    std::int64_t number(db::Statement statement, db::Values values = {});
    std::string text(db::Statement statement, db::Values values = {});
    std::vector<std::string> column(db::Statement statement, db::Values values = {});
    std::uint64_t execute(db::Statement statement, db::Values values = {});
    void run(const std::string& statement);

private:
    explicit Database(Config config);

    Config config_;
    db::Connection connection_;
};

// A database user that may read that database, from any host; dropped by the destructor.
class User {
public:
    User(Database& database, const std::string& password);  // the password as a quoted SQL literal
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    const std::string& name() const { return name_; }

private:
    explicit User(Database& database);

    Database& database_;
    std::string name_;
};

// The database that tests share if each uses only its own tenant.
Database& shared();

// An account with a domain and a key, and the queries that tests often need.
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

    std::int64_t rows();               // number of existing mailboxes
    std::int64_t counter();            // the domain's own count of them
    std::vector<std::string> names();  // in the order of their ids
    std::vector<std::string> audit();  // for example `create alice`, in the order written
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
