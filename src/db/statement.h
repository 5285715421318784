// statement.h - the text of an SQL statement, fixed when the program is compiled.
//
// A connection prepares a statement once and finds it again by the address of its text. The address
// identifies the text only because a Statement can be made from nothing but text that never moves
// or changes: a literal, or a constant of static storage. Anything else does not compile: a
// std::string, its c_str(), an array on the stack.
#pragma once

#include <cstddef>

namespace db {

// Constant text that is put together from pieces at compile time:
// `constexpr auto kList = Text{"SELECT name"} + kFrom + " LIMIT ?";`
template <std::size_t length>
struct Text {
    constexpr Text() = default;
    constexpr Text(const char (&literal)[length + 1])  // NOLINT(google-explicit-constructor)
    {
        for (std::size_t i = 0; i < length; ++i) characters[i] = literal[i];
    }
    char characters[length + 1] = {};
};
template <std::size_t size>
Text(const char (&)[size]) -> Text<size - 1>;

template <std::size_t left, std::size_t right>
constexpr Text<left + right> operator+(const Text<left>& begin, const Text<right>& end)
{
    Text<left + right> both;
    for (std::size_t i = 0; i < left; ++i) both.characters[i] = begin.characters[i];
    for (std::size_t i = 0; i < right; ++i) both.characters[left + i] = end.characters[i];
    return both;
}
template <std::size_t left, std::size_t size>
constexpr Text<left + size - 1> operator+(const Text<left>& begin, const char (&end)[size])
{
    return begin + Text{end};
}

// Returns `count` question marks with commas between them, for IN (...).
template <std::size_t count>
constexpr auto places()
{
    if constexpr (count == 1) return Text{"?"};
    else return places<count / 2>() + ", " + places<count - count / 2>();
}

class Statement {
public:
    template <std::size_t size>
    consteval Statement(const char (&text)[size])  // NOLINT(google-explicit-constructor)
        : text_{text}
    {
    }
    template <std::size_t length>
    consteval Statement(const Text<length>& text)  // NOLINT(google-explicit-constructor)
        : text_{text.characters}
    {
    }
    // Returns the text. It ends with a null byte and lives as long as the program.
    const char* text() const { return text_; }

private:
    const char* text_;
};

}  // namespace db
