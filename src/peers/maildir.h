// maildir.h - the mail store's folders: STORE/2e/2ec1…, one for each mailbox, named by its storage
// id.
//
// Runs as the store's user and follows no symbolic link, so nothing outside the store is ever
// removed. Removing may stop at any moment, by a deadline or a crash; the next call continues.
// Throws std::system_error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maildir {

using Clock = std::chrono::steady_clock;

// True for 32 hexadecimal digits in lower case.
bool is_id(std::string_view name);

// The mailboxes' folders lie in 256 folders, "00" to "ff". prefix() returns the name of one by its
// number.
inline constexpr int kPrefixes = 256;
std::string prefix(int number);

struct Removed {
    bool is_complete = true;  // nothing is left of the folder
    std::int64_t files = 0;
    std::int64_t bytes = 0;
};

class Store {
public:
    explicit Store(const std::string& path);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Removes a mailbox's folder with all in it, until `end`. First renames it, in one step, so
    // that Dovecot no longer finds it.
    Removed remove(std::string_view id, Clock::time_point end);

    // Returns the storage ids that have a folder below one of the 256 folders; none if that one is
    // missing.
    std::vector<std::string> ids(std::string_view prefix) const;
    // Returns the paths of entries there that are in a mailbox folder's place but are a file, a
    // link or a folder of another user than the store's owner.
    std::vector<std::string> misfits(std::string_view prefix) const;
    // Throws std::runtime_error if the store has no mailbox folder at all; usually the file system
    // is not mounted. Callers that expect mail call it first.
    void expect_mail() const;
    // Returns the paths of all other entries of the store, where no mailbox's folder can be.
    std::vector<std::string> strangers() const;

private:
    std::string path_;
    int folder_;
};

}  // namespace maildir
