// dovecot.h - a stand-in for doveadm's HTTP API: answers on a socket as Dovecot 2.3 does, for unit
// tests. The stories use the real Dovecot.
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
    // Returns the whole answer to a request's body. `wait` sends no answer.
    using Reply = std::function<std::string(const std::string& body)>;
    explicit Server(Reply reply);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    const Config& config() const { return config_; }  // with the socket's path and a key
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

// A doveadm that knows connected users until they are kicked.
class Users {
public:
    std::string reply(const std::string& body);
    std::vector<std::string> connected;
    std::vector<std::string> kicked;
};

}  // namespace dovecot
