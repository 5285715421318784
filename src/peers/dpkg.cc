#include "peers/dpkg.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <stdexcept>

#include "base/strings.h"

namespace dpkg {
namespace {

struct Answer {
    int exit_code = 0;
    std::string text;
};

Answer run(const std::string& command)
{
    FILE* const pipe = ::popen(("LC_ALL=C " + command + " 2>/dev/null </dev/null").c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error("no shell can be started to ask dpkg");
    Answer answer;
    std::array<char, 4096> piece{};
    while (const auto size = std::fread(piece.data(), 1, piece.size(), pipe))
        answer.text.append(piece.data(), size);
    const int status = ::pclose(pipe);
    constexpr int kNotFound = 127;  // of the shell
    answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kNotFound;
    if (answer.exit_code == kNotFound) throw std::runtime_error("dpkg is not here");
    return answer;
}

}  // namespace

std::optional<Package> installed(const std::string& name)
{
    const auto answer =
        run(R"(dpkg-query -W -f '${db:Status-Status}\t${Version}\t${Maintainer}\n' )"
            + strings::for_shell(name));
    const auto fields = strings::words(answer.text, "\t\n");
    constexpr std::size_t kState = 0, kVersion = 1, kMaintainer = 2;
    if (answer.exit_code != 0 || fields.size() <= kMaintainer || fields[kState] != "installed")
        return {};
    return Package{name, fields[kVersion], fields[kMaintainer]};
}

bool is_older(const std::string& left, const std::string& right)
{
    return run("dpkg --compare-versions " + strings::for_shell(left) + " lt "
               + strings::for_shell(right))
               .exit_code
           == 0;
}

}  // namespace dpkg
