// moving.h - what the commands share that bring mail from another server: the mailboxes they are
// for, and the logins at the other server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mailboxctl/command.h"
#include "mailboxctl/verification.h"
#include "peers/disk.h"
#include "peers/doveadm_program.h"

namespace moving {

struct Mailbox {
    std::string address;
    std::string domain;  // as Dovecot names it
    std::string storage_id;
};
// Returns the mailbox, or those of the domain. Refuses names that do not exist.
std::vector<Mailbox> mailboxes(const command::Call& call, const std::string& address_or_domain);

// The logins at the other server, from a file that only its owner can read. A line has an address
// and a password, or an address, a user name and a password, separated by tabs. A line for the
// address *NAME has a master user's password: the user name is then ADDRESS*NAME.
class Logins {
public:
    explicit Logins(const std::string& file);
    std::optional<doveadm_program::Login> of(const std::string& address) const;

private:
    std::map<std::string, doveadm_program::Login> logins_;
};

// The other server and how to read it.
struct Remote {
    doveadm_program::Server server;
    doveadm_program::Syntax syntax = doveadm_program::Syntax::dovecot_2_3;
    Logins logins;
};
void add_options(command::po::options_description& options);
Remote remote(const command::Call& call, const std::string& url);

// The mail store's owner, under whose name Dovecot's programs run.
struct Store {
    explicit Store(const std::string& path);
    doveadm_program::Home home(const std::string& storage_id) const;

    std::string path;
    disk::Owner owner;
    std::string user, group;
};

// Reads the list of a mailbox's messages from the other server. Throws std::runtime_error.
verification::Contents contents(const Remote& remote, const Mailbox& mailbox, const Store& store);

}  // namespace moving
