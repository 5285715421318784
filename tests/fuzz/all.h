// all.h - every target with its name, for the programs that replay the corpora.
#pragma once

#include <ostream>

#include "fuzz/targets.h"

namespace fuzz {

struct Target {
    std::string_view name;  // also of its folder in corpus/
    void (*call)(std::string_view);
};

inline std::ostream& operator<<(std::ostream& out, const Target& target)
{
    return out << target.name;
}

constexpr Target kTargets[] = {
    {"path", path},           {"basic", basic},           {"grant", grant},
    {"ranges", ranges},       {"urlencoded", urlencoded}, {"json", json},
    {"multipart", multipart}, {"address", address},       {"config", config},
    {"answer", answer},
};

}  // namespace fuzz
