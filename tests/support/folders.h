// folders.h - makes a mailbox's folder that nobody can remove, not even root.
#pragma once

#include <filesystem>

namespace folders {

// Nests folders deeper than Dovecot ever does, and deeper than the removal goes.
inline void deepen(const std::filesystem::path& home)
{
    auto folder = home;
    for (int i = 0; i < 120; ++i) folder /= "d";
    std::filesystem::create_directories(folder);
}

}  // namespace folders
