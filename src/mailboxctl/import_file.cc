#include "mailboxctl/import_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "db/accounts.h"

namespace import_file {
namespace {

constexpr std::size_t kBuffer = 256UL * 1024;

[[noreturn]] void refuse(const std::string& name)
{
    throw admin::Refused(name + ": " + std::strerror(errno));
}

std::string temporary_folder()
{
    const char* const folder = std::getenv("TMPDIR");
    return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

// The copy may hold passwords, so it has no name that anyone else could open.
Descriptor copy_of_standard_input()
{
    const auto folder = temporary_folder();
    Descriptor copy{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    const auto refuse_copy = [&] {
        throw admin::Refused("standard input cannot be copied to a file in " + folder + ": "
                             + std::strerror(errno)
                             + "; set TMPDIR to a folder that has room for it");
    };
    if (copy.number() < 0) refuse_copy();
    std::array<char, 64UL * 1024> piece{};
    for (;;) {
        const auto count = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) refuse("standard input");
        if (count == 0) return copy;
        for (std::string_view rest{piece.data(), static_cast<std::size_t>(count)}; !rest.empty();) {
            const auto written = ::write(copy.number(), rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) refuse_copy();
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }
}

Descriptor opened(const std::string& path)
{
    if (path == "-") return copy_of_standard_input();
    Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.number() < 0) refuse(path);
    return file;
}

// Returns the length of the byte order mark of UTF-8.
std::size_t mark_of(std::string_view start, const std::string& name)
{
    constexpr std::string_view kUtf8{"\xef\xbb\xbf"};
    for (const std::string_view other : {"\xff\xfe", "\xfe\xff"}) {
        if (start.starts_with(other))
            throw admin::Refused(name + " is UTF-16; convert it: iconv -f UTF-16 -t UTF-8");
    }
    for (const std::string_view other : {"\x1f\x8b", "BZh",
                                         "\xfd"
                                         "7z",
                                         "(\xb5/\xfd", "PK\x03"}) {
        if (start.starts_with(other))
            throw admin::Refused(name
                                 + " is compressed; unpack it first, for example zcat FILE |"
                                   " mailboxctl import -");
    }
    return start.starts_with(kUtf8) ? kUtf8.size() : 0;
}

}  // namespace

File::File(const std::string& path)
    : name_{path == "-" ? "standard input" : path}, descriptor_{opened(path)}, buffer_(kBuffer)
{
    struct stat about {};
    if (::fstat(descriptor_.number(), &about) != 0) refuse(name_);
    if (!S_ISREG(about.st_mode))
        throw admin::Refused(name_ + " is not a file; read a pipe as standard input: -");
    size_ = about.st_size;
    std::array<char, 4> start{};
    const auto count = ::pread(descriptor_.number(), start.data(), start.size(), 0);
    if (count < 0) refuse(name_);
    mark_ = mark_of({start.data(), static_cast<std::size_t>(count)}, name_);
    rewind();
}

void File::rewind()
{
    if (::lseek(descriptor_.number(), static_cast<off_t>(mark_), SEEK_SET) < 0) refuse(name_);
    at_ = filled_ = 0;
    read_ = static_cast<std::int64_t>(mark_);
}

bool File::fill()
{
    for (;;) {
        const auto count = ::read(descriptor_.number(), buffer_.data(), buffer_.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) refuse(name_);
        at_ = 0;
        filled_ = static_cast<std::size_t>(count);
        read_ += count;
        return count > 0;
    }
}

bool File::line(std::string& line, bool& is_cut, std::size_t most)
{
    is_cut = false;
    if (at_ == filled_ && !fill()) return false;
    for (;;) {
        const auto* const begin = buffer_.data() + at_;
        const auto length = filled_ - at_;
        const auto* const end = static_cast<const char*>(std::memchr(begin, '\n', length));
        const auto count = end == nullptr ? length : static_cast<std::size_t>(end - begin);
        line.append(begin, std::min(count, most > line.size() ? most - line.size() : 0));
        at_ += count + (end == nullptr ? 0 : 1);
        if (end != nullptr) break;
        if (!fill()) {
            is_cut = true;
            break;
        }
    }
    if (line.ends_with('\r')) line.pop_back();
    return true;
}

double File::progress() const
{
    if (size_ == 0) return 1;
    return static_cast<double>(read_ - static_cast<std::int64_t>(filled_ - at_))
           / static_cast<double>(size_);
}

}  // namespace import_file
