// sources.h - the project's own files, for tests that read them. TEST_SOURCE_DIR says where they are; else here.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace sources {

inline std::filesystem::path directory()
{
    const char* const given = std::getenv("TEST_SOURCE_DIR");
    return given == nullptr ? "." : given;
}

inline std::string contents(const std::filesystem::path& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace sources
