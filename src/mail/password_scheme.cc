#include "mail/password_scheme.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace password_scheme {
namespace {

// A text at the beginning of a hash, or a name, and the scheme that it means.
struct Meaning {
    std::string_view text;
    std::string_view scheme;
};

// Dovecot's second names for a scheme.
constexpr std::array kAliases{Meaning{"MD5", "MD5-CRYPT"}, Meaning{"SHA", "SHA1"},
                              Meaning{"CLEAR", "PLAIN"}, Meaning{"CLEARTEXT", "PLAIN"}};

// How crypt(5) and Argon2 mark their methods.
constexpr std::array kMarks{Meaning{"$1$", "MD5-CRYPT"},       Meaning{"$2", "BLF-CRYPT"},
                            Meaning{"$5$", "SHA256-CRYPT"},    Meaning{"$6$", "SHA512-CRYPT"},
                            Meaning{"$argon2id$", "ARGON2ID"}, Meaning{"$argon2i$", "ARGON2I"}};

// The encodings that may follow a scheme's name.
constexpr std::array<std::string_view, 3> kEncodings{".HEX", ".B64", ".BASE64"};

// Dovecot 2.4.1 logs for them: Weak password scheme '...' used and refused.
constexpr std::array<std::string_view, 7> kWeak{"MD5-CRYPT", "DES-CRYPT", "PLAIN-MD4", "PLAIN-MD5",
                                                "LDAP-MD5",  "SMD5",      "HMAC-MD5"};

constexpr std::array<std::string_view, 19> kOld{
    "ARGON2I", "BLF-CRYPT",   "SHA256-CRYPT",  "SHA512-CRYPT", "CRYPT",     "SHA1",  "SSHA",
    "SHA256",  "SSHA256",     "SHA512",        "SSHA512",      "PBKDF2",    "PLAIN", "CRAM-MD5",
    "OTP",     "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN-TRUNC",  "DIGEST-MD5"};

template <typename Texts>
bool is_in(const Texts& texts, std::string_view text)
{
    return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// Returns the name in upper case, without the encoding, and without an alias.
std::string name_of(std::string_view text)
{
    auto name = strings::upper_case(text);
    for (const auto encoding : kEncodings) {
        if (name.ends_with(encoding)) name.resize(name.size() - encoding.size());
    }
    for (const auto& [alias, scheme] : kAliases) {
        if (name == alias) return std::string{scheme};
    }
    return name;
}

}  // namespace

std::string of(std::string_view stored)
{
    const auto end = stored.find('}');
    if (!stored.starts_with('{') || end == std::string_view::npos) return {};
    const auto name = name_of(stored.substr(1, end - 1));
    if (name != "CRYPT" && name != "ARGON2") return name;
    const auto hash = stored.substr(end + 1);
    for (const auto& [mark, scheme] : kMarks) {
        if (hash.starts_with(mark)) return std::string{scheme};
    }
    constexpr std::size_t kDesLength = 13;
    const bool is_des = name == "CRYPT" && hash.size() == kDesLength && hash[0] != '$';
    return is_des ? "DES-CRYPT" : name;
}

Strength strength(std::string_view scheme)
{
    if (scheme == "ARGON2ID") return Strength::current;
    if (is_in(kWeak, scheme)) return Strength::weak;
    return is_in(kOld, scheme) ? Strength::old : Strength::unknown;
}

}  // namespace password_scheme
