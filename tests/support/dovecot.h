// dovecot.h - the doveadm side of a Dovecot: answers HTTP on a socket as 2.3 does, for the twins of
// what talks to it. The stories have the real one.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/config.h"
#include "support/support.h"

namespace dovecot {

class Server {
public:
    // The whole answer to a request's body; `wait`: none.
    using Reply = std::function<std::string(const std::string& body)>;
    explicit Server(Reply reply);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    const Config& config() const { return config_; }  // with its socket and a key
    std::vector<std::string> requests() const;        // heads and bodies

private:
    void serve();

    support::Directory directory_;
    Config config_;
    Reply reply_;
    int listener_;
    std::atomic<bool> is_over_{false};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

std::string answer(const std::string& body);

// Users that are connected, until they are kicked.
class Users {
public:
    std::string reply(const std::string& body);
    std::vector<std::string> connected;
    std::vector<std::string> kicked;
};

}  // namespace dovecot
