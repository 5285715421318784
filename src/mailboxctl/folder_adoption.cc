#include "mailboxctl/folder_adoption.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "db/accounts.h"
#include "peers/maildir.h"

namespace adoption {

using foreign::Message;

namespace {

constexpr std::string_view kAdoption = ".adoption";
constexpr std::string_view kUidlist = "dovecot-uidlist";
// In a folder here: the UIDVALIDITY and next UID that the source had when it was taken over last.
constexpr const char* kTakenOver = "mailboxd-adopted";

// Returns the flags with the letters that keywords have here.
std::string translated(const std::string& flags, const std::map<char, char>& letters)
{
    std::set<char> all;
    for (const char flag : flags) {
        const bool is_keyword = flag >= 'a' && flag <= 'z';
        const auto found = letters.find(flag);
        if (!is_keyword) all.insert(flag);
        else if (found != letters.end()) all.insert(found->second);
    }
    return {all.begin(), all.end()};
}

}  // namespace

// --- the home -------------------------------------------------------------------------

Home::Home(int store, const disk::Owner& its_owner, const std::string& store_path,
           const std::string& id)
    : owner{its_owner}, path{store_path + "/" + id.substr(0, 2) + "/" + id}
{
    if (!maildir::is_id(id)) throw std::logic_error("no storage id");
    const auto prefix = disk::make_folder(store, id.substr(0, 2), owner, path);
    home = disk::make_folder(prefix.number(), id, owner, path);
    maildir = disk::make_folder(home.number(), "Maildir", owner, path);
    staging = disk::make_folder(home.number(), std::string{kAdoption}, owner, path);
    if (::flock(staging.number(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) disk::fail(path);
        throw admin::Refused("another process is taking mail over into " + path);
    }
}

foreign::Folder Home::folder(const folder_names::Name& name) const
{
    const auto disk_name = folder_names::on_disk(name);
    const auto its_path = path + "/Maildir" + (name.empty() ? "" : "/" + disk_name);
    auto its = disk::make_folder(maildir.number(), disk_name, owner, its_path);
    for (const char* part : {"cur", "new", "tmp"})
        disk::make_folder(its.number(), part, owner, its_path);
    if (!name.empty() && !disk::status(its.number(), "maildirfolder", its_path))
        disk::replace(its.number(), "maildirfolder", "", owner, its_path);
    return {name, std::move(its), its_path};
}

void Home::tidy() const
{
    for (const auto& name : disk::entries(staging.number(), path))
        ::unlinkat(staging.number(), name.c_str(), AT_REMOVEDIR);
    ::unlinkat(home.number(), std::string{kAdoption}.c_str(), AT_REMOVEDIR);
}

// --- one folder -----------------------------------------------------------------------

FolderAdoption::FolderAdoption(const Wanted& wanted, const Home& home,
                               const foreign::Folder& source, bool is_shared)
    : wanted_{wanted}, home_{home}, is_used_{wanted.was_used || is_shared}, source_{source},
      target_{home.folder(source.name())}, staging_path_{home.path + "/" + std::string{kAdoption}},
      staging_{disk::make_folder(home.staging.number(), staging_name(), home.owner, staging_path_)}
{
}

void FolderAdoption::stage()
{
    constexpr int kTries = 20;  // each time that the old server renames a message
    for (int i = 0; !stage_once(); ++i) {
        if (i == kTries)
            throw std::runtime_error(source_.path() + " keeps changing; repeat the command");
    }
}

Folder FolderAdoption::show()
{
    const disk::Lock lock{target_.number(), std::string{kUidlist}, home_.owner, target_.path()};
    Folder its{.name = folder_names::shown(source_.name()), .deleted_here = deleted_here_};
    show_under_lock(its);
    if (source_uids_)
        disk::replace(target_.number(), kTakenOver,
                      std::to_string(source_uids_->validity) + " "
                          + std::to_string(source_uids_->next) + "\n",
                      home_.owner, target_.path());
    disk::remove(staging_.number(), ".new", staging_path_);
    return its;
}

std::string FolderAdoption::staging_name() const
{
    return source_.name().empty() ? "INBOX" : folder_names::on_disk(source_.name());
}

// Returns false if a message was renamed meanwhile. The UIDs are read before the messages: a
// message that comes later is then none of those that were taken over.
bool FolderAdoption::stage_once()
{
    source_uids_ = source_.uids();
    auto messages = source_.messages();
    const auto is_missing = [&](const uidlist::Record& each) {
        return !messages.contains(each.base);
    };
    // It is deleted, or the old server renamed it while its folder was read.
    if (source_uids_
        && std::any_of(source_uids_->records.begin(), source_uids_->records.end(), is_missing))
        messages.merge(source_.messages());
    const auto present = target_.messages();
    const auto gone = deleted_here(messages, present);
    deleted_here_ = static_cast<std::int64_t>(gone.size());
    bool is_complete = true;
    for (const bool is_new : {true, false}) {
        const auto part = source_.part(is_new);
        if (!part) continue;
        const auto path = source_.path() + (is_new ? "/new" : "/cur");
        const auto owner = disk::status(part->number(), path).st_uid;
        for (const auto& [base, message] : messages) {
            if (message.is_new != is_new || present.contains(base) || gone.contains(base)) continue;
            if (disk::status(staging_.number(), base, staging_path_)) continue;
            is_complete = bring(part->number(), message, owner, path) && is_complete;
        }
    }
    return is_complete;
}

// Returns the messages that were taken over by an earlier run, and which the target has no longer.
FolderAdoption::Names FolderAdoption::deleted_here(const Messages& messages,
                                                   const Messages& present) const
{
    Names gone;
    const auto text = disk::contents(target_.number(), kTakenOver, target_.path());
    const auto words = strings::words(text.value_or(""));
    if (!is_used_ || !source_uids_ || words.size() != 2
        || words[0] != std::to_string(source_uids_->validity))
        return gone;
    const auto next = strings::whole_number(words[1]).value_or(0);
    for (const auto& record : source_uids_->records) {
        const auto& base = record.base;
        if (record.uid < next && messages.contains(base) && !present.contains(base)
            && !disk::status(staging_.number(), base, staging_path_))
            gone.insert(base);
    }
    return gone;
}

bool FolderAdoption::bring(int part, const Message& message, uid_t owner,
                           const std::string& path) const
{
    const auto its_path = path + "/" + message.file;
    return wanted_.how == How::link ? link(part, message, owner, its_path)
                                    : copy(part, message, owner, its_path);
}

bool FolderAdoption::is_acceptable(const struct stat& found, uid_t owner) const
{
    return S_ISREG(found.st_mode) && (found.st_uid == owner || found.st_uid == home_.owner.user);
}

// The link is made first and looked at then, because the name may meanwhile belong to another
// file. Nobody sees it before.
bool FolderAdoption::link(int part, const Message& message, uid_t owner,
                          const std::string& path) const
{
    constexpr const char* kNew = ".new";
    constexpr mode_t kAll = 0777, kOwner = 0600;
    disk::remove(staging_.number(), kNew, staging_path_);
    if (::linkat(part, message.file.c_str(), staging_.number(), kNew, 0) != 0) {
        if (errno == ENOENT) return false;
        disk::fail(path);
    }
    const auto found = disk::status(staging_.number(), kNew, staging_path_);
    if (!found || !is_acceptable(*found, owner)) {
        disk::remove(staging_.number(), kNew, staging_path_);
        throw std::runtime_error(path + " changed while it was taken over; repeat the command");
    }
    if (found->st_uid != home_.owner.user) {
        if (!wanted_.may_take_ownership)
            throw std::runtime_error(path + " belongs to another user than the mail store");
        if (::fchownat(staging_.number(), kNew, home_.owner.user, home_.owner.group,
                       AT_SYMLINK_NOFOLLOW)
            != 0)
            disk::fail(path);
    }
    if ((found->st_mode & kAll) != kOwner
        && (found->st_uid != home_.owner.user || (found->st_mode & kOwner) != kOwner)
        && ::fchmodat(staging_.number(), kNew, kOwner, 0) != 0)
        disk::fail(path);
    disk::rename(staging_.number(), kNew, staging_.number(), message.base, staging_path_);
    return true;
}

bool FolderAdoption::copy(int part, const Message& message, uid_t owner,
                          const std::string& path) const
{
    constexpr const char* kNew = ".new";
    const auto file = disk::open_file(part, message.file, path);
    if (!file) return false;
    const auto found = disk::status(file->number(), path);
    if (!is_acceptable(found, owner))
        throw std::runtime_error(path + " changed while it was taken over; repeat the command");
    disk::remove(staging_.number(), kNew, staging_path_);
    const Descriptor target{::openat(staging_.number(), kNew,
                                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!target.is_open()) disk::fail(staging_path_);
    try {
        disk::read(file->number(), path, [&](std::string_view piece) {
            disk::write(target.number(), piece, staging_path_);
            return true;
        });
    } catch (...) {
        // On a disk that is full, others need its space.
        ::unlinkat(staging_.number(), kNew, 0);
        throw;
    }
    // IMAP's INTERNALDATE is the time of the file.
    const std::array<timespec, 2> times{found.st_atim, found.st_mtim};
    if (::futimens(target.number(), times.data()) != 0) disk::fail(staging_path_);
    if ((home_.owner.user != ::geteuid() || home_.owner.group != ::getegid())
        && ::fchown(target.number(), home_.owner.user, home_.owner.group) != 0)
        disk::fail(staging_path_);
    disk::rename(staging_.number(), kNew, staging_.number(), message.base, staging_path_);
    return true;
}

FolderAdoption::Names FolderAdoption::staged() const
{
    Names names;
    for (const auto& name : disk::entries(staging_.number(), staging_path_)) {
        if (name != ".new") names.insert(name);
    }
    return names;
}

// The list of UIDs comes first: Dovecot would give other UIDs to messages without one, but it
// only drops UIDs without a message.
void FolderAdoption::show_under_lock(Folder& its)
{
    const auto messages = source_.messages();
    const auto present = target_.messages();
    its.messages = static_cast<std::int64_t>(messages.size());
    auto added = staged();
    for (const auto& [base, message] : present) {
        if (added.erase(base) > 0) disk::remove(staging_.number(), base, staging_path_);
    }
    write_uids(its, present, added);
    const auto letters = keywords(its);
    for (const auto& base : added) {
        const auto found = messages.find(base);
        move(base, found == messages.end() ? nullptr : &found->second, letters);
        ++its.added;
    }
    for (const auto& [base, message] : messages) {
        const auto found = present.find(base);
        if (found != present.end()) update(found->second, message, letters, its);
    }
}

void FolderAdoption::write_uids(Folder& its, const Messages& present, const Names& added) const
{
    const auto courier = source_.courier_uidls();
    uid_merge::Wanted wanted{
        .source = source_uids_, .target = target_.uids(), .added = added, .was_used = is_used_};
    for (const auto& [base, message] : present) wanted.present.insert(base);
    const auto validity = wanted.source ? wanted.source->validity : 0;
    wanted.uidl = [&](const uidlist::Record& record) {
        for (const auto& extension : record.extensions) {
            if (extension.starts_with('P')) return extension.substr(1);
        }
        const auto found = courier.find(record.base);
        return found != courier.end()
                   ? found->second
                   : uidlist::uidl(wanted_.uidl_format, record.uid, validity, record.base);
    };
    const auto merged = uid_merge::merged(wanted);
    its.uids = merged.uids;
    if (!merged.list || (merged.list == wanted.target && !merged.is_index_stale)) return;
    // First the index: a run that ends between the two would not find it stale again.
    if (merged.is_index_stale) {
        for (const char* name :
             {"dovecot.index", "dovecot.index.log", "dovecot.index.log.2", "dovecot.index.cache"})
            disk::remove(target_.number(), name, target_.path());
    }
    disk::replace(target_.number(), std::string{kUidlist}, uidlist::text_of(*merged.list),
                  home_.owner, target_.path(), disk::Writing::durable);
}

// Returns the target's letters for the source's ones, after it has extended dovecot-keywords.
FolderAdoption::Letters FolderAdoption::keywords(Folder& its) const
{
    const auto source = source_.keywords();
    std::map<char, char> letters;
    if (source.empty()) return letters;
    const disk::Lock lock{target_.number(), "dovecot-keywords", home_.owner, target_.path()};
    auto target = target_.keywords();
    const auto before = target.size();
    for (const auto& [letter, name] : source) {
        auto found = target.begin();
        while (found != target.end() && found->second != name) ++found;
        if (found == target.end()) {
            char free = letter;  // the same one if possible
            if (target.contains(free)) free = 'a';
            while (free <= 'z' && target.contains(free)) ++free;
            if (free > 'z') {
                ++its.lost_keywords;
                continue;
            }
            found = target.emplace(free, name).first;
        }
        letters[letter] = found->first;
    }
    if (target.size() != before)
        disk::replace(target_.number(), "dovecot-keywords", foreign::text_of(target), home_.owner,
                      target_.path());
    return letters;
}

void FolderAdoption::move(const std::string& base, const Message* message,
                          const std::map<char, char>& letters) const
{
    const auto flags = message == nullptr ? "" : translated(message->flags, letters);
    const bool is_new = message == nullptr || (message->is_new && flags.empty());
    const auto part = target_.part(is_new);
    if (!part) throw std::system_error(ENOENT, std::generic_category(), target_.path());
    disk::rename(staging_.number(), base, part->number(), is_new ? base : base + ":2," + flags,
                 target_.path());
}

// Gives a message that came before the flags that it has in the source now. If somebody has
// used the mailbox, flags are added only.
void FolderAdoption::update(const Message& here, const Message& there,
                            const std::map<char, char>& letters, Folder& its) const
{
    auto flags = translated(there.flags, letters);
    if (is_used_) {
        std::set<char> all{flags.begin(), flags.end()};
        all.insert(here.flags.begin(), here.flags.end());
        flags.assign(all.begin(), all.end());
    }
    std::set<char> before{here.flags.begin(), here.flags.end()};
    if (flags == std::string{before.begin(), before.end()}) return;
    const auto from = target_.part(here.is_new), to = target_.part(false);
    if (!from || !to) return;
    if (::renameat(from->number(), here.file.c_str(), to->number(),
                   (here.base + ":2," + flags).c_str())
        == 0)
        ++its.changed;
    else if (errno != ENOENT)  // renamed or deleted by its reader
        disk::fail(target_.path());
}

}  // namespace adoption
