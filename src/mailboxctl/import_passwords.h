// import_passwords.h - the plain passwords of an import: hashes and comparisons on all processors,
// and the file of those that were made.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/descriptor.h"
#include "mail/address.h"

namespace import_passwords {

// Calls `work` with each number below `count`, in as many threads as there are processors. Throws
// what `work` threw first.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work);

struct Compared {
    std::string_view password;
    const std::string* stored;
    bool is_same = false;
    bool is_comparable = false;  // false: the stored hash has a scheme that only Dovecot verifies
};
void compare(std::vector<Compared>& all);

// The file of the passwords that an import made: address and password in each line. Its mode is
// 0600. A second run appends, so of two lines for one address the last one counts. Throws
// admin::Refused if it cannot be written, or if others can read it.
class File {
public:
    explicit File(const std::string& path);
    // Makes a password, and notes it for the file.
    std::string make(const mailbox::Address& address, const Config& config);
    // Writes what was noted. Call it before the transaction that stores the hashes is committed: a
    // password that nobody knows would lock its user out.
    void write();
    // Drops what was noted and not written.
    void forget() { waiting_.clear(); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    Descriptor descriptor_;
    std::string waiting_;
};

}  // namespace import_passwords
