// replay.cc - runs every target on its corpus, DIRECTORY/TARGET/*, to measure their common
// coverage.

#include <sodium.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "fuzz/all.h"

namespace {

void replay(const fuzz::Target& target, const std::filesystem::path& corpus)
{
    for (const auto& entry : std::filesystem::directory_iterator{corpus}) {
        std::ifstream file{entry.path(), std::ios::binary};
        target.call(std::string{std::istreambuf_iterator<char>{file}, {}});
    }
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc != 2 || sodium_init() < 0) throw std::runtime_error("usage: replay DIRECTORY");
        for (const auto& target : fuzz::kTargets)
            replay(target, std::filesystem::path{argv[1]} / target.name);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "replay: " << error.what() << '\n';
        return 1;
    }
}
