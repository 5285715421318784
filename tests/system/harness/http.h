// http.h - the HTTP client of the stories.
//
// It sends exactly the bytes that it is given, so that stories can play old and hostile clients,
// and it reads answers strictly. Each request has its own connection, to loopback only. Every wait
// has a deadline. An answer that violates HTTP throws. A connection that ends without an answer is
// an answer with status 0.
//
// If the environment has TEST_EXCHANGES=FILE, each answer is appended to that file together with
// its request line, as one line of JSON. tests/npm/openapi.js checks them against the OpenAPI
// document.

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
    // the first header of that name; empty if there is none
    std::string header(std::string_view name) const;
};

// A body and its Content-Type. If `type` is empty, no Content-Type is sent.
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
std::string basic(std::string_view key);  // Returns the Authorization header's value for this key.

struct Request {
    std::string method{};
    std::string target{};
    Fields headers{};
    Body body{};

    // Returns the request's bytes, with Host and Connection: close. Content-Length is added if the
    // request has a body or its method requires one.
    std::string bytes() const;
};

// Whether the answer has a body. The answer to HEAD announces a body and has none.
enum class Expect { body, no_body };

inline constexpr std::chrono::seconds kDeadline{60};

class Connection {
public:
    // Connects from `source`, an address in 127.0.0.0/8; from 127.0.0.1 if it is empty.
    explicit Connection(std::uint16_t port, const std::string& source = "");
    // Connects to a unix socket, for protocols other than HTTP. Only send(), finish(),
    // receive_line() and receive_all() work on such a connection.
    explicit Connection(const std::string& path);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Sends these bytes. A peer that has already answered may close before it has read everything;
    // the remaining bytes are then dropped, and receive() returns the answer.
    void send(std::string_view bytes, std::chrono::milliseconds deadline = kDeadline);
    // True if the peer, a program on this machine, has read everything that was sent.
    bool is_taken() const;
    void finish();  // closes the sending direction only
    Answer receive(Expect expect = Expect::body, std::chrono::milliseconds deadline = kDeadline);
    // Returns the next line of a line-based protocol, without its LF.
    std::string receive_line(std::chrono::milliseconds deadline = kDeadline);
    // Returns everything up to the end of the connection, unparsed.
    std::string receive_all(std::chrono::milliseconds deadline = kDeadline);

private:
    friend bool are_taken(const std::vector<std::unique_ptr<Connection>>& connections);

    void connect(const sockaddr& address, socklen_t size, const std::string& name);
    std::string own_end() const;
    bool read_some(std::chrono::milliseconds wait);

    int socket_;
    bool ended_ = false;
    std::string sent_;  // the first line of what was sent, as far as it was sent
    std::string received_;
};

// Opens `count` connections and sends `bytes` on each. They come from several addresses, because
// one address has too few ports.
using Connections = std::vector<std::unique_ptr<Connection>>;
Connections open_many(std::uint16_t port, std::size_t count, const std::string& bytes);
// True if is_taken() holds for all of them. Reads the kernel's table only once, because that table
// is long while other tests run.
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

// Sends all requests at once, each on its own connection and thread.
std::vector<Answer> send_all(const Server& server, const std::vector<Request>& requests);

// The same, but repeats each request that was refused because too many changes were waiting: such
// an answer says that nothing was changed and asks to try again, and a busy machine has reason for
// it. Gives up repeating after two minutes.
std::vector<Answer> send_all_patiently(const Server& server, const std::vector<Request>& requests);

}  // namespace http
