// folder_adoption.h - takes one folder of another server's Maildir over into a mailbox's home.
//
// Messages come to home/.adoption/FOLDER first, where Dovecot does not see them. Then, with
// Dovecot's lock, dovecot-uidlist is replaced and the messages are moved into the Maildir. The list
// comes first: Dovecot would give other UIDs to messages without one, but it only drops UIDs
// without a message. A message that is still in .adoption was never shown to anybody, so a later
// run may give it the UID of the old server, even if Dovecot dropped that UID meanwhile.
//
// Throws std::system_error and std::runtime_error; the folder can then be taken over again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/descriptor.h"
#include "peers/disk.h"
#include "peers/foreign_maildir.h"
#include "peers/uid_merge.h"

namespace adoption {

enum class How { link, copy };

struct Wanted {
    std::string source{};  // a path
    foreign::Layout layout = foreign::Layout::found;
    How how = How::link;
    // For links: the messages' owner becomes the store's, and the old server loses its access.
    bool may_take_ownership = false;
    // Somebody has logged in to the mailbox. Then UIDs of messages that it has are not changed, and
    // messages that were taken over and then deleted here do not come again.
    bool was_used = false;
    std::string uidl_format = uidlist::kUidlFormat;  // pop3_uidl_format of the old server
};

struct Folder {
    std::string name;           // as in IMAP, in UTF-8
    std::int64_t messages = 0;  // of the source
    std::int64_t added = 0;
    std::int64_t changed = 0;        // got other flags
    std::int64_t deleted_here = 0;   // not taken over again
    std::int64_t lost_keywords = 0;  // keywords for which the folder has no letter any more
    uid_merge::Uids uids = uid_merge::Uids::kept;
};

// A mailbox's home, and its folder of messages that are not shown yet. Only one process at a time
// takes mail over into a mailbox.
struct Home {
    // `store` is the open folder of the mail store. Makes the folders that are missing. Throws
    // admin::Refused if another process is at it.
    Home(int store, const disk::Owner& its_owner, const std::string& store_path,
         const std::string& storage_id);

    // Opens the folder, and makes it as Dovecot does.
    foreign::Folder folder(const folder_names::Name& name) const;
    // Removes what is empty now.
    void tidy() const;

    disk::Owner owner;
    std::string path;
    Descriptor home{}, maildir{}, staging{};
};

class FolderAdoption {
public:
    // `is_shared`: another folder of the source has the same name here, and came first.
    FolderAdoption(const Wanted& wanted, const Home& home, const foreign::Folder& source,
                   bool is_shared);

    // Brings the messages that the target lacks to where Dovecot does not see them.
    void stage();
    // Shows them to Dovecot.
    Folder show();

private:
    using Messages = std::map<std::string, foreign::Message>;
    using Names = std::set<std::string>;
    using Letters = std::map<char, char>;  // of keywords: here by there

    std::string staging_name() const;
    bool stage_once();
    Names deleted_here(const Messages& messages, const Messages& present) const;
    bool bring(int part, const foreign::Message& message, uid_t owner,
               const std::string& path) const;
    bool is_acceptable(const struct stat& found, uid_t owner) const;
    bool link(int part, const foreign::Message& message, uid_t owner,
              const std::string& path) const;
    bool copy(int part, const foreign::Message& message, uid_t owner,
              const std::string& path) const;
    Names staged() const;
    void show_under_lock(Folder& its);
    void write_uids(Folder& its, const Messages& present, const Names& added) const;
    Letters keywords(Folder& its) const;
    void move(const std::string& base, const foreign::Message* message,
              const Letters& letters) const;
    void update(const foreign::Message& here, const foreign::Message& there, const Letters& letters,
                Folder& its) const;

    const Wanted& wanted_;
    const Home& home_;
    bool is_used_;
    std::int64_t deleted_here_ = 0;
    std::optional<uidlist::List> source_uids_{};
    const foreign::Folder& source_;
    foreign::Folder target_;
    std::string staging_path_;
    Descriptor staging_;
};

}  // namespace adoption
