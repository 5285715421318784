// http.h - the client that the stories call with.
//
// It sends exactly the bytes it is given, so that hostile and old clients can
// be played, and reads the answer strictly. One request per connection, to
// loopback only. Everything has a deadline. An answer that breaks HTTP throws;
// a connection that ends without an answer is an answer with status 0.
//
// With TEST_EXCHANGES=FILE in the environment each answer is written there with the
// line that asked for it, a line of JSON each: tests/npm/openapi.js judges them.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace http {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Answer {
    int status = 0;
    std::string reason{};
    Fields headers{};
    std::string body{};

    std::vector<std::string> all(std::string_view name) const;
    std::string header(std::string_view name) const;  // the first one, or nothing
};

// A body with the type that names it. Without a type no Content-Type is sent.
struct Body {
    std::string type{};
    std::string bytes{};
};

Body form(const Fields& fields);
Body multipart(const Fields& fields);
Body json(std::string text);
Body untyped(std::string bytes);

std::string percent_encoded(std::string_view text);
std::string base64(std::string_view bytes);
std::string basic(std::string_view key);  // what the Authorization header says for this key

struct Request {
    std::string method{};
    std::string target{};
    Fields headers{};
    Body body{};

    // With Host, Connection: close, and a Content-Length for what has a body
    // or should have one.
    std::string bytes() const;
};

// What is expected of the answer: one to HEAD announces a body and has none.
enum class Expect { body, no_body };

inline constexpr std::chrono::seconds kDeadline{60};

class Connection {
public:
    // From another address than 127.0.0.1, if it is given: all of 127.0.0.0/8 is this machine.
    explicit Connection(std::uint16_t port, const std::string& source = "");
    // To a unix socket, for what is not HTTP: only send(), finish(), receive_line() and
    // receive_all() then.
    explicit Connection(const std::string& path);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // A peer that has answered already may close before it has read all: what
    // could not be sent is dropped then, and receive() finds the answer.
    void send(std::string_view bytes, std::chrono::milliseconds deadline = kDeadline);
    // Whether the other program on this machine has taken all that was sent from its socket.
    bool is_taken() const;
    void finish();  // half-closes: nothing more will be sent
    Answer receive(Expect expect = Expect::body, std::chrono::milliseconds deadline = kDeadline);
    // Of a protocol that speaks lines: the next one, without its LF.
    std::string receive_line(std::chrono::milliseconds deadline = kDeadline);
    // Everything up to the end of the connection, as it is: several answers, or what is none.
    std::string receive_all(std::chrono::milliseconds deadline = kDeadline);

private:
    friend bool are_taken(const std::vector<std::unique_ptr<Connection>>& connections);

    void connect(const sockaddr& address, socklen_t size, const std::string& name);
    std::string own_end() const;
    bool read_some(std::chrono::milliseconds wait);

    int socket_;
    bool ended_ = false;
    std::string sent_;  // its first line, or as much of that as was sent
    std::string received_;
};

// So many, each of which has sent that. From several addresses: one alone has not so many ports.
using Connections = std::vector<std::unique_ptr<Connection>>;
Connections open_many(std::uint16_t port, std::size_t count, const std::string& bytes);
// is_taken() of all of them. Reads the kernel's table once, which is long where other tests run.
bool are_taken(const Connections& connections);

class Server {
public:
    explicit Server(std::uint16_t port) : port_{port} {}

    std::uint16_t port() const { return port_; }
    Answer send(const Request& request) const;
    Answer send_bytes(std::string_view bytes, Expect expect = Expect::body) const;

private:
    std::uint16_t port_;
};

// Each request on a connection and a thread of its own, all of them at once.
std::vector<Answer> send_all(const Server& server, const std::vector<Request>& requests);

}  // namespace http
