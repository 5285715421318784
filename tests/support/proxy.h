// proxy.h - stands between the client library and the database server, and cuts the
// connection at the command that it is told: before the server hears it, or before the
// client hears the answer. Or it has the server refuse the command.
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
    answer_lost,   // reaches the server, which answers; then both sides see it end
    lost_slowly,   // as lost, but the server sees the end a while after the client
    arrives_late,  // the client sees the end at once, the server gets the command a while later
    refused,  // the server undoes the transaction instead, and says so as after a deadlock; both go
              // on
};
std::ostream& operator<<(std::ostream& out, Fate fate);

class Proxy {
public:
    // Asked for every command of a client that the server answers: its first byte says
    // which it is (3: a query as text), the rest is the command's own. Runs in the proxy's
    // threads, one at a time.
    using Judge = std::function<Fate(std::string_view command)>;

    Proxy(Config::Database server, const std::string& socket);
    ~Proxy();
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    void set_judge(Judge judge);
    int connections() const { return connections_; }  // that clients have made

private:
    void accept_clients();
    void serve(int accepted);
    Fate judge(std::string_view command);

    Config::Database server_;
    int listener_;
    std::mutex mutex_;
    Judge judge_;
    std::vector<std::thread> threads_;
    std::atomic<int> connections_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread acceptor_;
};

}  // namespace proxy
