// log.h - one event, one line, to stderr or a file. (The namespace is not `log`, because that is a
// function of <cmath>.)
//
//     logging::warning("worker-exit")("pid", pid)("cause", "SIGALRM");
//
// writes `warning worker-exit pid=812 cause=SIGALRM` with one write(2), so that lines of several
// processes never mix. A value with a space, quote or control character is quoted and escaped. The
// severity says who should act: info no one, warning someone should watch, error someone must act.
// Never log a password, a key or a body.
//
// In a file, each line begins with the time. To systemd's journal, which knows the time, each line
// begins with its priority (sd-daemon(3)). With Format::json a line is an object whose members
// "time", "severity" and "event" come first; all other values are strings.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace logging {

enum class Format { text, json };

// Writes all further lines to this file, which is created if missing; with an empty path to stderr.
// After the file was renamed, a call with the same path creates a new one. If it throws
// std::system_error, nothing has changed.
void open(const std::string& path, Format format = Format::text);

// Opens the present file's path again, after the file was renamed. If that fails, logs it to the
// old file and returns false.
bool reopen(const std::string& path);

// Who should act: no one, someone should watch, someone must act.
enum class Severity { info, warning, error };

class Line {
public:
    Line(Severity severity, std::string_view event);
    ~Line();  // writes the line; an error of write(2) is ignored, because it cannot be reported
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    Line& operator()(std::string_view key, std::string_view value);
    template <std::integral Number>
    Line& operator()(std::string_view key, Number value)
    {
        return (*this)(key, std::string_view{std::to_string(value)});
    }

private:
    Severity severity_;
    std::string text_;
};

inline Line info(std::string_view event)
{
    return {Severity::info, event};
}
inline Line warning(std::string_view event)
{
    return {Severity::warning, event};
}
inline Line error(std::string_view event)
{
    return {Severity::error, event};
}

}  // namespace logging
