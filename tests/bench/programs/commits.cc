// commits - the ceiling C: how many deletions per second a client that uses only the C library
// commits.
//
//     commits SOCKET USER DATABASE CONNECTIONS LOCAL_PART FIRST LAST
//
// Deletes LOCAL_PART from each of the domains d<FIRST>.example to d<LAST>.example, one transaction
// for each mailbox, with the service's statements for a deletion, prepared once. Prints the
// transactions per second.

#include <mysql.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace {

constexpr char kTakeOne[] =
    "UPDATE domain SET mailboxes = mailboxes - 1 WHERE id = ? AND mailboxes > 0";
constexpr char kLockMailbox[] =
    "UPDATE mailbox SET password = password WHERE domain_id = ? AND local_part = ?";
constexpr char kMailboxId[] = "SELECT id FROM mailbox WHERE domain_id = ? AND local_part = ?";
constexpr char kUncountRange[] =
    "UPDATE mailbox_range SET mailboxes = mailboxes - 1,"
    " counts = INSERT(counts, ? + 1, 1, CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) - 1)) WHERE domain_id = ? AND number = ?";
constexpr char kKeepDeleted[] =
    "INSERT INTO deleted_mailbox (storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password,"
    " generation, quota_bytes, deleted_at, deleted_by, with_domain, place)"
    " SELECT storage_id, domain_id, ?, local_part, created_at, size_bytes, state, password, generation, quota_bytes, UNIX_TIMESTAMP(), ?,"
    " ?, id"
    " FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ? FOR UPDATE";
constexpr char kEndSessions[] =
    "INSERT INTO session_end (storage_id, since)"
    " SELECT storage_id, UNIX_TIMESTAMP() FROM mailbox WHERE domain_id = ? AND local_part = ?";
constexpr char kDeleteMailbox[] = "DELETE FROM mailbox WHERE domain_id = ? AND local_part = ?";
constexpr char kInsert[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part) VALUES (?, ?, ?, ?, ?, ?, ?)";

using Value = std::variant<std::int64_t, std::string>;

class Client {
public:
    Client(const char* socket, const char* user, const char* database)
    {
        if (mysql_real_connect(handle_, nullptr, user, "", database, 0, socket, 0) == nullptr)
            fail();
        run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    }
    ~Client()
    {
        for (const auto& [text, statement] : statements_) mysql_stmt_close(statement);
        mysql_close(handle_);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    std::int64_t domain_id(const std::string& name)
    {
        return number("SELECT id FROM domain WHERE name = ?", {name});
    }

    void remove(std::int64_t domain_id, const std::string& domain, const std::string& local_part)
    {
        run("START TRANSACTION");
        execute(kTakeOne, {domain_id});
        execute(kLockMailbox, {domain_id, local_part});
        const auto id = number(kMailboxId, {domain_id, local_part});
        const auto fine = id % 65536 / 128;
        execute(kUncountRange, {fine, fine, domain_id, id / 65536});
        execute(kKeepDeleted, {domain, "ceiling", std::int64_t{0}, domain_id, id - 1, id});
        execute(kEndSessions, {domain_id, local_part});
        execute(kDeleteMailbox, {domain_id, local_part});
        const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::system_clock::now().time_since_epoch());
        execute(kInsert, {now.count(), static_cast<std::int64_t>(random_() >> 2), "ceiling",
                          "127.0.0.1", "delete", domain, local_part});
        run("COMMIT");
    }

private:
    MYSQL_STMT* execute(const char* text, const std::vector<Value>& values)
    {
        auto& statement = statements_[text];
        if (statement == nullptr) {
            statement = mysql_stmt_init(handle_);
            if (mysql_stmt_prepare(statement, text, std::strlen(text)) != 0) fail();
        }
        std::array<MYSQL_BIND, 8> binds{};
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (const auto* integer = std::get_if<std::int64_t>(&values[i])) {
                binds.at(i).buffer_type = MYSQL_TYPE_LONGLONG;
                binds.at(i).buffer = const_cast<std::int64_t*>(integer);
            } else {
                const auto& string = std::get<std::string>(values[i]);
                binds.at(i).buffer_type = MYSQL_TYPE_STRING;
                binds.at(i).buffer = const_cast<char*>(string.data());
                binds.at(i).buffer_length = string.size();
            }
        }
        if (mysql_stmt_bind_param(statement, binds.data()) != 0
            || mysql_stmt_execute(statement) != 0)
            fail();
        return statement;
    }

    // Returns the number in a result of one row and one column.
    std::int64_t number(const char* text, const std::vector<Value>& values)
    {
        auto* const statement = execute(text, values);
        std::int64_t value = 0;
        MYSQL_BIND bind{};
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = &value;
        if (mysql_stmt_bind_result(statement, &bind) != 0 || mysql_stmt_fetch(statement) != 0)
            throw std::runtime_error("no such row");
        mysql_stmt_free_result(statement);
        return value;
    }

    void run(std::string_view text)
    {
        if (mysql_real_query(handle_, text.data(), text.size()) != 0) fail();
    }

    [[noreturn]] void fail() { throw std::runtime_error(mysql_error(handle_)); }

    MYSQL* handle_ = mysql_init(nullptr);
    std::map<const char*, MYSQL_STMT*> statements_;
    std::mt19937_64 random_{std::random_device{}()};
};

std::string domain_name(unsigned long number)
{
    const auto digits = std::to_string(number);
    return "d" + std::string(5 - digits.size(), '0') + digits + ".example";
}

}  // namespace

int main(int argc, char** argv)
try {
    if (argc != 8)
        throw std::runtime_error(
            "usage: commits SOCKET USER DATABASE CONNECTIONS LOCAL_PART FIRST LAST");
    const std::string local_part = argv[5];
    const auto first = std::stoul(argv[6]);
    const auto last = std::stoul(argv[7]);
    std::vector<std::unique_ptr<Client>> clients;
    for (auto left = std::stoul(argv[4]); left > 0; --left)
        clients.push_back(std::make_unique<Client>(argv[1], argv[2], argv[3]));
    // The service finds the domain together with the key, outside the transaction.
    std::vector<std::int64_t> ids;
    for (auto number = first; number <= last; ++number)
        ids.push_back(clients[0]->domain_id(domain_name(number)));

    std::atomic<std::size_t> next = 0;
    std::atomic<bool> has_failed = false;
    std::vector<std::jthread> threads;
    const auto begin = std::chrono::steady_clock::now();
    for (auto& client : clients) {
        threads.emplace_back([&] {
            try {
                for (std::size_t i = 0; (i = next++) < ids.size();)
                    client->remove(ids[i], domain_name(first + i), local_part);
            } catch (const std::exception& problem) {
                std::fprintf(stderr, "commits: %s\n", problem.what());
                has_failed = true;
            }
        });
    }
    threads.clear();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", static_cast<double>(ids.size()) / spent.count());
    return has_failed ? 1 : 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "commits: %s\n", problem.what());
    return 1;
}
