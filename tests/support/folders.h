// folders.h - a mailbox's folder that cannot be removed, by root either.
#pragma once

#include <filesystem>

namespace folders {

// Deeper than any that Dovecot makes, and than is ever removed.
inline void deepen(const std::filesystem::path& home)
{
    auto folder = home;
    for (int i = 0; i < 120; ++i) folder /= "d";
    std::filesystem::create_directories(folder);
}

}  // namespace folders
