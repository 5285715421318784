// maildir.h - the mail store's folders: STORE/2e/2ec1…, one for each mailbox, named by its storage
// id.
//
// Works as the store's user, and follows no symbolic link: a folder is what lies below the store,
// and nothing else is ever removed. Removing can be stopped by a deadline, or die, at any moment;
// the next call goes on. Complains with std::system_error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maildir {

using Clock = std::chrono::steady_clock;

// 32 hexadecimal digits in lower case.
bool is_id(std::string_view name);

// The folders that the mailboxes' lie in: "00" to "ff" by their numbers.
inline constexpr int kPrefixes = 256;
std::string prefix(int number);

struct Removed {
    bool is_complete = true;  // nothing is left of it
    std::int64_t files = 0;
    std::int64_t bytes = 0;
};

class Store {
public:
    explicit Store(const std::string& path);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // The folder and all in it. First it is out of its place, in one step.
    Removed remove(std::string_view id, Clock::time_point end);

    // The ids below one of the 256 folders "00" to "ff" that have a folder; nothing if that one is
    // not there.
    std::vector<std::string> ids(std::string_view prefix) const;
    // As paths, what stands there in a folder's place: a file, a link, a folder of another user
    // than the store's owner.
    std::vector<std::string> misfits(std::string_view prefix) const;
    // For who looks for mail that there was: throws std::runtime_error where there is no such
    // folder at all, since then what is here may be not the store but where it is mounted.
    void expect_mail() const;
    // Whatever else lies in the store, as paths: a mailbox's folder is nowhere else.
    std::vector<std::string> strangers() const;

private:
    std::string path_;
    int folder_;
};

}  // namespace maildir
