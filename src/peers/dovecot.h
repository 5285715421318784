// dovecot.h - Dovecot's side of the operator's work: who is connected, and an end to it.
//
// Talks to doveadm's HTTP API, over loopback or a socket of its own. Each call is one
// request on one connection, with a deadline. Complains with Failed, which says what
// Dovecot answered, or that it did not; where that tells nothing of Dovecot, with Unasked.
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
// Not let in, for want of rights; or what listens there is something else.
struct Unasked : Failed {
    using Failed::Failed;
};
struct WrongKey : Unasked {
    using Unasked::Unasked;
};

struct Session {
    std::string user;     // the name inside
    std::string service;  // imap, pop3
    std::string address;  // where it comes from
};

class Client {
public:
    // Reads the key: later there may be no right to.
    explicit Client(const Config& config, std::chrono::seconds deadline = std::chrono::seconds{10});

    std::vector<Session> sessions() const;
    // Their processes are told to end. The names are taken as they are, but * and ? in
    // one would mean others, too.
    void kick(const std::vector<std::string>& users) const;
    // What userdb says of an address, or to one of its services of a name: settings by their names.
    // Nothing: it knows nobody.
    std::optional<std::map<std::string, std::string>> user(const std::string& name,
                                                           const std::string& service = {}) const;

    // How much mail a user has in all its folders, counted from the mail that is there. Who never
    // had mail has no folder, and none of it. Empty: userdb knows nobody of that name.
    struct Counted {
        std::int64_t bytes = 0;
        std::int64_t messages = 0;
    };
    std::optional<Counted> count(const std::string& name) const;

private:
    std::string ask(const std::string& commands) const;

    std::string key_file_;
    std::string where_;  // a port on loopback, or a socket
    std::string credentials_;
    std::chrono::seconds deadline_;
};

}  // namespace dovecot
