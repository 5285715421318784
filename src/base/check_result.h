// check_result.h - how something is that was looked at, for the commands that look: check and why.
#pragma once

#include <stdexcept>
#include <string>

namespace finding {

// note: as it should be, or on purpose, but worth knowing. wrong: stands in the way. unknown: could
// not be looked at, for want of a setting or of rights.
enum class Mark { ok, note, wrong, unknown };

inline const char* text(Mark mark)
{
    switch (mark) {
    case Mark::ok: return "ok";
    case Mark::note: return "note";
    case Mark::wrong: return "WRONG";
    case Mark::unknown: return "?";
    }
    throw std::logic_error("no mark");
}

struct Finding {
    Mark mark = Mark::ok;
    std::string says{};  // what it is and what to do; nothing to say where all is well
};

inline Finding note(std::string says)
{
    return {Mark::note, std::move(says)};
}
inline Finding wrong(std::string says)
{
    return {Mark::wrong, std::move(says)};
}
inline Finding unknown(std::string says)
{
    return {Mark::unknown, std::move(says)};
}

}  // namespace finding
