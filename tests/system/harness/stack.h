// stack.h - the whole house under one temporary directory, as scripts/stack
// starts it: database, mailboxd and nginx, and Dovecot and Postfix where a story is about mail.
//
// A stack is taken down and its directory removed when its object goes, and
// also when the tests are interrupted or crash. TEST_KEEP=1 in the environment
// keeps the directory. Throws std::runtime_error, with what the script said,
// when a stack cannot be started.

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

// A text as a statement has it. Only for what the stories write themselves.
std::string quote(std::string_view text);
std::string client_program();  // of the database, by the name that it has here

// The log of mailboxd. A story marks where it begins and waits for the lines
// that it expects from there on.
class Log {
public:
    explicit Log(std::filesystem::path file) : file_{std::move(file)} {}

    std::size_t mark() const;
    std::vector<std::string> lines_since(std::size_t mark) const;
    // The first line since the mark with all of these words in it, once it
    // comes; empty if it does not.
    std::string expect(std::size_t mark, const std::vector<std::string>& words) const;

private:
    std::filesystem::path file_;
};

// The workers that have reported in a log that they serve, and have not ended since. A worker that
// is still connecting to the database exists as a process, but a signal or a stop meets it in
// another state: its master dismisses it at once.
class Serving {
public:
    // Reads what was appended to the log since the last call; all of it after the log was replaced
    // or shortened.
    void read(const std::filesystem::path& file);
    bool contains(pid_t pid) const { return pids_.contains(pid); }

private:
    std::filesystem::path file_;
    std::uintmax_t inode_ = 0;
    std::uintmax_t offset_ = 0;
    std::set<pid_t> pids_;
};

// A connection to the database that stays open. Throws where a statement fails, and is
// of no use any more then.
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
    // Further arguments for `scripts/stack up`, and lines for the database's configuration.
    explicit Stack(process::Arguments arguments = {}, const std::string& db_settings = "");
    ~Stack();
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    void up();  // again, after down(), with the same data
    void down();

    const std::filesystem::path& directory() const { return directory_; }
    const std::string& setting(const std::string& name) const;  // of stack.env
    bool has_setting(const std::string& name) const { return settings_.contains(name); }
    std::uint16_t port(const std::string& name) const;  // SMTP_PORT, for instance
    http::Server server() const;
    std::filesystem::path service() const;  // the program mailboxd
    Log log() const;

    process::Ended mailboxctl(const process::Arguments& arguments,
                              const std::string& input = "") const;
    Rows sql(const std::string& statements) const;      // as the administrator
    std::string value(const std::string& query) const;  // of the one column of the one row
    process::Ended sql_as(const std::string& user, const std::string& query) const;
    DatabaseConnection connect_to_database() const;

    void keep() const;  // the directory, as TEST_KEEP would

    pid_t part(const std::string& name)
        const;  // the first process of mariadb, nginx, and so on, as it was started
    pid_t master() const;
    std::vector<pid_t> workers() const;  // all processes; some may still be starting
    pid_t gate() const;                  // of the pool for changes; throws where it does not run
    std::vector<pid_t> serving_workers() const;  // those of them that take requests
    // Waits until exactly the configured number of workers runs, all of them take requests, and
    // none of them is in `old`. This is the event after a start or a reload. Returns false if it
    // does not come in time.
    bool await_workers(const std::vector<pid_t>& old = {}) const;
    std::size_t configured_workers() const;  // of both pools, by the service's configuration file
    std::string secret(const std::string& user) const;  // the password of a database user

private:
    void read_settings();
    std::string configured(const std::string& name) const;

    process::Arguments arguments_;
    std::vector<std::string> environment_;
    std::filesystem::path directory_;
    std::map<std::string, std::string> settings_;
    mutable std::unique_ptr<DatabaseConnection> administrator_;  // opened when first asked for
    mutable Serving serving_;
    std::unique_ptr<process::Child> guard_;
};

// The one that most stories share; one for those that break things and mend them again; and one
// with Dovecot and Postfix, which the other two do without. Each is started when first asked for,
// and ends with the test program.
Stack& shared();
Stack& breakable();
Stack& with_mail();
void end_all();

}  // namespace stack
