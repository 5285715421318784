// libfuzzer.cc - libFuzzer's way to one target; FUZZ_TARGET is its name. A property that does not
// hold leaves as an exception that nobody catches, which libFuzzer reports with the input.

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
