// rows - the ceiling D: how often a client that uses only the C library reads a page.
//
//     rows SOCKET USER CONNECTIONS SECONDS ROWS
//
// Each connection has its own thread, which executes one prepared range statement over a clustered
// table of four columns and fetches every row into bound buffers. Prints the pages per second and
// its own CPU seconds.

#include <mysql.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr char kPage[] =
    "SELECT id, local_part, created_at, size_bytes FROM mailbox WHERE id BETWEEN ? AND ?";

class Client {
public:
    Client(const char* socket, const char* user)
    {
        if (mysql_real_connect(handle_, nullptr, user, "", "ceiling", 0, socket, 0) == nullptr)
            fail();
        statement_ = mysql_stmt_init(handle_);
        if (mysql_stmt_prepare(statement_, kPage, sizeof kPage - 1) != 0) fail();
    }
    ~Client()
    {
        mysql_stmt_close(statement_);
        mysql_close(handle_);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Returns the number of rows.
    std::uint32_t read(std::uint32_t first, std::uint32_t last)
    {
        std::array<MYSQL_BIND, 2> bounds{bound(MYSQL_TYPE_LONG, &first),
                                         bound(MYSQL_TYPE_LONG, &last)};
        if (mysql_stmt_bind_param(statement_, bounds.data()) != 0
            || mysql_stmt_execute(statement_) != 0)
            fail();
        std::uint32_t id = 0;
        std::int64_t created_at = 0;
        std::int64_t size_bytes = 0;
        std::array<char, 65> local_part{};
        unsigned long length = 0;
        auto name = bound(MYSQL_TYPE_STRING, local_part.data());
        name.buffer_length = local_part.size();
        name.length = &length;
        std::array<MYSQL_BIND, 4> columns{bound(MYSQL_TYPE_LONG, &id), name,
                                          bound(MYSQL_TYPE_LONGLONG, &created_at),
                                          bound(MYSQL_TYPE_LONGLONG, &size_bytes)};
        if (mysql_stmt_bind_result(statement_, columns.data()) != 0) fail();
        std::uint32_t rows = 0;
        int status = 0;
        while ((status = mysql_stmt_fetch(statement_)) == 0) ++rows;
        if (status != MYSQL_NO_DATA) fail();
        mysql_stmt_free_result(statement_);
        return rows;
    }

private:
    static MYSQL_BIND bound(enum_field_types type, void* value)
    {
        MYSQL_BIND bind{};
        bind.buffer_type = type;
        bind.buffer = value;
        return bind;
    }
    [[noreturn]] void fail() { throw std::runtime_error(mysql_error(handle_)); }

    MYSQL* handle_ = mysql_init(nullptr);
    MYSQL_STMT* statement_ = nullptr;
};

double cpu_seconds()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv)
try {
    if (argc != 6) throw std::runtime_error("usage: rows SOCKET USER CONNECTIONS SECONDS ROWS");
    const auto connections = std::stoul(argv[3]);
    const std::chrono::duration<double> duration{std::stod(argv[4])};
    const auto rows = static_cast<std::uint32_t>(std::stoul(argv[5]));
    std::vector<std::unique_ptr<Client>> clients;
    while (clients.size() < connections)
        clients.push_back(std::make_unique<Client>(argv[1], argv[2]));
    std::atomic<std::uint64_t> pages = 0;
    std::atomic<bool> is_wrong = false;
    std::vector<std::jthread> threads;
    const auto cpu_before = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    for (auto& client : clients) {
        threads.emplace_back([&] {
            std::uint64_t done = 0;
            while (std::chrono::steady_clock::now() - begin < duration) {
                if (client->read(1, rows) != rows) is_wrong = true;
                ++done;
            }
            pages += done;
        });
    }
    threads.clear();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (is_wrong) throw std::runtime_error("a page had another number of rows");
    std::printf("%.1f %.6f\n", static_cast<double>(pages) / spent.count(),
                cpu_seconds() - cpu_before);
} catch (const std::exception& problem) {
    std::fprintf(stderr, "rows: %s\n", problem.what());
    return 1;
}
