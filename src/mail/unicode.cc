#include "mail/unicode.h"

#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/strings.h"

namespace unicode {
namespace {

template <typename Character>
struct Free {
    void operator()(Character* text) const { std::free(text); }
};

const std::uint8_t* bytes(std::string_view text)
{
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

// Copies and frees a text that libunistring allocated; it does not end with a NUL.
std::string taken(std::uint8_t* made, std::size_t size)
{
    if (made == nullptr) throw std::bad_alloc{};
    const std::unique_ptr<std::uint8_t, Free<std::uint8_t>> owner{made};
    return {reinterpret_cast<const char*>(made), size};
}

// Copies and frees a C string that libidn2 allocated. Empty if the status is an error.
std::optional<std::string> taken(int status, std::uint8_t* made)
{
    const std::unique_ptr<std::uint8_t, Free<std::uint8_t>> owner{made};
    if (status == IDN2_MALLOC) throw std::bad_alloc{};
    if (status != IDN2_OK) return std::nullopt;
    return reinterpret_cast<const char*>(made);
}

}  // namespace

bool is_ascii(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::optional<std::string> a_labels(std::string_view name)
{
    if (name.empty() || name.find('\0') != std::string_view::npos || !strings::is_utf8(name))
        return std::nullopt;
    std::size_t size = 0;
    auto* const lower = u8_tolower(bytes(name), name.size(), nullptr, UNINORM_NFC, nullptr, &size);
    const auto text = taken(lower, size);
    std::uint8_t* ascii = nullptr;
    // Without TR46, which would map characters that IDNA 2008 forbids to allowed ones.
    const auto status =
        idn2_lookup_u8(bytes(text), &ascii, IDN2_NFC_INPUT | IDN2_NO_TR46 | IDN2_ALABEL_ROUNDTRIP);
    return taken(status, ascii);
}

std::optional<std::string> u_labels(const std::string& name)
{
    if (name.find("xn--") == std::string::npos) return std::nullopt;
    char* text = nullptr;
    const auto status = idn2_to_unicode_8z8z(name.c_str(), &text, 0);
    auto found = taken(status, reinterpret_cast<std::uint8_t*>(text));
    // The library also decodes labels that IDNA 2008 forbids.
    if (!found || is_ascii(*found) || a_labels(*found) != name) return std::nullopt;
    return found;
}

Secret composed(std::string_view text)
{
    if (is_ascii(text)) return Secret{text};
    // NFC makes a text up to three times as long in UTF-8 (Unicode Standard Annex 15, 9). With room
    // for that, libunistring does not allocate memory, which it would not wipe.
    constexpr std::size_t kGrowth = 3;
    Secret made{kGrowth * text.size()};
    std::size_t size = made.size();
    auto* const buffer = reinterpret_cast<std::uint8_t*>(made.data());
    auto* const result = u8_normalize(UNINORM_NFC, bytes(text), text.size(), buffer, &size);
    if (result != buffer) throw std::bad_alloc{};
    made.shrink(size);
    return made;
}

}  // namespace unicode
