// dovecot.h - Dovecot's sessions, users and counts of mail, through doveadm's HTTP API.
//
// The API listens on loopback or on its own socket. Each call is one request on one connection,
// with a deadline. Throws Failed if Dovecot answers with an error or does not answer, and Unasked
// if no question reached Dovecot.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/config.h"

namespace dovecot {

struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};
// This process has no right to use the socket, or another program listens there.
struct Unasked : Failed {
    using Failed::Failed;
};
struct WrongKey : Unasked {
    using Unasked::Unasked;
};

struct Session {
    std::string user;     // as Dovecot names it: <storage_id>@<domain>
    std::string service;  // imap, pop3
    std::string address;  // of the client
};

class Client {
public:
    // Reads the key now, because this process may later lose the right to read it. Throws
    // Config::Problems.
    explicit Client(const Config& config, std::chrono::seconds deadline = std::chrono::seconds{10});

    std::vector<Session> sessions() const;
    // Ends the sessions of these users. A name with * or ? would match other users, too.
    void kick(const std::vector<std::string>& users) const;
    // Returns the fields that userdb has for an address. With a service, for example imap, `name`
    // is the name with which someone logs in to it. Empty if userdb does not know the name.
    std::optional<std::map<std::string, std::string>> user(const std::string& name,
                                                           const std::string& service = {}) const;

    // Returns how much mail a user has in all folders, counted from the mail itself. A user who
    // never had mail has 0. Empty if userdb does not know the name.
    struct Counted {
        std::int64_t bytes = 0;
        std::int64_t messages = 0;
    };
    std::optional<Counted> count(const std::string& name) const;

private:
    std::string ask(const std::string& commands) const;

    std::string key_file_;
    std::string where_;  // a port on loopback, or a socket's path
    std::string credentials_;
    std::chrono::seconds deadline_;
};

}  // namespace dovecot
