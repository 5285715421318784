#include "mailboxctl/import_report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>
#include <numeric>

#include "db/accounts.h"
#include "mailboxctl/import_csv.h"

namespace import_report {
namespace {

using import_check::Verdict;
using import_row::Kind;

constexpr std::int64_t kMostShown = 20;

std::string duration(double seconds)
{
    const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return std::to_string((whole + 59) / 60) + " min";
    return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

const char* name_of(Kind kind)
{
    switch (kind) {
    case Kind::mailbox: return "mailboxes";
    case Kind::alias: return "aliases";
    case Kind::alias_domain: break;
    }
    return "alias domains";
}

}  // namespace

std::int64_t Counts::all() const
{
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// --- files ----------------------------------------------------------------------------

Output::Output(const std::string& path) : path_{path}
{
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) throw admin::Refused(path + ": " + std::strerror(errno));
    // A file that was there before may be open to others. A device keeps its mode.
    struct stat about {};
    if (::fstat(descriptor, &about) != 0
        || (S_ISREG(about.st_mode) && ::fchmod(descriptor, 0600) != 0 && errno != EPERM)) {
        const auto sentence = path + ": " + std::strerror(errno);
        ::close(descriptor);
        throw admin::Refused(sentence);
    }
    file_.reset(::fdopen(descriptor, "w"));
}

void Output::write(std::string_view text)
{
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size())
        throw admin::Refused(path_ + ": " + std::strerror(errno));
}

void Output::finish()
{
    if (file_ && std::fflush(file_.get()) != 0)
        throw admin::Refused(path_ + ": " + std::strerror(errno));
}

// --- progress -------------------------------------------------------------------------

Progress::Progress(std::string_view what)
    : what_{what}, is_terminal_{::isatty(STDERR_FILENO) != 0},
      next_{begin_ + (is_terminal_ ? std::chrono::milliseconds{500} : std::chrono::minutes{1})}
{
}

Progress::~Progress()
{
    if (has_line_) std::cerr << "\r\033[K";
}

void Progress::at(std::int64_t rows, double done)
{
    const auto now = Clock::now();
    if (now < next_) return;
    next_ = now + (is_terminal_ ? std::chrono::milliseconds{500} : std::chrono::minutes{1});
    const auto seconds = std::chrono::duration<double>(now - begin_).count();
    const auto rate = static_cast<std::int64_t>(static_cast<double>(rows) / seconds);
    auto line = what_ + ": " + std::to_string(rows) + " rows, "
                + std::to_string(static_cast<int>(done * 100)) + " %, " + std::to_string(rate)
                + " rows/s";
    if (done > 0) line += ", " + duration(seconds / done - seconds) + " left";
    if (is_terminal_) std::cerr << "\r\033[K" << line << std::flush;
    else std::cerr << line << '\n' << std::flush;
    has_line_ = is_terminal_;
}

// --- the report -----------------------------------------------------------------------

Report::Report(const import_row::Source& source, const std::string& bad, const std::string& all)
    : source_{source}
{
    if (!bad.empty()) {
        bad_ = Output{bad};
        bad_.write(source.bad_heading());
    }
    if (!all.empty()) {
        all_ = Output{all};
        all_.write("line,address,verdict,column,reason\n");
    }
}

void Report::note(Kind kind, Verdict verdict, const import_row::Read& read,
                  std::string_view address, const std::string& what)
{
    ++counts_[static_cast<std::size_t>(kind)].counts[static_cast<std::size_t>(verdict)];
    if (verdict == Verdict::same || !all_.is_open()) return;
    all_.write(import_csv::line_of({std::to_string(read.row.line), std::string{address},
                                    std::string{text(verdict)}, "", what})
               + "\n");
}

void Report::bad(Kind kind, const import_row::Read& read, const import_row::Problem& problem)
{
    if (!bad_lines_.insert(problem.line).second) return;
    ++counts_[static_cast<std::size_t>(kind)].counts[static_cast<std::size_t>(Verdict::bad)];
    if (bad_.is_open()) bad_.write(source_.bad_record(read, problem));
    if (all_.is_open())
        all_.write(import_csv::line_of({std::to_string(problem.line),
                                        import_values::shown(read.row.address), "bad",
                                        std::string{problem.column}, problem.reason})
                   + "\n");
    if (++shown_ > kMostShown) return;
    std::cerr << source_.place_of(read, problem) << (problem.column.empty() ? "" : ", ")
              << problem.column << ": " << problem.reason << '\n';
    if (shown_ == kMostShown)
        std::cerr
            << "More bad rows are not shown here; --bad FILE or --report FILE has them all.\n";
}

void Report::left_out(std::string_view address, const std::string& table, const std::string& reason)
{
    if (!all_.is_open()) return;
    all_.write(import_csv::line_of({"", std::string{address}, "not imported", table, reason})
               + "\n");
}

void Report::finish()
{
    bad_.finish();
    all_.finish();
}

std::int64_t Report::of(Verdict verdict) const
{
    return counts_[0].of(verdict) + counts_[1].of(verdict) + counts_[2].of(verdict);
}

std::string Report::sentence() const
{
    std::string all;
    for (const auto kind : {Kind::mailbox, Kind::alias, Kind::alias_domain}) {
        const auto& counts = counts_[static_cast<std::size_t>(kind)];
        if (counts.all() == 0 && kind != Kind::mailbox) continue;
        all += (all.empty() ? "" : "; ") + std::string{name_of(kind)} + ": ";
        for (const auto verdict :
             {Verdict::is_new, Verdict::same, Verdict::different, Verdict::bad}) {
            all += std::to_string(counts.of(verdict)) + " " + std::string{text(verdict)}
                   + (verdict == Verdict::bad ? "" : ", ");
        }
    }
    return all;
}

json::Members Report::members() const
{
    json::Members members;
    for (const auto& [name, counts] : {std::pair{"mailboxes", &counts_[0]},
                                       {"aliases", &counts_[1]},
                                       {"alias_domains", &counts_[2]}}) {
        members.emplace_back(name, json::value_of({{"new", counts->of(Verdict::is_new)},
                                                   {"same", counts->of(Verdict::same)},
                                                   {"different", counts->of(Verdict::different)},
                                                   {"bad", counts->of(Verdict::bad)}}));
    }
    return members;
}

}  // namespace import_report
