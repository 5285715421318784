// options.h - what the operator asked `mailboxctl setup` for.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace setup {

// The parts of an installation, in the order in which they are set up.
inline constexpr std::array<std::string_view, 9> kParts{
    "packages", "database", "service", "nginx", "dovecot", "postfix", "store", "srs", "account"};

struct Options {
    std::string host;    // the server's name, lower case
    std::string domain;  // of the first customer; empty: none is created
    std::string account = "main";
    std::string db_host;  // empty: the database is on this machine
    std::string db_name = "mailboxd";
    std::string db_admin_user;  // empty: root, by the socket
    std::string db_admin_password_file;
    std::string certificate, key;             // files; empty: found or made
    std::string certbot;                      // the address for Let's Encrypt; empty: not asked
    std::string store;                        // empty: as mailboxd.conf has it
    bool forwards = false;                    // aliases lead to other servers: postsrsd
    bool rehashes = false;                    // old password hashes are replaced
    std::set<std::string, std::less<>> only;  // parts; empty: all

    // Of this run alone; not remembered.
    std::string configuration = "/etc/mailboxd/mailboxd.conf";
    std::set<std::string> take_new;  // files of which the operator's text is replaced
    bool is_dry_run = false;
    bool is_confirmed = false;
    bool is_json = false;

    bool has(std::string_view part) const { return only.empty() || only.contains(part); }
};

// Returns what a later run has to know, by the names of the command's options; and sets it again.
std::map<std::string, std::string> remembered(const Options& options);
void recall(Options& options, const std::map<std::string, std::string>& remembered);

}  // namespace setup
