#include "mailboxctl/adoption.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "db/accounts.h"
#include "peers/disk.h"

namespace adoption {
namespace {

using foreign::Message;

// --- before the first change ----------------------------------------------------------

// Reads a message's first bytes; empty if it was renamed meanwhile.
std::optional<std::string> beginning(int part, const Message& message, const std::string& path)
{
    constexpr std::size_t kMark = 16;
    const auto file = disk::open_file(part, message.file, path);
    if (!file) return std::nullopt;
    std::string text(kMark, '\0');
    const auto count = ::pread(file->number(), text.data(), text.size(), 0);
    if (count < 0) disk::fail(path);
    text.resize(static_cast<std::size_t>(count));
    return text;
}

struct Check {
    const Wanted& wanted;
    struct stat store;
    Done done{};
    std::int64_t unreadable = 0;
    std::string first_unreadable{};
    std::int64_t of_others = 0;  // messages of another owner than the store's

    // A user of the old system may have linked another user's file into their Maildir.
    void expect_owner(const struct stat& found, uid_t owner_of_folder, const std::string& path)
    {
        if (found.st_uid != owner_of_folder && found.st_uid != store.st_uid)
            throw admin::Refused(path + " belongs to another user than its folder");
        if (found.st_uid != store.st_uid) ++of_others;
    }

    void folder(const foreign::Folder& folder)
    {
        const auto messages = folder.messages(&done.left);
        Folder its{.name = folder_names::shown(folder.name())};
        for (const bool is_new : {false, true}) {
            const auto part = folder.part(is_new);
            if (!part) continue;
            const auto part_path = folder.path() + (is_new ? "/new/" : "/cur/");
            const auto owner = disk::status(part->number(), part_path).st_uid;
            for (const auto& [base, message] : messages) {
                if (message.is_new != is_new) continue;
                const auto path = part_path + message.file;
                const auto found = disk::status(part->number(), message.file, path);
                if (!found) continue;
                if (wanted.how == How::link && found->st_dev != store.st_dev)
                    throw admin::Refused(
                        path + " and the mail store are not on one file system; use --copy");
                expect_owner(*found, owner, path);
                look_into(part->number(), message, path);
                ++its.messages;
                done.bytes += found->st_size;
            }
        }
        done.messages += its.messages;
        done.folders.push_back(std::move(its));
    }

    void look_into(int part, const Message& message, const std::string& path)
    {
        const auto text = beginning(part, message, path);
        const auto reason = text ? foreign::unreadable(*text) : std::string{};
        if (reason.empty()) return;
        if (unreadable++ == 0) first_unreadable = path + " is " + reason;
    }

    void conclude(const std::string& source) const
    {
        if (unreadable > 0)
            throw admin::Refused(first_unreadable + ", and so are " + std::to_string(unreadable)
                                 + " of its messages; mailboxctl pull takes them over by IMAP");
        if (wanted.how == How::link && of_others > 0 && !wanted.may_take_ownership)
            throw admin::Refused(
                std::to_string(of_others) + " messages in " + source
                + " do not belong to the mail store's owner. A linked message is one file with one owner: with"
                  " --take-ownership the old server can no longer read it, so stop that server first. Or use --copy");
    }
};

Done checked(const Wanted& wanted, const foreign::Maildir& source, const struct stat& store)
{
    Check check{.wanted = wanted, .store = store};
    if (::geteuid() != 0 && ::geteuid() != store.st_uid)
        throw admin::Refused("run this as root or as the owner of the mail store");
    for (const auto& folder : source.folders()) check.folder(folder);
    check.conclude(source.path());
    const auto& left = source.left();
    check.done.left.insert(check.done.left.end(), left.begin(), left.end());
    return std::move(check.done);
}

struct Store {
    explicit Store(const std::string& path)
        : folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}
    {
        if (path.empty())
            throw admin::Refused("the setting store is missing: it says where the mail lies");
        if (!folder.is_open()) disk::fail(path);
        status = disk::status(folder.number(), path);
    }
    Descriptor folder;
    struct stat status {};
};

// --- the whole mailbox ----------------------------------------------------------------

void subscribe(const Home& home, const foreign::Maildir& source)
{
    constexpr const char* kFile = "subscriptions";
    const auto wanted = source.subscriptions();
    if (wanted.empty()) return;
    const disk::Lock lock{home.maildir.number(), kFile, home.owner, home.path};
    const auto text = disk::contents(home.maildir.number(), kFile, home.path);
    auto all = foreign::subscriptions_of(text.value_or(""), '.');
    const auto before = all.size();
    for (const auto& name : wanted) {
        if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    }
    if (all.size() != before)
        disk::replace(home.maildir.number(), kFile, foreign::text_of(all), home.owner, home.path);
}

// Dovecot gives each new folder the next UIDVALIDITY: it must be above all that clients know.
void raise_validity(const Home& home, const foreign::Maildir& source)
{
    constexpr const char* kFile = "dovecot-uidvalidity";
    constexpr std::size_t kDigits = 8;
    const auto is_number = [](const std::optional<std::string>& text) {
        return text && text->size() == kDigits
               && text->find_first_not_of("0123456789abcdef") == std::string::npos;
    };
    const auto there = source.folders().front().contents(kFile);
    const auto here = disk::contents(home.maildir.number(), kFile, home.path);
    if (!is_number(there) || (is_number(here) && *here >= *there)) return;
    disk::replace(home.maildir.number(), kFile, *there, home.owner, home.path);
    disk::replace(home.maildir.number(), std::string{kFile} + "." + *there, "", home.owner,
                  home.path);
    if (here) disk::remove(home.maildir.number(), std::string{kFile} + "." + *here, home.path);
}

void expect_other(const foreign::Maildir& source, const Home& home)
{
    const auto there = disk::status(source.number(), source.path());
    const auto here = disk::status(home.maildir.number(), home.path);
    if (there.st_dev == here.st_dev && there.st_ino == here.st_ino)
        throw admin::Refused(source.path() + " is the Maildir of this mailbox already");
}

}  // namespace

Done check(const Wanted& wanted, const std::string& store)
{
    const foreign::Maildir source{wanted.source, wanted.layout};
    return checked(wanted, source, Store{store}.status);
}

namespace {

Done taken_over(const Wanted& wanted, const std::string& store_path, const std::string& storage_id)
{
    const foreign::Maildir source{wanted.source, wanted.layout};
    const Store store{store_path};
    auto done = checked(wanted, source, store.status);
    const Home home{
        store.folder.number(), {store.status.st_uid, store.status.st_gid}, store_path, storage_id};
    done.folders.clear();
    raise_validity(home, source);
    expect_other(source, home);
    std::set<folder_names::Name> names;
    std::deque<FolderAdoption> folders;
    for (const auto& folder : source.folders()) {
        folders.emplace_back(wanted, home, folder, !names.insert(folder.name()).second);
        folders.back().stage();
    }
    // Copies must be on the disk before the old server's files may be given up.
    if (wanted.how == How::copy && ::syncfs(home.staging.number()) != 0) disk::fail(home.path);
    for (auto& folder : folders) {
        done.folders.push_back(folder.show());
        done.added += done.folders.back().added;
    }
    subscribe(home, source);
    home.tidy();
    return done;
}

}  // namespace

Done adopt(const Wanted& wanted, const std::string& store_path, const std::string& storage_id)
{
    try {
        return taken_over(wanted, store_path, storage_id);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_space_on_device && error.code().value() != EDQUOT) throw;
        throw NoSpace(std::string{error.what()}
                      + "; the messages that were copied stay for the next run, so make room and "
                        "repeat the command");
    }
}

}  // namespace adoption
