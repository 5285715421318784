#include "log.h"

#include <unistd.h>

#include <algorithm>

namespace logging {
namespace {

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

}  // namespace

Line::Line(std::string_view severity, std::string_view event)
{
    text_.reserve(200);
    text_.append(severity).append(" ").append(event);
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
    text_ += '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text_.data(), text_.size());
}

}  // namespace logging
