// config_fuzz.cc - the configuration file.

#include "base/config.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include "fuzz/targets.h"

namespace fuzz {
namespace {

// A file in memory.
class File {
public:
    File() : descriptor_{::memfd_create("config", MFD_CLOEXEC)}
    {
        if (descriptor_ < 0)
            throw std::system_error(errno, std::generic_category(), "memfd_create");
    }
    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
    void write(std::string_view text)
    {
        if (::ftruncate(descriptor_, 0) != 0
            || ::pwrite(descriptor_, text.data(), text.size(), 0)
                   != static_cast<ssize_t>(text.size())) {
            throw std::system_error(errno, std::generic_category(), "pwrite");
        }
    }

private:
    int descriptor_;
};

File& file()
{
    static File one;
    return one;
}

std::string line_of(std::string_view text, int number)
{
    for (int i = 1; i < number; ++i) take_line(text);
    return std::string{take_line(text)};
}

// Each problem is a line with the file's name and, if the problem is in one line, its number.
void check_problems(std::string_view problems, std::string_view text)
{
    const auto path = file().path() + ":";
    expect(!problems.empty(), "what is wrong is said");
    while (!problems.empty()) {
        auto problem = take_line(problems);
        expect(problem.starts_with(path), "each problem names its file");
        problem.remove_prefix(path.size());
        int number = 0;
        const auto [end, error] =
            std::from_chars(problem.data(), problem.data() + problem.size(), number);
        if (error != std::errc{} || *end != ':') continue;
        problem.remove_prefix(static_cast<std::size_t>(end - problem.data()) + 2);
        expect(number >= 1 && number <= 1 + std::count(text.begin(), text.end(), '\n'),
               "the line that is named is there");
        const auto name = problem.substr(0, problem.find(" is "));
        if (name.size() < problem.size())
            expect(line_of(text, number).find(name) != std::string::npos,
                   "the setting stands on it");
    }
}

std::optional<Config> read(std::string_view text)
{
    file().write(text);
    try {
        return Config::read(file().path());
    } catch (const Config::Problems& problems) {
        check_problems(problems.what(), text);
        return std::nullopt;
    }
}

bool refuses(const std::string& path)
{
    try {
        Config::read(path);
        return false;
    } catch (const Config::Problems&) {
        return true;
    }
}

void check_socket(const std::string& path)
{
    expect(path.starts_with('/') && path.size() <= 107,
           "a socket's path is absolute, and one that bind(2) takes");
}

template <typename Number>
bool is_within(Number value, Number least, Number greatest)
{
    return value >= least && value <= greatest;
}

void check(const Config& config)
{
    using std::chrono::seconds;
    check_socket(config.socket);
    if (!config.write_socket.empty()) check_socket(config.write_socket);
    expect(config.socket != config.write_socket, "the two sockets differ");
    expect(is_within(config.workers, 1U, 1000U) && is_within(config.write_workers, 1U, 1000U),
           "there are workers");
    expect(is_within(config.backlog, 1, 65'535), "the backlog is one that listen(2) takes");
    expect(config.request_deadline >= seconds{1} && config.io_timeout >= seconds{1},
           "a deadline is never 0, which would be none");
    expect(config.stop_grace > config.request_deadline, "stopping leaves time for what runs");
    expect(config.db_connect_timeout >= seconds{1} && config.db_timeout >= seconds{1},
           "the database has time to answer");
    expect(config.max_body >= 1024 && config.max_limit >= 1, "a request can be made");
    expect(config.min_password >= 1 && config.min_password <= config.max_password,
           "a password can be chosen");
    expect(config.argon2_memory_kib >= 8 && config.argon2_passes >= 1,
           "libsodium takes these costs");
    expect(config.db.port != 0 && config.db.port == config.ctl_db.port
               && config.db.socket == config.ctl_db.socket && config.db.host == config.ctl_db.host
               && config.db.name == config.ctl_db.name,
           "both programs ask the same server");
}

std::optional<std::string> password(const std::string& path)
{
    Config::Database database;
    database.password_file = path;
    try {
        return database.password();
    } catch (const Config::Problems& problems) {
        expect(std::string_view{problems.what()}.starts_with(path), "a problem names its file");
        return std::nullopt;
    }
}

// The password is the file's first line without its end, which may be CR LF.
void check_password(std::string_view text)
{
    file().write(text);
    const auto line = password(file().path());
    auto first = text.substr(0, text.find('\n'));
    if (first.ends_with('\r')) first.remove_suffix(1);
    expect(text.empty() ? !line : line == first, "the password is the first line");
    expect(password("") == "" && !password("/nowhere/password"),
           "no file is no password, a missing one is a problem");
}

}  // namespace

void config(std::string_view input)
{
    check_password(input);
    expect(refuses("/nowhere/mailboxd.conf"), "a file that is not there is a problem");
    const auto config = read(input);
    if (!config) return;
    check(*config);
    expect(
        read(std::string{input} + "\n# what stands behind this sign is none of its business = 1\n")
            .has_value(),
        "a comment changes nothing");
    if (input.find('[') == std::string_view::npos) {
        expect(!read(std::string{input} + "\nno_such_setting = 1"),
               "a name that is none is refused");
    }
}

}  // namespace fuzz
