#include "peers/postconf.h"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <regex>
#include <stdexcept>

#include "base/strings.h"

namespace postconf {
namespace {

// An error message may have several lines.
Postfix::Answer in_one_line(Postfix::Answer answer)
{
    answer.text = std::regex_replace(answer.text, std::regex{"\n"}, "; ");
    return answer;
}

}  // namespace

Postfix::Answer Postfix::setting(const std::string& name) const
{
    return in_one_line(run("postconf", {"-x", "-h", name}));
}

std::vector<std::string> Postfix::lines(const std::vector<std::string>& arguments) const
{
    return strings::words(run("postconf", arguments).text, "\n");
}

const std::vector<Postfix::Service>& Postfix::services() const
{
    if (services_) return *services_;
    services_.emplace();
    for (const auto& line : lines({"-M"})) {
        const auto fields = strings::words(line);
        constexpr std::size_t kName = 0, kType = 1, kProgram = 7;  // master(5)
        if (fields.size() > kProgram)
            services_->push_back({fields[kName] + "/" + fields[kType], fields[kProgram]});
    }
    return *services_;
}

const std::map<std::string, std::string>& Postfix::settings() const
{
    if (settings_) return *settings_;
    settings_.emplace();
    for (const auto& option : {"-P", ""}) {
        for (const auto& line : lines(option[0] == '\0' ? std::vector<std::string>{"-x"}
                                                        : std::vector<std::string>{option, "-x"})) {
            const auto at = line.find(" =");
            if (at != std::string::npos)
                settings_->emplace(line.substr(0, at), line.substr(std::min(line.size(), at + 3)));
        }
    }
    return *settings_;
}

bool Postfix::is_own_setting(const std::string& service, const std::string& name) const
{
    return settings().contains(service + "/" + name);
}

std::string Postfix::setting_of(const std::string& service, const std::string& name) const
{
    const auto& all = settings();
    for (const auto& key : {service + "/" + name, name}) {
        if (const auto found = all.find(key); found != all.end()) return found->second;
    }
    return {};
}

std::set<std::string> Postfix::tables() const
{
    static const std::regex table{R"(mysql:(/[^ ,;{}]*/mailboxd-\w+\.cf))"};
    std::set<std::string> files;
    for (const auto& all : {run("postconf", {"-x"}), run("postconf", {"-P", "-x"})}) {
        for (std::sregex_iterator each{all.text.begin(), all.text.end(), table}, end; each != end;
             ++each)
            files.insert((*each)[1]);
    }
    return files;
}

std::string Postfix::policy_socket(const std::string& name) const
{
    const std::regex service{R"(unix:([^ ,;{}]*))" + name + R"(\b)"};
    for (const auto& all : {run("postconf", {"-P", "-x"}), run("postconf", {"-x"})}) {
        std::smatch found;
        if (!std::regex_search(all.text, found, service)) continue;
        const auto path = found[1].str() + name;
        return path.starts_with('/') ? path : setting("queue_directory").text + "/" + path;
    }
    return {};
}

Postfix::Answer Postfix::look_up(const std::string& key, const std::string& table) const
{
    return in_one_line(run("postmap", {"-q", key, table}));
}

Postfix::Answer Postfix::run(const std::string& program,
                             const std::vector<std::string>& arguments) const
{
    // PATH may lack the folder of the system's programs.
    std::string command =
        "PATH=$PATH:/usr/sbin:/usr/local/sbin; " + program + " -c " + strings::for_shell(folder_);
    for (const auto& argument : arguments) command += " " + strings::for_shell(argument);
    FILE* const pipe = ::popen((command + " 2>&1 </dev/null").c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error(program + " cannot be started");
    Answer answer;
    std::array<char, 4096> piece{};
    while (const auto size = std::fread(piece.data(), 1, piece.size(), pipe))
        answer.text.append(piece.data(), size);
    const int status = ::pclose(pipe);
    // Warnings about unknown or unused settings, on standard error like the errors.
    answer.text =
        std::regex_replace(answer.text, std::regex{"(^|\n)postconf: warning: [^\n]*"}, "");
    if (answer.text.starts_with('\n')) answer.text.erase(0, 1);
    answer.is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    while (!answer.text.empty() && answer.text.back() == '\n') answer.text.pop_back();
    return answer;
}

}  // namespace postconf
