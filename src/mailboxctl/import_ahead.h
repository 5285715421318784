// import_ahead.h - reads the rows of an import in a thread of its own, while the caller works on
// the rows before them.
//
// The thread reads the source and parses mailboxes. It does not use the database.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "mailboxctl/import_check.h"
#include "mailboxctl/import_row.h"

namespace import_ahead {

struct Batch {
    std::vector<import_row::Read> rows;
    std::vector<import_check::Parsed> parsed;  // one for each row; empty if nothing is parsed
    double progress = 0;                       // of the source, after these rows
};

class Reader {
public:
    // Empty: rows are not parsed. Otherwise it is called for each row, by the thread.
    using Parse = std::function<import_check::Parsed(const import_row::Read&)>;
    // Starts again from the first row. A batch has at most `size` rows, and ends with the row that
    // has the last of `most_passwords` plain passwords.
    Reader(import_row::Source& source, std::size_t size, std::size_t most_passwords,
           Parse parse = {});
    // Stops the thread.
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // Returns false after the last row. Throws what the source throws.
    bool next(Batch& batch);

private:
    bool read(Batch& batch);
    void run(const std::stop_token& stop);

    import_row::Source& source_;
    std::size_t size_;
    std::size_t most_passwords_;
    Parse parse_;
    bool is_end_ = false;  // of the source

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Batch> ready_;  // in their order
    bool is_done_ = false;     // the thread adds no more to them
    std::exception_ptr failure_;
    std::jthread thread_;  // none if the source must not be read ahead
};

}  // namespace import_ahead
