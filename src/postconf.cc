#include "postconf.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <regex>
#include <stdexcept>

#include "command.h"

namespace postconf {

Postfix::Answer Postfix::setting(const std::string& name) const
{
    return run("postconf", {"-x", "-h", name});
}

std::set<std::string> Postfix::tables() const
{
    static const std::regex table{R"(mysql:(/[^ ,;{}]*/mailboxd-\w+\.cf))"};
    std::set<std::string> files;
    for (const auto& all : {run("postconf", {"-x"}), run("postconf", {"-P", "-x"})}) {
        for (std::sregex_iterator each{all.text.begin(), all.text.end(), table}, end; each != end; ++each) files.insert((*each)[1]);
    }
    return files;
}

Postfix::Answer Postfix::look_up(const std::string& key, const std::string& table) const
{
    return run("postmap", {"-q", key, table});
}

Postfix::Answer Postfix::run(const std::string& program, const std::vector<std::string>& arguments) const
{
    // Not everybody has the folder of the system's programs among those where a shell looks.
    std::string command = "PATH=$PATH:/usr/sbin:/usr/local/sbin; " + program + " -c " + command::for_shell(folder_);
    for (const auto& argument : arguments) command += " " + command::for_shell(argument);
    FILE* const pipe = ::popen((command + " 2>&1 </dev/null").c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error(program + " cannot be started");
    Answer answer;
    std::array<char, 4096> piece{};
    while (const auto size = std::fread(piece.data(), 1, piece.size(), pipe)) answer.text.append(piece.data(), size);
    const int status = ::pclose(pipe);
    answer.is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    while (!answer.text.empty() && answer.text.back() == '\n') answer.text.pop_back();
    answer.text = std::regex_replace(answer.text, std::regex{"\n"}, "; ");  // a complaint has several
    return answer;
}

}  // namespace postconf
