// sqlite.h - a SQLite file of another program, read only; the only file that includes <sqlite3.h>.
//
// Throws std::runtime_error, whose sentence names the file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sqlite {

// Returns whether the file begins as a SQLite database does; false if it cannot be read.
bool is_database(const std::string& path);

class Database {
public:
    explicit Database(const std::string& path);

    // Calls `row` with the columns of each row, as texts. NULL is empty.
    using Cells = std::vector<std::optional<std::string>>;
    void each(const std::string& statement, const std::function<void(Cells& row)>& row);

private:
    struct Close {
        void operator()(void* handle) const;
    };
    [[noreturn]] void fail() const;

    std::string path_;
    std::unique_ptr<void, Close> handle_;
};

}  // namespace sqlite
