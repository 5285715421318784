#include "mail/password.h"

#include <sched.h>
#include <sodium.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>

#include "base/metrics.h"
#include "base/strings.h"
#include "mail/api_key.h"
#include "mail/unicode.h"

namespace password {
namespace {

const std::string kScheme = "{ARGON2ID}";

// Gives this thread a long time slice while the object lives. A process that wakes meanwhile, for
// example to answer a list, has a shorter slice and runs at once; otherwise it would wait for the
// kernel's next tick. Works on Linux from 6.12 (sched_setattr(2), sched_runtime); older kernels
// ignore it.
class LongSlice {
public:
    LongSlice()
    {
        if (::syscall(SYS_sched_getattr, 0, &before_, sizeof before_, 0) != 0) return;
        is_set_ = before_.policy == SCHED_OTHER || before_.policy == SCHED_BATCH;
        auto wanted = before_;
        wanted.runtime = 100'000'000;  // ns; the longest possible
        if (is_set_) set(wanted);
    }
    ~LongSlice()
    {
        if (is_set_) set(before_);
    }
    LongSlice(const LongSlice&) = delete;
    LongSlice& operator=(const LongSlice&) = delete;

private:
    // The first version of the kernel's sched_attr; glibc has no header for it here.
    struct Attributes {
        std::uint32_t size = 48;
        std::uint32_t policy = 0;
        std::uint64_t flags = 0;
        std::int32_t nice = 0;
        std::uint32_t priority = 0;
        std::uint64_t runtime = 0;
        std::uint64_t deadline = 0;
        std::uint64_t period = 0;
    };
    static_assert(sizeof(Attributes) == 48);

    static void set(Attributes attributes)
    {
        ::syscall(SYS_sched_setattr, 0, &attributes, 0);
    }  // refused: nothing changes

    Attributes before_;
    bool is_set_ = false;
};

}  // namespace

void check(std::string_view text, const mailbox::Address& owner, const Config& config)
{
    // Length and forbidden texts apply to the composed text, which is hashed.
    if (strings::is_utf8(text) && !unicode::is_ascii(text)) {
        const auto composed = unicode::composed(text);
        if (composed.text() != text) return check(composed.text(), owner, config);
    }
    if (!strings::is_utf8(text))
        throw mailbox::Invalid("'password' parameter is not valid: it is not valid UTF-8");
    if (strings::has_control_character(text))
        throw mailbox::Invalid("'password' parameter is not valid: it has a control character");
    const auto characters = strings::characters(text);
    if (characters < config.min_password || characters > config.max_password) {
        throw mailbox::Invalid("'password' parameter is not valid: it must have "
                               + std::to_string(config.min_password) + " to "
                               + std::to_string(config.max_password) + " characters");
    }
    for (const auto& name : {owner.local_part(), owner.text(), owner.ascii(), owner.domain()}) {
        if (strings::equals_ignoring_case(text, name)) {
            throw mailbox::Invalid(
                "'password' parameter is not valid: it must not be the mailbox's name, address or domain");
        }
    }
}

std::string hash(std::string_view text, const Config& config)
{
    const auto composed = unicode::composed(text);
    return hash_as_typed(composed.text(), config);
}

std::string hash_as_typed(std::string_view text, const Config& config)
{
    const auto begin = std::chrono::steady_clock::now();
    const LongSlice slice;
    char encoded[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_argon2id_str(encoded, text.data(), text.size(), config.argon2_passes,
                                   config.argon2_memory_kib * 1024)
        != 0) {
        throw std::bad_alloc{};
    }
    metrics::own().password_hash.observe(std::chrono::steady_clock::now() - begin);
    return kScheme + encoded;
}

bool is_current(std::string_view stored)
{
    return stored.starts_with(kScheme);
}

std::optional<bool> verify(std::string_view text, const std::string& stored)
{
    if (!is_current(stored)) return std::nullopt;
    if (crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), text.data(), text.size()) == 0)
        return true;
    return errno == EINVAL ? std::optional{false} : std::nullopt;  // EINVAL: the two differ
}

Secret generate(const mailbox::Address& owner, const Config& config)
{
    const auto length = std::clamp(std::size_t{24}, config.min_password, config.max_password);
    for (;;) {
        Secret text{api_key::random_base32(length)};
        try {
            check(text.text(), owner, config);
            return text;
        } catch (const mailbox::Invalid&) {  // a short one can equal the mailbox's name by chance
        }
    }
}

}  // namespace password
