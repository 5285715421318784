// import_report.h - what an import tells: its progress, a line for each row that is not the same,
// the file of bad rows, and the counts.
//
// Throws admin::Refused if a file cannot be written, for example because the disk is full.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/json.h"
#include "mailboxctl/import_check.h"
#include "mailboxctl/import_row.h"

namespace import_report {

struct Counts {
    std::int64_t of(import_check::Verdict verdict) const
    {
        return counts[static_cast<std::size_t>(verdict)];
    }
    std::int64_t all() const;
    std::array<std::int64_t, 4> counts{};
};

// A file that is written once, with mode 0600 because passwords or hashes may be in it.
class Output {
public:
    Output() = default;
    explicit Output(const std::string& path);
    bool is_open() const { return file_ != nullptr; }
    void write(std::string_view text);
    // Writes what is still buffered. Throws if the disk is full.
    void finish();

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
};

// Prints how far an import is on standard error: on a terminal in one line that is overwritten,
// otherwise a line a minute.
class Progress {
public:
    explicit Progress(std::string_view what);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    // `done`: between 0 and 1.
    void at(std::int64_t rows, double done);

private:
    using Clock = std::chrono::steady_clock;
    std::string what_;
    bool is_terminal_;
    bool has_line_ = false;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point next_;
};

class Report {
public:
    // `bad`: the file of bad rows; `all`: of all rows that are not the same. Empty: none.
    Report(const import_row::Source& source, const std::string& bad, const std::string& all);

    // Counts a row or an alias. Writes it to the files unless it is the same.
    void note(import_row::Kind kind, import_check::Verdict verdict, const import_row::Read& read,
              std::string_view address, const std::string& what);
    // A bad row. A row that was bad already is counted once.
    void bad(import_row::Kind kind, const import_row::Read& read,
             const import_row::Problem& problem);
    // Something of the source that is not imported; `table`: where it was.
    void left_out(std::string_view address, const std::string& table, const std::string& reason);
    bool is_bad(std::int64_t line) const { return bad_lines_.contains(line); }
    // Writes everything to the files.
    void finish();

    const Counts& mailboxes() const { return counts_[0]; }
    const Counts& aliases() const { return counts_[1]; }
    const Counts& alias_domains() const { return counts_[2]; }
    std::int64_t of(import_check::Verdict verdict) const;
    // Returns the counts as a sentence, and as members of a JSON object.
    std::string sentence() const;
    json::Members members() const;

private:
    const import_row::Source& source_;
    Output bad_;
    Output all_;
    std::array<Counts, 3> counts_;  // by import_row::Kind
    std::unordered_set<std::int64_t> bad_lines_;
    std::int64_t shown_ = 0;
};

}  // namespace import_report
