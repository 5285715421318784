#include "mailboxctl/import_passwords.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/secret.h"
#include "db/accounts.h"
#include "mail/password.h"
#include "mail/unicode.h"
#include "mailboxctl/import_csv.h"

namespace import_passwords {

void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work)
{
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failing;
    const auto run = [&] {
        try {
            for (auto i = next++; i < count; i = next++) work(i);
        } catch (...) {
            const std::lock_guard lock{failing};
            if (!failure) failure = std::current_exception();
            next = count;
        }
    };
    const auto threads =
        std::min<std::size_t>(count, std::max(1U, std::thread::hardware_concurrency()));
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < threads; ++i) others.emplace_back(run);
        run();
    }
    if (failure) std::rethrow_exception(failure);
}

void compare(std::vector<Compared>& all)
{
    in_parallel(all.size(), [&](std::size_t i) {
        auto& [password, stored, is_same, is_comparable] = all[i];
        const auto composed = unicode::composed(password);
        const auto verified = password::verify(composed.text(), *stored);
        is_comparable = verified.has_value();
        is_same = verified.value_or(false);
    });
}

namespace {

[[noreturn]] void refuse(const std::string& path)
{
    throw admin::Refused(path + ": " + std::strerror(errno));
}

}  // namespace

File::File(const std::string& path)
    : path_{path}, descriptor_{::open(path.c_str(),
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)}
{
    struct stat about {};
    if (descriptor_.number() < 0 || ::fstat(descriptor_.number(), &about) != 0) refuse(path);
    constexpr mode_t kOthers = 077;
    if (!S_ISREG(about.st_mode) || (about.st_mode & kOthers) != 0)
        throw admin::Refused(path
                             + " is to hold passwords, but it is no file or others may open it; "
                               "name a new file");
}

std::string File::make(const mailbox::Address& address, const Config& config)
{
    const auto made = password::generate(address, config);
    waiting_ += import_csv::line_of({address.ascii(), std::string{made.text()}}) + "\n";
    return std::string{made.text()};
}

void File::write()
{
    if (waiting_.empty()) return;
    struct stat before {};
    if (::fstat(descriptor_.number(), &before) != 0) refuse(path_);
    bool is_written = true;
    for (std::string_view rest = waiting_; is_written && !rest.empty();) {
        const auto count = ::write(descriptor_.number(), rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        is_written = count >= 0;
        if (is_written) rest.remove_prefix(static_cast<std::size_t>(count));
    }
    if (!is_written || ::fsync(descriptor_.number()) != 0) {
        // The mailboxes of these passwords are not added. A line that ends in its middle would also
        // spoil the first one of the next run.
        const auto sentence = path_ + ": " + std::strerror(errno);
        static_cast<void>(::ftruncate(descriptor_.number(), before.st_size));
        throw admin::Refused(sentence);
    }
    waiting_.clear();
}

}  // namespace import_passwords
