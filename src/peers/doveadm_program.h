// doveadm_program.h - runs doveadm(1) with a configuration of its own: it reads another server by
// IMAP, and writes into one mailbox's home.
//
// The running Dovecot and its configuration are not used. The program runs as the mail store's
// user. The configuration has the password; it is only in memory, and on no command line. Throws
// std::runtime_error if the program cannot be run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "peers/disk.h"

namespace doveadm_program {

enum class Tls { none, starttls, from_the_start };

struct Server {
    std::string host;
    std::uint16_t port = 0;
    Tls tls = Tls::none;
    std::string authorities{};  // a file of certificates, instead of the system's
};
// Reads imap://host[:port] (TLS by STARTTLS) or imaps://host[:port]. Empty if it is neither.
std::optional<Server> server_of(const std::string& url);

struct Login {
    std::string user;
    std::string password;
};

enum class Syntax { dovecot_2_3, dovecot_2_4 };
// Asks the installed Dovecot for its version.
Syntax installed_syntax();

// Where the program reads mail.
enum class Mail {
    maildir,  // home/Maildir, with the names of folders that mailboxd.conf has
    imap,     // the server
};
// The home of the mailbox, and the user and group that the program runs as.
struct Home {
    std::string path;
    disk::Owner owner;
    std::string user, group;  // the owner's names
};
std::string configuration(const Server& server, const Login& login, Mail mail, Syntax syntax,
                          const Home& home);

struct Ended {
    int exit = 0;
    std::string out;
    std::string err;
};
// Marks the place of doveadm's user in the arguments. The configuration has no users, which 2.4
// must be told by an option.
inline constexpr char kUser[] = "(user)";
// Runs doveadm and waits for its end. Several threads may run it at the same time.
Ended run(const std::string& configuration, const std::vector<std::string>& arguments,
          Syntax syntax, const Home& home);
// Returns the program's messages about its failure as one line, without those that it always
// prints.
std::string reason(const Ended& ended);

}  // namespace doveadm_program
