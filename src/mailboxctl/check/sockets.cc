#include "mailboxctl/check/sockets.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace check {
namespace {

using Names = std::set<std::string>;

constexpr char kDanger[] = " can forge any client address and occupy the workers";

void add_account(Names& names, const passwd* account)
{
    if (account != nullptr && account->pw_uid != 0 && account->pw_uid != ::geteuid())
        names.insert(account->pw_name);
}

// Returns the accounts that may write to the file as its owner or by its group.
Names accounts_of(const struct stat& file)
{
    Names names;
    if ((file.st_mode & S_IWUSR) != 0) add_account(names, ::getpwuid(file.st_uid));
    if ((file.st_mode & S_IWGRP) == 0) return names;
    Names members;
    if (const struct group* const group = ::getgrgid(file.st_gid)) {
        for (char** member = group->gr_mem; *member != nullptr; ++member) members.insert(*member);
    }
    for (const auto& member : members) add_account(names, ::getpwnam(member.c_str()));
    ::setpwent();
    while (const passwd* const account = ::getpwent()) {
        if (account->pw_gid == file.st_gid) add_account(names, account);
    }
    ::endpwent();
    return names;
}

// Processes by id, with the names of their programs.
using Programs = std::map<std::string, std::string>;

// Returns the processes that run as this account. Empty if this process may not see those of other
// users. Reads their status, because the folder in /proc of a process that changed its user belongs
// to root.
Programs programs_of(const std::string& account)
{
    Programs programs;
    const passwd* const entry = ::getpwnam(account.c_str());
    if (entry == nullptr) return programs;
    std::error_code ignored;
    for (const auto& folder : std::filesystem::directory_iterator{"/proc", ignored}) {
        std::ifstream status{folder.path() / "status"};
        std::string name;
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("Name:\t")) name = line.substr(6);
            if (!line.starts_with("Uid:\t")) continue;
            std::istringstream ids{line.substr(5)};
            uid_t real = 0;
            uid_t effective = 0;
            if (ids >> real >> effective && (real == entry->pw_uid || effective == entry->pw_uid))
                programs[folder.path().filename()] = name;
            break;
        }
    }
    return programs;
}

// Returns the names of the programs that run as this account, except nginx. Looks twice, half a
// second apart, because customers' code does not run in a command that ends at once, for example
// one of cron.
Names others_than_nginx(const std::string& account)
{
    const auto others = [&] {
        auto programs = programs_of(account);
        std::erase_if(programs, [](const auto& program) { return program.second == "nginx"; });
        return programs;
    };
    Names names;
    const auto before = others();
    if (before.empty()) return names;
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
    for (const auto& program : others()) {
        if (before.contains(program.first)) names.insert(program.second);
    }
    return names;
}

std::string list(const Names& names)
{
    constexpr std::size_t kMost = 6;
    std::string text;
    std::size_t count = 0;
    for (const auto& name : names) {
        if (++count > kMost) return text + " and others";
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

Result socket_file(const std::string& path)
{
    struct stat status {};
    if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
    if ((status.st_mode & S_IWOTH) != 0)
        return wrong(path + " can be used by every user, who" + kDanger + ": chmod o= " + path);
    const auto accounts = accounts_of(status);
    if (accounts.size() > 1) {
        return note(
            path + " can be used by " + list(accounts) + ". Each" + kDanger
            + ". Give the socket to nginx's user alone: SocketUser= and SocketMode=0600 of mailboxd.socket, or socket_group");
    }
    if (accounts.empty()) return {};
    const auto programs = others_than_nginx(*accounts.begin());
    if (programs.empty()) return {};
    return note(path + " can be used by " + *accounts.begin()
                + ", and other programs than nginx run as that user: " + list(programs)
                + ". Code in them" + kDanger
                + ". Give these programs another user, for example by user= in each PHP pool");
}

}  // namespace

Result sockets(const Config& config)
{
    const auto found = socket_file(config.socket);
    return found.verdict == Verdict::ok ? socket_file(config.write_socket) : found;
}

}  // namespace check
