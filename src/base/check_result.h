// check_result.h - the result of one check, for the commands that examine an installation.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace check {

// note: in order or set so on purpose, but worth knowing. wrong: needs a repair.
// unknown: could not be checked, because a setting or a right is missing.
enum class Verdict { ok, note, wrong, unknown };

// Returns the word that starts a line of the output.
inline const char* text(Verdict verdict)
{
    switch (verdict) {
    case Verdict::ok: return "ok";
    case Verdict::note: return "note";
    case Verdict::wrong: return "WRONG";
    case Verdict::unknown: return "?";
    }
    throw std::logic_error("no verdict");
}

struct Result {
    Verdict verdict = Verdict::ok;
    std::string message{};  // what was found and what to do about it; empty if all is in order
};

inline Result ok()
{
    return {};
}
inline Result note(std::string message)
{
    return {Verdict::note, std::move(message)};
}
inline Result wrong(std::string message)
{
    return {Verdict::wrong, std::move(message)};
}
inline Result unknown(std::string message)
{
    return {Verdict::unknown, std::move(message)};
}

}  // namespace check
