#include "mailboxctl/check/secret_files.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <system_error>

#include "mailboxctl/check/exposed_secrets.h"
#include "peers/postconf.h"

namespace check {
namespace {

// True if anyone except root and this user can be in the group.
bool has_others(gid_t group, uid_t one)
{
    const passwd* const user = ::getpwuid(one);
    if (user == nullptr || user->pw_gid != group) return true;
    const std::string name = user->pw_name;
    const struct group* const entry = ::getgrgid(group);
    for (char** member = entry == nullptr ? nullptr : entry->gr_mem;
         member != nullptr && *member != nullptr; ++member) {
        if (*member != name && *member != std::string{"root"}) return true;
    }
    bool is_one = false;
    ::setpwent();
    while (const passwd* const each = ::getpwent())
        is_one = is_one || (each->pw_gid == group && each->pw_uid != one && each->pw_uid != 0);
    ::endpwent();
    return is_one;
}

// A missing file is in order here.
Result secret_file(const std::string& file, mode_t group_may)
{
    struct stat status {};
    if (file.empty()) return ok();
    if (::stat(file.c_str(), &status) != 0)
        return errno == EACCES ? unknown(file + " cannot be examined: run this as root") : ok();
    if ((status.st_mode & S_IROTH) != 0)
        return wrong(file + " is readable by every user: chmod o= " + file);
    if ((status.st_mode & S_IWOTH) != 0)
        return wrong(file + " is writable by every user: chmod o= " + file);
    if ((status.st_mode & S_IRGRP & ~group_may) == 0 || !has_others(status.st_gid, status.st_uid))
        return ok();
    return note(file
                + " is readable by its group, which has other members than its owner: chmod g= "
                + file);
}

Result configuration_file(const std::string& file)
{
    struct stat status {};
    const bool is_there = ::stat(file.c_str(), &status) == 0;
    if (!is_there || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return ok();
    return wrong(
        file
        + " is writable by others than its owner, and they could lead the programs to another database: chmod go-w "
        + file);
}

// Returns the folder of dovecot.conf, found by the link that Dovecot makes beside its sockets.
// Empty if there is none.
std::string folder_of_dovecot(const Config& config)
{
    if (config.doveadm.empty()) return {};
    std::error_code error;
    const auto file = std::filesystem::canonical(
        std::filesystem::path{config.doveadm}.parent_path() / "dovecot.conf", error);
    return error ? std::string{} : file.parent_path().string();
}

// Looks for our secrets in configuration files, ours or the mail servers', that every user can
// read; main.cf is one.
Result exposed_secrets(const Config& config)
{
    std::map<std::string, std::string> secrets;
    const auto add = [&](const std::string& name, const std::function<std::string()>& read) {
        try {
            secrets.emplace(name, read());
        } catch (const std::exception&) {
            return;  // reported by the check that needs it
        }
    };
    for (const auto user : Config::kDatabases) {
        const auto& database = config.*user;
        add("the password of the database user " + database.user,
            [&] { return database.password(); });
    }
    if (!config.doveadm_key_file.empty())
        add("the key of Dovecot's doveadm", [&] { return config.doveadm_key(); });
    const auto own = std::filesystem::path{config.path}.parent_path().string();
    const auto found = find_exposed(
        {config.postfix, folder_of_dovecot(config), own == "/etc" ? "" : own}, secrets);
    if (!found) return ok();
    return wrong(
        found->file + " is readable by every user and contains " + found->secret
        + ": remove it from the file, then replace it everywhere"
          " (ALTER USER for a database user, its password file, and the files that were filled in with it)");
}

}  // namespace

Result secrets(const Config& config)
{
    Result found = configuration_file(config.path);
    const auto add = [&](const Result& each) {
        if (found.verdict == Verdict::ok
            || (each.verdict == Verdict::wrong && found.verdict != Verdict::wrong))
            found = each;
    };
    for (const auto user : Config::kDatabases) add(secret_file((config.*user).password_file, 0));
    add(secret_file(config.doveadm_key_file, 0));
    add(exposed_secrets(config));
    if (config.postfix.empty()) return found;
    for (const auto& table : postconf::Postfix{config.postfix}.tables())
        add(secret_file(table, S_IRGRP));  // Postfix's own group
    return found;
}

}  // namespace check
