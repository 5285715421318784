// hashes - the ceiling H: how many passwords per second can be hashed if nothing else runs.
//
//     hashes PROCESSES SECONDS
//
// Uses processes instead of threads, because the service does.

#include <sodium.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

#include "base/config.h"
#include "mail/password.h"

int main(int argc, char** argv)
try {
    if (argc != 3 || sodium_init() < 0) throw std::runtime_error("usage: hashes PROCESSES SECONDS");
    const auto processes = std::stoul(argv[1]);
    const std::chrono::duration<double> duration{std::stod(argv[2])};
    void* const memory = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory to share");
    auto& hashes = *new (memory) std::atomic<std::uint64_t>{0};
    const auto begin = std::chrono::steady_clock::now();
    for (unsigned long i = 0; i < processes; ++i) {
        if (::fork() != 0) continue;
        const Config config;
        for (; std::chrono::steady_clock::now() - begin < duration; ++hashes)
            password::hash("correct horse battery staple", config);
        ::_exit(0);
    }
    while (::wait(nullptr) > 0) {}
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    std::printf("%.2f\n", static_cast<double>(hashes) / spent.count());
} catch (const std::exception& problem) {
    std::fprintf(stderr, "hashes: %s\n", problem.what());
    return 1;
}
