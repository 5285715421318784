// connection.h - the pipe to MySQL: statements go in, rows come out.
//
// A statement is prepared once per connection (statement.h); values are bound, never spliced.
// Throws Error, whose remedy says what may help, or DuplicateKey.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/config.h"
#include "db/statement.h"

namespace sql {
class ResultSet;
}

namespace db {

// What may help after an error.
// retry: the transaction was rolled back and may succeed when it is repeated.
// reconnect: the connection is lost. Its transaction was not committed, unless the loss happened
// during COMMIT.
// give_up: nothing; the statement or the server is at fault.
enum class Remedy { retry, reconnect, give_up };

struct Error : std::runtime_error {
    Error(Remedy error_remedy, const std::string& sentence, int error_number = 0)
        : std::runtime_error{sentence}, remedy{error_remedy}, number{error_number}
    {
    }
    Remedy remedy;
    int number;  // the error number of the server or of its client library; 0: none
};
// No connection could be made, so no statement was sent.
struct Unreached : Error {
    using Error::Error;
};
// Returns whether the server refused a change because it is read_only, as a replica is.
bool is_read_only(const Error& error);

struct DuplicateKey : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Null = std::monostate;
using Value = std::variant<Null, std::int64_t, std::string_view>;
// The values of a statement's question marks: a list in braces, or a vector. The list or vector
// must outlive this object, which only refers to it.
class Values {
public:
    Values(std::initializer_list<Value> values)
        : values_{values.begin(), values.size()} {}  // NOLINT(google-explicit-constructor)
    Values(const std::vector<Value>& values)
        : values_{values} {}  // NOLINT(google-explicit-constructor)
    auto begin() const { return values_.begin(); }
    auto end() const { return values_.end(); }

private:
    std::span<const Value> values_;
};

// The rows of one answer, already fetched.
//
// A row is read as a whole, by the types of its columns from left to right:
// `const auto [id, name] = rows.read<std::int64_t, std::string>();`
// A type is std::int64_t, bool, std::string, or std::optional of one of these. NULL reads as an
// empty optional; for the other types as 0, false and an empty text. A row of one column is that
// column's value, a row of several is a std::tuple. Throws std::logic_error if the answer has
// another number of columns, so a column that is added to a statement cannot shift the others
// unnoticed.
class Rows {
    template <typename... Columns>
    struct Row {
        using type = std::tuple<Columns...>;
    };
    template <typename Column>
    struct Row<Column> {
        using type = Column;
    };

public:
    explicit Rows(std::unique_ptr<sql::ResultSet> results);
    Rows(Rows&&) noexcept;
    ~Rows();
    // Goes on to the next row. Returns false if there is none.
    bool next();
    std::size_t count() const;
    // Returns the row that next() went to.
    template <typename... Columns>
    typename Row<Columns...>::type read() const
    {
        expect_columns(sizeof...(Columns));
        return read_in_order<Columns...>(std::index_sequence_for<Columns...>{});
    }
    // Returns all columns of the row as texts, for a table of another program whose columns are not
    // known. NULL is empty.
    std::vector<std::optional<std::string>> texts() const;
    // Returns the first row. Empty if there is none. Call it instead of next(), not after it.
    template <typename... Columns>
    std::optional<typename Row<Columns...>::type> first()
    {
        if (!next()) return std::nullopt;
        return read<Columns...>();
    }
    // Returns the only row. Throws std::logic_error if there is none or more than one.
    template <typename... Columns>
    typename Row<Columns...>::type only()
    {
        expect_one_row();
        next();
        return read<Columns...>();
    }

private:
    template <typename... Columns, std::size_t... indices>
    typename Row<Columns...>::type read_in_order(std::index_sequence<indices...> /*indices*/) const
    {
        return typename Row<Columns...>::type{column<Columns>(indices + 1)...};
    }
    template <typename Column>
    Column column(std::size_t number) const
    {
        if constexpr (std::is_same_v<Column, std::int64_t>) return integer(number);
        else if constexpr (std::is_same_v<Column, bool>) return integer(number) != 0;
        else if constexpr (std::is_same_v<Column, std::string>) return text(number);
        else
            return is_null(number) ? Column{} : Column{column<typename Column::value_type>(number)};
    }
    // Columns count from 1 here, as in JDBC.
    std::int64_t integer(std::size_t number) const;
    std::string text(std::size_t number) const;
    bool is_null(std::size_t number) const;
    void expect_columns(std::size_t wanted) const;
    void expect_one_row() const;

    std::unique_ptr<sql::ResultSet> results_;
    std::size_t columns_;
};

// Advice appended to errors about missing tables or columns.
inline constexpr std::string_view kMigrate =
    "mailboxctl migrate --db-user USER --db-password-file FILE, with a database user that may change tables, brings them to this version";

// Advice appended to errors about missing triggers or functions.
inline constexpr std::string_view kMakeRoutines =
    "mailboxctl migrate --db-user USER --db-password-file FILE makes triggers and functions anew that are missing, different or"
    " another user's";

class Connection {
public:
    // Checks a new connection. Throws Error if the database does not have what the program needs.
    // The constructor of Connection then throws that error.
    using Check = void (*)(Connection&);
    // Connects, and sets READ COMMITTED and strict mode. On a node of a Galera cluster, waits until
    // it has applied what was committed before. Throws Unreached.
    Connection(const Config::Database& database, const std::string& password, const Config& config,
               Check check = nullptr);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Runs a change. Returns the number of rows that matched (UPDATE) or were inserted or deleted.
    std::uint64_t execute(Statement statement, Values values = {});
    Rows query(Statement statement, Values values = {});
    // The same for a statement that is read from a file. It is prepared once, too, and found again
    // by comparing its text.
    Rows query_text(const std::string& statement, Values values = {});
    // Runs a statement without values and does not keep it: transactions, migrations.
    void run(const std::string& statement);

private:
    void set_session();
    std::int64_t ask_once(const std::string& statement);
    bool is_cluster_node();
    void catch_up();

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// Returns the time spent waiting for the database since the last call, for the request's log line.
std::chrono::microseconds take_time_spent();

}  // namespace db
