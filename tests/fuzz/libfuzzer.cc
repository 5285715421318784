// libfuzzer.cc - runs one target, named by FUZZ_TARGET, under libFuzzer. A violated property
// throws; nothing catches the exception, so libFuzzer reports it with the input.

#include <sodium.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
