// uidlist.h - which message of a Maildir folder has which UID: Dovecot's dovecot-uidlist, and what
// Courier has instead.
//
// Dovecot's file may be changed only by a process that holds dovecot-uidlist.lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace uidlist {

struct Record {
    std::uint32_t uid = 0;
    std::string base;  // the file's name up to the colon, where the flags begin
    // For example "W75". A record with P has the UIDL for POP3, instead of one made from the UID.
    std::vector<std::string> extensions{};
    bool operator==(const Record&) const = default;
};

struct List {
    std::uint32_t validity = 0;
    std::uint32_t next = 1;
    std::string guid{};  // of the folder; may be empty
    std::vector<Record> records{};
    bool operator==(const List&) const = default;
};

// Returns a file's name without its flags.
std::string base_of(std::string_view file);

// Reads dovecot-uidlist of version 1 or 3; the records are sorted by UID, and `next` is above all
// of them. A record that is cut off is left out. Empty if the text is not such a file.
std::optional<List> parse(std::string_view text);
std::string text_of(const List& list);

// Reads courierimapuiddb.
std::optional<List> parse_courier(std::string_view text);
// Returns the UIDLs that Courier shows to POP3, by the messages' base names, from
// courierpop3dsizelist.
std::map<std::string, std::string> courier_uidls(std::string_view text);

// Returns a UIDL by the format of Dovecot's setting pop3_uidl_format, with the variables %u (UID),
// %v (UIDVALIDITY) and %f (base name); digits and X make them hexadecimal as in %08Xu.
inline constexpr char kUidlFormat[] = "%08Xu%08Xv";
std::string uidl(std::string_view format, std::uint32_t uid, std::uint32_t validity,
                 const std::string& base);
// True if uidl() knows every variable of the format.
bool is_uidl_format(std::string_view format);

}  // namespace uidlist
