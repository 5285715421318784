#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/metrics.h"

namespace logging {
namespace {

int output = STDERR_FILENO;

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

void open(const std::string& path)
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
}

bool reopen(const std::string& path)
{
    try {
        open(path);
        return true;
    } catch (const std::system_error& problem) {
        logging::error("log-not-reopened")("error", problem.what())("advice",
                                                                    "the old file is written to");
        return false;
    }
}

Line::Line(Severity severity, std::string_view event) : severity_{severity}
{
    text_.reserve(200);
    text_.append(name_of(severity)).append(" ").append(event);
}

Line& Line::operator()(std::string_view key, std::string_view value)
{
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
    text_ += '\n';
    [[maybe_unused]] const auto written = ::write(output, text_.data(), text_.size());
}

}  // namespace logging
