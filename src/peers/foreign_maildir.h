// foreign_maildir.h - reads a Maildir of another mail server, or of ours: its folders, messages,
// subscriptions and UIDs.
//
// The files may change while they are read, and their owner may try to lead the reader elsewhere:
// no symbolic link is followed, and devices are not opened. Throws std::system_error, and
// std::runtime_error with a sentence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "peers/folder_names.h"
#include "peers/uidlist.h"

namespace foreign {

// Maildir++: ".A.B". fs: "A/B", each with cur, new and tmp.
enum class Layout { found, maildirpp, fs };
std::optional<Layout> layout_of(std::string_view text);  // "auto", "maildir++" or "fs"

// An entry that is not taken over.
struct Left {
    std::string path;
    std::string reason;
};

struct Message {
    std::string file;  // its name
    std::string base;
    std::string flags;    // after ":2,": letters, of which a to z are keywords
    bool is_new = false;  // it lies in new, not in cur
};

// The keywords of a folder by their letters, from dovecot-keywords.
using Keywords = std::map<char, std::string>;
Keywords keywords_of(std::string_view text);
std::string text_of(const Keywords& keywords);

class Folder {
public:
    Folder(folder_names::Name name, Descriptor folder, std::string path);

    const folder_names::Name& name() const { return name_; }
    const std::string& path() const { return path_; }
    int number() const { return folder_.number(); }

    // Returns the messages by base name. Of two files with one base, the one in cur counts. Entries
    // that are no messages are appended to `left`; hidden files are ignored, as Dovecot does.
    std::map<std::string, Message> messages(std::vector<Left>* left = nullptr) const;
    // Opens cur or new; empty if it is missing.
    std::optional<Descriptor> part(bool is_new) const;
    std::optional<uidlist::List> uids() const;  // Dovecot's, otherwise Courier's
    std::map<std::string, std::string> courier_uidls() const;
    Keywords keywords() const;
    std::optional<std::string> contents(const std::string& file) const;

private:
    void add(std::map<std::string, Message>& found, bool is_new, std::vector<Left>* left) const;

    folder_names::Name name_;
    Descriptor folder_;
    std::string path_;
};

class Maildir {
public:
    // `path` is a Maildir, or a home that has one named Maildir or mail. Refuses other formats.
    explicit Maildir(const std::string& path, Layout layout = Layout::found);
    // Reads the Maildir of one of our mailboxes.
    Maildir(Descriptor folder, std::string path);

    // INBOX is the first.
    const std::vector<Folder>& folders() const { return folders_; }
    const std::string& path() const { return path_; }
    int number() const { return folders_.front().number(); }
    Layout layout() const { return layout_; }
    // Names of folders, also of ones that do not exist.
    std::vector<folder_names::Name> subscriptions() const;
    // Folders that are not read, for example links, and files without an equal here.
    const std::vector<Left>& left() const { return left_; }

private:
    void read_folders();
    void read_maildirpp();
    void read_fs(int parent, const std::string& path, std::vector<std::string>& levels);
    void add(const std::optional<folder_names::Name>& name, Descriptor folder,
             const std::string& path);
    std::optional<Descriptor> folder_at(int parent, const std::string& name,
                                        const std::string& path);

    std::string path_;
    Layout layout_;
    std::vector<Folder> folders_;
    std::vector<Left> left_;
};

// Reads the lines of a file of subscriptions.
std::vector<folder_names::Name> subscriptions_of(std::string_view text, char separator);
std::string text_of(const std::vector<folder_names::Name>& subscriptions);

// What of a message can be compared between two servers.
struct Envelope {
    std::string id;          // the header field Message-ID without folding; may be empty
    std::int64_t bytes = 0;  // with CRLF as line ends, as IMAP counts
};
// Empty if the file has gone.
std::optional<Envelope> envelope(const Folder& folder, const Message& message);

// Returns why our Dovecot could not read a message that begins with these bytes, for example
// "compressed (zstd)"; empty if it can.
std::string unreadable(std::string_view beginning);

}  // namespace foreign
