// folder_names.h - the names of mail folders on disk, in Dovecot's files and in IMAP.
//
// A name is a list of UTF-8 texts, one for each level; INBOX is the empty list. Our Dovecot escapes
// each level (mailboxd.conf: separator /, escape character \), other servers may not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace folder_names {

using Name = std::vector<std::string>;

// Modified UTF-7 (RFC 3501 5.1.3). from_utf7() is empty if the text is not valid in it.
std::string to_utf7(std::string_view utf8);
std::optional<std::string> from_utf7(std::string_view text);

// Returns the name of a folder that another server stored as these levels. A level may be escaped
// as ours are, and be in modified UTF-7 or in UTF-8. Empty if a level is none of that, has no
// characters, or has a control character. INBOX in any case is INBOX.
std::optional<Name> of_levels(const std::vector<std::string>& levels);
// The same for ".Fa. Huber" below a Maildir++, where each dot begins a level.
std::optional<Name> of_maildirpp(std::string_view folder);
// Returns the levels of a text; unlike strings::words(), some may be empty.
std::vector<std::string> split(std::string_view text, char separator);

// Returns the levels as our Dovecot stores them, and the folder's name below Maildir: ".A.B";
// INBOX has no levels and the name ".".
std::vector<std::string> stored(const Name& name);
std::string on_disk(const Name& name);
// Returns "Fa. Huber/2024", or INBOX.
std::string shown(const Name& name);

}  // namespace folder_names
