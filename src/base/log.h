// log.h - one event, one line, to stderr or a file. (Not namespace log: that is a function of
// <cmath>.)
//
//     logging::warning("worker-exit")("pid", pid)("cause", "SIGALRM");
//
// writes `warning worker-exit pid=812 cause=SIGALRM` by one write(2), so that lines of
// several processes never mix. A value with a space, quote or control character is
// quoted and escaped. The severity says who should act: info nobody, warning watch,
// error somebody. Never give it a password, a key or a body.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace logging {

// From here on every line goes to this file, which is made if it is not there; with an
// empty path to stderr. Called with the same path again after the file was renamed, it
// makes a new one. Throws std::system_error, and then all stays as it was.
void open(const std::string& path);

// The same for the file that is written to, after it was renamed. Where that fails, a line
// in the old one says so, and it returns false.
bool reopen(const std::string& path);

class Line {
public:
    Line(std::string_view severity, std::string_view event);
    ~Line();  // writes; an error of write(2) is ignored, there is nowhere to tell it
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    Line& operator()(std::string_view key, std::string_view value);
    template <std::integral Number>
    Line& operator()(std::string_view key, Number value)
    {
        return (*this)(key, std::string_view{std::to_string(value)});
    }

private:
    std::string text_;
};

inline Line info(std::string_view event)
{
    return {"info", event};
}
inline Line warning(std::string_view event)
{
    return {"warning", event};
}
inline Line error(std::string_view event)
{
    return {"error", event};
}

}  // namespace logging
