#include "password.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <thread>

#include "auth.h"
#include "http.h"

namespace password {
namespace {

const std::string kScheme = "{ARGON2ID}";

// Characters of valid UTF-8, not bytes.
std::size_t length(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F).
bool has_control_character(std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == 0x7F) return true;
        if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    }
    return false;
}

// A file in memory, of which each byte is a turn; -1: nobody waits for one.
int turns = -1;

// The right to hash now: a lock on one of those bytes, which the kernel takes back from a
// process that dies.
class Turn {
public:
    Turn()
    {
        if (turns < 0) return;
        const auto count = static_cast<off_t>(std::max(1U, std::thread::hardware_concurrency()));
        for (byte_ = 0; byte_ < count; ++byte_) {
            if (lock(F_SETLK, F_WRLCK)) return;
        }
        byte_ = ::getpid() % count;
        lock(F_SETLKW, F_WRLCK);  // where it fails, this hash is one too many
    }
    ~Turn()
    {
        using namespace std::chrono_literals;
        if (turns < 0) return;
        lock(F_SETLK, F_UNLCK);
        std::this_thread::sleep_for(50us);  // who waits comes first, and not this process with the next of a hundred
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    bool lock(int command, short type) const
    {
        struct flock range {};
        range.l_type = type;
        range.l_whence = SEEK_SET;
        range.l_start = byte_;
        range.l_len = 1;
        return ::fcntl(turns, command, &range) == 0;
    }

    off_t byte_ = 0;
};

}  // namespace

void take_turns()
{
    turns = ::memfd_create("turns", MFD_CLOEXEC);
    if (turns < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
}

void check(std::string_view text, const mailbox::Address& owner, const Config& config)
{
    if (!http::is_utf8(text)) throw mailbox::Invalid("'password' parameter is not valid: it is not valid UTF-8");
    if (has_control_character(text)) throw mailbox::Invalid("'password' parameter is not valid: it has a control character");
    const auto characters = length(text);
    if (characters < config.min_password || characters > config.max_password) {
        throw mailbox::Invalid("'password' parameter is not valid: it must have " + std::to_string(config.min_password)
                               + " to " + std::to_string(config.max_password) + " characters");
    }
    for (const auto& name : {owner.local_part(), owner.text(), owner.domain()}) {
        if (http::equals_ignoring_case(text, name)) {
            throw mailbox::Invalid("'password' parameter is not valid: it must not be the mailbox's name, address or domain");
        }
    }
}

std::string hash(std::string_view text, const Config& config)
{
    const Turn turn;
    char encoded[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_argon2id_str(encoded, text.data(), text.size(), config.argon2_passes,
                                   config.argon2_memory_kib * 1024) != 0) {
        throw std::bad_alloc{};
    }
    return kScheme + encoded;
}

std::optional<bool> verify(std::string_view text, const std::string& stored)
{
    if (!stored.starts_with(kScheme)) return std::nullopt;
    if (crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), text.data(), text.size()) == 0) return true;
    return errno == EINVAL ? std::optional{false} : std::nullopt;  // so it says that the two differ
}

std::string generate()
{
    return auth::random_base32(24);
}

}  // namespace password
