#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <system_error>

#include "base/json.h"
#include "base/metrics.h"

namespace logging {
namespace {

int output = STDERR_FILENO;
Format format = Format::text;

// Returns whether stderr is a stream of systemd's journal (JOURNAL_STREAM in systemd.exec(5)).
bool is_journal()
{
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

// Returns the time as in RFC 3339, in UTC and milliseconds.
std::string now()
{
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    tm parts{};
    ::gmtime_r(&time.tv_sec, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    const auto milliseconds = std::to_string(time.tv_nsec / 1'000'000);
    return std::string(text.data(), size) + "." + std::string(3 - milliseconds.size(), '0')
           + milliseconds + "Z";
}

bool is_plain(char c)
{
    return c > ' ' && c != '"' && c != '\\' && c != '=' && c != '\x7f';
}

void append_quoted(std::string& text, std::string_view value)
{
    constexpr char kHex[] = "0123456789abcdef";
    text += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            text += '\\';
            text += c;
        } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
            text += "\\x";
            text += kHex[static_cast<unsigned char>(c) >> 4];
            text += kHex[static_cast<unsigned char>(c) & 15];
        } else {
            text += c;
        }
    }
    text += '"';
}

std::string_view name_of(Severity severity)
{
    switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::error: break;
    }
    return "error";
}

// LOG_INFO, LOG_WARNING and LOG_ERR of syslog(3).
std::string_view priority_of(Severity severity)
{
    switch (severity) {
    case Severity::info: return "<6>";
    case Severity::warning: return "<4>";
    case Severity::error: break;
    }
    return "<3>";
}

metrics::Event event_of(Severity severity)
{
    switch (severity) {
    case Severity::info: return metrics::Event::log_info;
    case Severity::warning: return metrics::Event::log_warning;
    case Severity::error: break;
    }
    return metrics::Event::log_error;
}

}  // namespace

void open(const std::string& path, Format new_format)
{
    int file = STDERR_FILENO;
    if (!path.empty()) {
        // Otherwise opening a FIFO without a reader would wait forever.
        file = ::open(path.c_str(),
                      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
        if (file < 0 || ::fcntl(file, F_SETFL, O_APPEND) != 0)
            throw std::system_error(errno, std::generic_category(), "log_file: open(" + path + ")");
    }
    if (output != STDERR_FILENO) ::close(output);
    output = file;
    format = new_format;
}

bool reopen(const std::string& path)
{
    try {
        open(path, format);
        return true;
    } catch (const std::system_error& problem) {
        logging::error("log-not-reopened")("error", problem.what())("advice",
                                                                    "the old file is written to");
        return false;
    }
}

Line::Line(Severity severity, std::string_view event) : severity_{severity}
{
    static const bool writes_to_journal = is_journal();
    text_.reserve(200);
    if (output == STDERR_FILENO && writes_to_journal) text_.append(priority_of(severity));
    if (format == Format::json) {
        text_.append(R"({"time":")").append(now()).append(R"(","severity":")");
        text_.append(name_of(severity)).append(R"(","event":)").append(json::quoted(event));
        return;
    }
    if (output != STDERR_FILENO) text_.append(now()).append(" ");
    text_.append(name_of(severity)).append(" ").append(event);
}

Line& Line::operator()(std::string_view key, std::string_view value)
{
    if (format == Format::json) {
        text_.append(",").append(json::quoted(key)).append(":").append(json::quoted(value));
        return *this;
    }
    text_.append(" ").append(key).append("=");
    if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) {
        text_.append(value);
    } else {
        append_quoted(text_, value);
    }
    return *this;
}

Line::~Line()
{
    metrics::count(event_of(severity_));
    if (format == Format::json) text_ += '}';
    text_ += '\n';
    [[maybe_unused]] const auto written = ::write(output, text_.data(), text_.size());
}

}  // namespace logging
