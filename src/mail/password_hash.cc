#include "mail/password_hash.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/strings.h"

namespace password_hash {
namespace {

using Kind = Understood::Kind;

constexpr std::size_t kWidth = 255;  // of mailbox.password
constexpr std::string_view kHex = "0123456789abcdefABCDEF";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kCrypt =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::array<std::string_view, 4> kPlain{"PLAIN", "CLEAR", "CLEARTEXT", "PLAIN-TRUNC"};

template <typename Names>
bool is_one_of(const Names& names, std::string_view name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool consists_of(std::string_view text, std::string_view allowed)
{
    return text.find_first_not_of(allowed) == std::string_view::npos;
}

// Returns the parts between the dollars of $id$…$…; the first one is empty.
std::vector<std::string_view> parts_of(std::string_view text)
{
    std::vector<std::string_view> parts;
    for (std::size_t begin = 0;;) {
        const auto end = text.find('$', begin);
        parts.push_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) return parts;
        begin = end + 1;
    }
}

bool is_des_crypt(std::string_view text)
{
    constexpr std::size_t kLength = 13;
    return text.size() == kLength && consists_of(text, kCrypt);
}

// $id$salt$hash or $id$rounds=N$salt$hash, with a hash of so many characters.
bool is_sha_crypt(std::string_view text, std::string_view id, std::size_t length)
{
    auto parts = parts_of(text);
    if (parts.size() == 5 && parts[2].starts_with("rounds=")
        && consists_of(parts[2].substr(7), kDigits))
        parts.erase(parts.begin() + 2);
    return parts.size() == 4 && parts[0].empty() && parts[1] == id && parts[2].size() <= 16
           && parts[3].size() == length && consists_of(parts[3], kCrypt);
}

bool is_md5_crypt(std::string_view text)
{
    const auto parts = parts_of(text);
    return parts.size() == 4 && parts[0].empty() && parts[1] == "1" && parts[2].size() <= 8
           && parts[3].size() == 22 && consists_of(parts[3], kCrypt);
}

bool is_blowfish_crypt(std::string_view text)
{
    const auto parts = parts_of(text);
    return parts.size() == 4 && parts[0].empty()
           && is_one_of(std::array<std::string_view, 4>{"2a", "2b", "2x", "2y"}, parts[1])
           && parts[2].size() == 2 && consists_of(parts[2], kDigits) && parts[3].size() == 53
           && consists_of(parts[3], kCrypt);
}

// $argon2id$v=19$m=…,t=…,p=…$salt$hash
bool is_argon2(std::string_view text, std::string_view id)
{
    const auto parts = parts_of(text);
    constexpr std::size_t kLeastHash = 22, kLeastSalt = 11;
    return parts.size() == 6 && parts[0].empty() && parts[1] == id && parts[2].starts_with("v=")
           && parts[3].starts_with("m=") && parts[4].size() >= kLeastSalt
           && parts[5].size() >= kLeastHash && consists_of(parts[4], kBase64)
           && consists_of(parts[5], kBase64);
}

// What libc's crypt(3) knows beside these; Dovecot hands it {CRYPT}.
bool is_other_crypt(std::string_view text)
{
    for (const std::string_view start : {"$y$", "$gy$", "$7$"}) {
        if (text.starts_with(start)) return parts_of(text).back().size() >= 43;
    }
    return false;
}

struct Form {
    std::string_view start;  // of every hash of the scheme
    std::string_view scheme;
    bool (*is_whole)(std::string_view);
};
constexpr std::array<Form, 11> kForms{{
    {"$6$", "SHA512-CRYPT", [](auto text) { return is_sha_crypt(text, "6", 86); }},
    {"$5$", "SHA256-CRYPT", [](auto text) { return is_sha_crypt(text, "5", 43); }},
    {"$2a$", "BLF-CRYPT", is_blowfish_crypt},
    {"$2b$", "BLF-CRYPT", is_blowfish_crypt},
    {"$2x$", "BLF-CRYPT", is_blowfish_crypt},
    {"$2y$", "BLF-CRYPT", is_blowfish_crypt},
    {"$1$", "MD5-CRYPT", is_md5_crypt},
    {"$argon2id$", "ARGON2ID", [](auto text) { return is_argon2(text, "argon2id"); }},
    {"$argon2i$", "ARGON2I", [](auto text) { return is_argon2(text, "argon2i"); }},
    {"$y$", "CRYPT", is_other_crypt},
    {"$gy$", "CRYPT", is_other_crypt},
}};

const Form* form_of(std::string_view text)
{
    const auto* const found = std::find_if(kForms.begin(), kForms.end(), [&](const Form& form) {
        return text.starts_with(form.start);
    });
    return found == kForms.end() ? nullptr : found;
}

bool is_crypt(std::string_view text)
{
    const auto* const form = form_of(text);
    return is_des_crypt(text) || is_other_crypt(text) || (form != nullptr && form->is_whole(text));
}

// The number of bytes that base64 stands for; empty if it is not base64.
std::optional<std::size_t> bytes_of_base64(std::string_view text)
{
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    if (!consists_of(text, kBase64) || text.size() % 4 == 1) return std::nullopt;
    return text.size() * 3 / 4;
}

std::optional<std::size_t> bytes_of_hex(std::string_view text)
{
    if (!consists_of(text, kHex) || text.size() % 2 != 0) return std::nullopt;
    return text.size() / 2;
}

// Schemes that are the bytes of a digest, and perhaps a salt after it.
struct Digest {
    std::string_view scheme;
    std::size_t bytes;
    bool has_salt;
};
constexpr std::array<Digest, 17> kDigests{{{"SHA", 20, false},
                                           {"SHA1", 20, false},
                                           {"SHA256", 32, false},
                                           {"SHA512", 64, false},
                                           {"SSHA", 20, true},
                                           {"SSHA256", 32, true},
                                           {"SSHA512", 64, true},
                                           {"SMD5", 16, true},
                                           {"PLAIN-MD4", 16, false},
                                           {"PLAIN-MD5", 16, false},
                                           {"LDAP-MD5", 16, false},
                                           {"DIGEST-MD5", 16, false},
                                           {"CRAM-MD5", 32, false},
                                           {"HMAC-MD5", 32, false},
                                           {"NTLM", 16, false},
                                           {"LANMAN", 16, false},
                                           {"RPA", 16, false}}};

// `encoding`: hex, b64 or empty; then Dovecot tells the two apart by the length.
bool has_digest(const Digest& digest, std::string_view text, std::string_view encoding)
{
    const auto fits = [&](std::optional<std::size_t> bytes) {
        return bytes && (digest.has_salt ? *bytes > digest.bytes : *bytes == digest.bytes);
    };
    const bool as_hex = encoding != "B64" && encoding != "BASE64" && fits(bytes_of_hex(text));
    return as_hex || (encoding != "HEX" && fits(bytes_of_base64(text)));
}

// Returns whether the text after {SCHEME} has the form of the scheme. A scheme that is not in these
// tables is taken as it is.
bool is_whole(std::string_view scheme, std::string_view text, std::string_view encoding)
{
    if (text.empty()) return false;
    if (scheme == "CRYPT") return is_crypt(text);
    if (scheme == "DES-CRYPT") return is_des_crypt(text);
    if (scheme == "MD5" || scheme == "MD5-CRYPT") return is_md5_crypt(text);
    if (scheme == "ARGON2") return is_argon2(text, "argon2id") || is_argon2(text, "argon2i");
    if (scheme == "PBKDF2") {
        const auto parts = parts_of(text);
        return parts.size() == 5 && parts[1] == "1" && parts[4].size() == 40;
    }
    for (const auto& form : kForms) {
        if (form.scheme == scheme)
            return form_of(text) != nullptr && form_of(text)->scheme == scheme
                   && form_of(text)->is_whole(text);
    }
    for (const auto& digest : kDigests) {
        if (digest.scheme == scheme) return has_digest(digest, text, encoding);
    }
    return true;
}

// A hash may say how much work one login is. Somebody who can name hundreds of millions of rounds
// stops the logins of everyone.
constexpr std::uint64_t kMostRounds = 10'000'000;         // of SHA-crypt, PBKDF2: a few seconds
constexpr std::uint64_t kMostBlowfish = 16;               // 2^16 rounds: a few seconds
constexpr std::uint64_t kMostArgon2Memory = 1024 * 1024;  // KiB
constexpr std::uint64_t kMostArgon2Work = 4 * kMostArgon2Memory;  // KiB times passes
constexpr std::size_t kMostYescrypt = 18;                         // 2^18 blocks

bool is_at_most(std::string_view number, std::uint64_t most)
{
    return strings::whole_number(number, most).has_value();
}

// Returns the number after `name`, such as 19456 of m=19456,t=2,p=1 for m=.
std::string_view parameter(std::string_view text, std::string_view name)
{
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        if (text.starts_with(name)) return text.substr(name.size(), end - name.size());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
}

// Returns whether a login with the hash costs at most a few seconds and 1 GiB. True for hashes
// that do not say how much work they are.
bool is_affordable(std::string_view scheme, std::string_view text)
{
    if (scheme.starts_with("SCRAM-"))
        return is_at_most(text.substr(0, text.find(',')), kMostRounds);
    const auto parts = parts_of(text);
    if (parts.size() < 3 || !parts[0].empty()) return true;
    const auto id = parts[1];
    if (scheme == "PBKDF2") return parts.size() < 4 || is_at_most(parts[3], kMostRounds);
    if (id == "5" || id == "6")
        return !parts[2].starts_with("rounds=") || is_at_most(parts[2].substr(7), kMostRounds);
    if (id.size() == 2 && id[0] == '2') return is_at_most(parts[2], kMostBlowfish);
    if (id.starts_with("argon2") && parts.size() > 3) {
        const auto memory = strings::whole_number(parameter(parts[3], "m="), kMostArgon2Memory);
        const auto passes = strings::whole_number(parameter(parts[3], "t="), kMostArgon2Work);
        return memory && passes && *memory * *passes <= kMostArgon2Work;
    }
    // crypt(5): the logarithm of the cost is one character, after the flavour for yescrypt.
    if (id == "7" || id == "y" || id == "gy") {
        const auto place = std::size_t{id == "7" ? 0U : 1U};
        return parts[2].size() > place && kCrypt.find(parts[2][place]) <= kMostYescrypt;
    }
    return true;
}

// Hashes of web frameworks and the like, which Dovecot has no scheme for.
constexpr std::array<std::string_view, 9> kForeign{"$bcrypt-sha256$", "$pbkdf2", "pbkdf2_",
                                                   "argon2$",         "bcrypt",  "scrypt",
                                                   "$scrypt$",        "$sha1$",  "$P$"};

Understood unknown(std::string sentence)
{
    return {.kind = Kind::unknown, .text = std::move(sentence), .scheme = {}};
}

Understood with_scheme(std::string_view name, std::string_view text,
                       const std::set<std::string>& schemes)
{
    const auto upper = strings::upper_case(name);
    const auto dot = upper.find('.');
    const auto scheme = upper.substr(0, dot);
    const auto encoding = dot == std::string::npos ? std::string{} : upper.substr(dot + 1);
    if (is_one_of(kPlain, scheme)) {
        if (!encoding.empty() || scheme == "PLAIN-TRUNC")
            return unknown("{" + upper + "} is a plain password in an encoding that is not read");
        return {.kind = Kind::plain, .text = std::string{text}, .scheme = {}};
    }
    if (!schemes.contains(scheme)) return unknown("Dovecot does not verify the scheme " + scheme);
    if (!is_whole(scheme, text, encoding))
        return unknown("this is no whole hash of the scheme " + scheme
                       + "; was it cut off by a column that is too narrow?");
    if (!is_affordable(scheme, text))
        return unknown("one login with it would cost this server many seconds or more than 1 GiB "
                       "of memory");
    return {.kind = Kind::stored, .text = "{" + upper + "}" + std::string{text}, .scheme = scheme};
}

Understood without_scheme(std::string_view text, const std::set<std::string>& schemes,
                          std::string_view scheme)
{
    if (const auto* const form = form_of(text)) return with_scheme(form->scheme, text, schemes);
    for (const auto start : kForeign) {
        if (text.starts_with(start))
            return unknown("Dovecot cannot verify hashes that begin with "
                           + std::string{text.substr(0, text.find_first_of('$', 1) + 1)});
    }
    const bool is_digest = text.size() == 32 || text.size() == 40;
    if (!scheme.empty()) return with_scheme(scheme, text, schemes);
    if (is_des_crypt(text)) return with_scheme("DES-CRYPT", text, schemes);
    if (is_digest && consists_of(text, kHex))
        return unknown(text.size() == 32
                           ? "32 hexadecimal digits do not say what they are: --scheme PLAIN-MD5 "
                             "says that they are MD5 without salt"
                           : "40 hexadecimal digits do not say what they are: --scheme SHA1 says "
                             "that they are SHA-1 without salt");
    return unknown("it names no scheme, as in {SSHA512}…, and has no known form; --scheme NAME "
                   "names the scheme of such hashes");
}

}  // namespace

const std::set<std::string>& usual_schemes()
{
    static const std::set<std::string> schemes{
        "ARGON2I",    "ARGON2ID",     "BLF-CRYPT",   "CRAM-MD5",      "CRYPT",     "DES-CRYPT",
        "DIGEST-MD5", "HMAC-MD5",     "LDAP-MD5",    "MD5",           "MD5-CRYPT", "PBKDF2",
        "PLAIN-MD4",  "PLAIN-MD5",    "SCRAM-SHA-1", "SCRAM-SHA-256", "SHA",       "SHA1",
        "SHA256",     "SHA256-CRYPT", "SHA512",      "SHA512-CRYPT",  "SMD5",      "SSHA",
        "SSHA256",    "SSHA512"};
    return schemes;
}

Understood understand(std::string_view hash, const std::set<std::string>& schemes,
                      std::string_view scheme)
{
    const auto marks = std::min(hash.find_first_not_of("!*"), hash.size());
    auto text = hash.substr(marks);
    Understood understood;
    const auto end = text.find('}');
    if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })
        && !text.starts_with("{PLAIN}") && !text.starts_with("{CLEAR")) {
        understood = unknown("a hash has no blanks and no characters beyond ASCII");
    } else if (text.empty()) {
        understood = unknown("there is no hash");
    } else if (text.front() == '{' && end != std::string_view::npos) {
        understood = with_scheme(text.substr(1, end - 1), text.substr(end + 1), schemes);
    } else {
        understood = without_scheme(text, schemes, scheme);
    }
    if (understood.kind == Kind::stored && understood.text.size() > kWidth)
        understood = unknown("it is longer than 255 characters");
    understood.is_locked = marks > 0;
    return understood;
}

}  // namespace password_hash
