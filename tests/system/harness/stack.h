// stack.h - a whole installation in one temporary directory, started by scripts/stack: database,
// mailboxd and nginx; Dovecot and Postfix for stories about mail.
//
// A stack is stopped and its directory removed when its object is destroyed, and also if the tests
// are interrupted or crash. TEST_KEEP=1 in the environment keeps the directory. If a stack cannot
// be started, std::runtime_error has the script's output.

#pragma once

#include "system/harness/http.h"
#include "system/harness/process.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace stack {

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

// Returns the text as an SQL literal. Only for texts of the stories themselves.
std::string quote(std::string_view text);
std::string client_program();  // the name of the database's command-line client on this machine

// The log of mailboxd. A story marks a position and waits for the lines that it expects after it.
class Log {
public:
    explicit Log(std::filesystem::path file) : file_{std::move(file)} {}

    std::size_t mark() const;
    std::vector<std::string> lines_since(std::size_t mark) const;
    // Waits for a line after the mark that contains all of these words, and returns the first one;
    // empty if none comes.
    std::string expect(std::size_t mark, const std::vector<std::string>& words) const;

private:
    std::filesystem::path file_;
};

// The workers that have logged that they serve, and have not ended since. A worker that still
// connects to the database exists as a process, but a signal or a stop finds it in another state:
// its master dismisses it at once.
class Serving {
public:
    // Reads the lines that were appended since the last call. Reads the whole log if it was
    // replaced or truncated.
    void read(const std::filesystem::path& file);
    bool contains(pid_t pid) const { return pids_.contains(pid); }

private:
    std::filesystem::path file_;
    std::uintmax_t inode_ = 0;
    std::uintmax_t offset_ = 0;
    std::set<pid_t> pids_;
};

// A connection to the database that stays open. Throws if a statement fails; the connection is then
// unusable.
class DatabaseConnection {
public:
    DatabaseConnection(const std::string& socket, const std::string& user,
                       const std::string& database);
    Rows execute(const std::string& statements);

private:
    process::Child client_;
};

class Stack {
public:
    // Takes further arguments of `scripts/stack up`, and lines for the database's configuration
    // file.
    explicit Stack(process::Arguments arguments = {}, const std::string& db_settings = "");
    ~Stack();
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    void up();  // starts it again after down(), on the same data
    void down();

    const std::filesystem::path& directory() const { return directory_; }
    const std::string& setting(const std::string& name) const;  // from stack.env
    bool has_setting(const std::string& name) const { return settings_.contains(name); }
    std::uint16_t port(const std::string& name) const;  // `name` is SMTP_PORT, for example
    http::Server server() const;
    std::filesystem::path service() const;  // path of the program mailboxd
    Log log() const;

    process::Ended mailboxctl(const process::Arguments& arguments,
                              const std::string& input = "") const;
    Rows sql(const std::string& statements) const;  // as the administrator
    // of a query that returns one row of one column
    std::string value(const std::string& query) const;
    process::Ended sql_as(const std::string& user, const std::string& query) const;
    DatabaseConnection connect_to_database() const;

    void keep() const;  // keeps the directory, like TEST_KEEP

    // Returns the first process of a part (mariadb, nginx and so on), as it was started.
    pid_t part(const std::string& name) const;
    pid_t master() const;
    std::vector<pid_t> workers() const;  // all worker processes; some may still be starting
    pid_t gate() const;  // the gate of the pool for changes; throws if it does not run
    std::vector<pid_t> serving_workers() const;  // the workers that accept requests
    // Waits until the configured number of workers runs, all of them accept requests, and none is
    // in `old`: the event that ends a start or a reload. Returns false if it does not come in time.
    bool await_workers(const std::vector<pid_t>& old = {}) const;
    std::size_t configured_workers() const;  // of both pools, from the service's configuration file
    std::string secret(const std::string& user) const;  // the password of a database user

private:
    void read_settings();
    std::string configured(const std::string& name) const;

    process::Arguments arguments_;
    std::vector<std::string> environment_;
    std::filesystem::path directory_;
    std::map<std::string, std::string> settings_;
    mutable std::unique_ptr<DatabaseConnection> administrator_;  // opened on first use
    mutable Serving serving_;
    std::unique_ptr<process::Child> guard_;
};

// The stack that most stories share, the stack for stories that break parts of it, and the stack
// with Dovecot and Postfix, which the other two do not have. Each is started on first use and
// stopped when the test program ends.
Stack& shared();
Stack& breakable();
Stack& with_mail();
void end_all();

}  // namespace stack
