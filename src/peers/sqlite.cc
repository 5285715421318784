#include "peers/sqlite.h"

#include <sqlite3.h>

#include <array>
#include <fstream>
#include <stdexcept>

namespace sqlite {
namespace {

sqlite3* database_of(void* handle)
{
    return static_cast<sqlite3*>(handle);
}

std::optional<std::string> text_of(sqlite3_stmt* statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) return std::nullopt;
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
    const auto* const text =
        sqlite3_column_type(statement, column) == SQLITE_BLOB
            ? bytes
            : reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
    const auto size = sqlite3_column_bytes(statement, column);
    return text == nullptr ? std::string{} : std::string{text, static_cast<std::size_t>(size)};
}

}  // namespace

bool is_database(const std::string& path)
{
    constexpr std::string_view kStart{"SQLite format 3\0", 16};
    std::array<char, kStart.size()> start{};
    std::ifstream file{path, std::ios::binary};
    return file.read(start.data(), start.size())
           && std::string_view{start.data(), start.size()} == kStart;
}

void Database::Close::operator()(void* handle) const
{
    sqlite3_close(database_of(handle));
}

void Database::fail() const
{
    throw std::runtime_error{path_ + " cannot be read as a SQLite database: "
                             + sqlite3_errmsg(database_of(handle_.get()))};
}

Database::Database(const std::string& path) : path_{path}
{
    sqlite3* handle = nullptr;
    const auto result = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr);
    handle_.reset(handle);  // it must be closed even if it could not be opened
    if (result != SQLITE_OK) fail();
    constexpr int kPatience = 5000;  // milliseconds, while another program writes
    sqlite3_busy_timeout(handle, kPatience);
}

void Database::each(const std::string& statement, const std::function<void(Cells& row)>& row)
{
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(database_of(handle_.get()), statement.c_str(), -1, &prepared, nullptr)
        != SQLITE_OK)
        fail();
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owner{prepared, sqlite3_finalize};
    Cells cells(static_cast<std::size_t>(sqlite3_column_count(prepared)));
    for (;;) {
        const auto result = sqlite3_step(prepared);
        if (result == SQLITE_DONE) return;
        if (result != SQLITE_ROW) fail();
        for (std::size_t i = 0; i < cells.size(); ++i)
            cells[i] = text_of(prepared, static_cast<int>(i));
        row(cells);
    }
}

}  // namespace sqlite
