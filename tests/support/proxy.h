// proxy.h - a proxy between the client library and the database server. At the commands that a test
// chooses it cuts the connection, before the server receives the command or before the client
// receives the answer, or it makes the server refuse the command.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/config.h"

namespace proxy {

enum class Fate {
    passes,
    lost,          // never reaches the server; both sides see the connection end
    unanswered,    // reaches the server; both sides see the connection end at once
    answer_lost,   // reaches the server, which answers; then both sides see the connection end
    lost_slowly,   // like `lost`, but the server sees the end a while after the client
    arrives_late,  // the client sees the end at once; the server gets the command a while later
    refused,  // the server rolls back instead and reports a deadlock; the connection stays open
};
std::ostream& operator<<(std::ostream& out, Fate fate);

class Proxy {
public:
    // Called for every command of a client that the server answers. The first byte is the command
    // (3: a query as text), the rest its content. Runs in the proxy's threads, one call at a time.
    using Judge = std::function<Fate(std::string_view command)>;

    Proxy(Config::Database server, const std::string& socket);
    ~Proxy();
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    void set_judge(Judge judge);
    // Called for every command that passes. Returns what the server gets instead.
    using Rewrite = std::function<std::string(std::string_view command)>;
    void set_rewrite(Rewrite rewrite);
    // made by clients
    int connections() const { return connections_; }

private:
    void accept_clients();
    void serve(int accepted);
    Fate judge(std::string_view command);
    std::string rewritten(const std::string& packet);

    Config::Database server_;
    int listener_;
    std::mutex mutex_;
    Judge judge_;
    Rewrite rewrite_;
    std::vector<std::thread> threads_;
    std::atomic<int> connections_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread acceptor_;
};

}  // namespace proxy
