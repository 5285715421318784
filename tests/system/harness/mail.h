// mail.h - the mail clients of the stories: SMTP, submission, LMTP, IMAP and POP3; and the fixtures
// of stories about mail.
//
// The clients speak over loopback, in clear or through `openssl s_client`. Every wait has a
// deadline. A refusal is returned as text, like any other answer. A violation of the protocol or
// the end of the connection throws.

#pragma once

#include "system/harness/http.h"
#include "system/harness/process.h"
#include "system/harness/story.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mail {

enum class Tls { none, from_the_start, starttls };

struct Endpoint {
    std::uint16_t port = 0;
    Tls tls = Tls::none;
    std::string certificate{};  // for TLS: the file of the expected certificate
    std::string source{};       // in clear only: the local address to connect from
};

class Wire {
public:
    // `protocol` is a name that s_client's -starttls takes.
    Wire(const Endpoint& endpoint, const std::string& protocol);

    void send(std::string_view bytes);
    void send_line(std::string_view line);
    std::string line();
    // of a literal that a line announced; more bytes follow it
    std::string bytes(std::size_t count);
    std::string all();  // everything until the server closes the connection; in clear only

private:
    std::unique_ptr<http::Connection> in_clear_;
    std::unique_ptr<process::Child> encrypted_;
    std::optional<std::string> rest_;  // the rest of a line whose beginning bytes() has returned
};

// A client that hands in messages. An answer is all its lines joined by newlines: "250 2.1.0 Ok".
class Smtp {
public:
    // With "LHLO" it speaks LMTP.
    explicit Smtp(const Endpoint& endpoint, std::string_view hello = "EHLO");

    // the answer to EHLO, which lists the server's extensions
    const std::string& welcome() const { return welcome_; }
    std::string ask(std::string_view line);
    std::string login(const std::string& user, const std::string& password);
    // Returns the first refusal, or the answer to the end of the message. LMTP: for one recipient
    // only.
    std::string send(const std::string& from, const std::vector<std::string>& to,
                     std::string_view message);
    // Sends DATA and the message, after MAIL and RCPT.
    std::string data(std::string_view message);

private:
    std::string answer();

    Wire wire_;
    std::string welcome_;
};

class Imap {
public:
    struct Response {
        std::string result{};              // "OK …", "NO …" or "BAD …", without the tag
        std::vector<std::string> lines{};  // the untagged lines; a literal is appended to its line
        std::vector<std::string> literals{};

        std::string text() const;  // all lines and the result
    };

    explicit Imap(const Endpoint& endpoint);

    const std::string& greeting() const { return greeting_; }
    Response ask(const std::string& command);
    std::string login(const std::string& user, const std::string& password);
    std::size_t select(const std::string& folder = "INBOX");  // returns the number of messages
    std::string message(std::size_t number);                  // of the selected folder
    std::string append(const std::string& folder, std::string_view message);
    std::string expunge();  // deletes every message of the selected folder
    // Waits until the server ends the session. Returns what the server said.
    std::string end() { return wire_.all(); }

private:
    Wire wire_;
    std::string greeting_;
    int count_ = 0;
};

class Pop3 {
public:
    explicit Pop3(const Endpoint& endpoint);

    std::string ask(std::string_view line);  // returns "+OK …" or "-ERR …"
    // returns the answer to PASS
    std::string login(const std::string& user, const std::string& password);
    std::size_t messages();
    std::string message(std::size_t number);
    std::string list(const std::string& command);  // returns an answer of several lines
    std::string end() { return wire_.all(); }      // like Imap::end()

private:
    Wire wire_;
};

// Calls work(0) to work(count - 1) on that many threads. `work` must not run checks, because only
// one thread may; it keeps its results until all are done.
void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work);

// Returns the text with the first word of each pair replaced by the second.
std::string fill(std::string text, const std::vector<std::pair<std::string, std::string>>& values);
std::string lower(std::string text);
std::string upper(std::string text);

// Returns a whole message with CRLF line ends. Without a body it gets one with difficult content:
// lines of dots, bytes beyond ASCII, an empty line at the end.
std::string message(const std::string& subject, std::string_view body = "");

// The precondition of stories on the stack with mail: `*needs_mail()`. If the machine has another
// mail server than Postfix, the stack leaves SMTP out and these stories are skipped.
boost::unit_test::precondition needs_mail();
// The precondition of stories on settings or programs that only MariaDB has.
boost::unit_test::precondition needs_mariadb();

// True if the installed Dovecot has the configuration format of 2.4; false if that of 2.3.
bool dovecot_is_24();

// Halts the janitor while it exists. Meanwhile sessions that should be ended continue.
class Halt {
public:
    explicit Halt(const stack::Stack& stack);

private:
    std::optional<process::Stopped> stopped_;
};

struct Story : story::Story {
    explicit Story(stack::Stack& its_stack = stack::with_mail());
    void teardown();

    // `name` is SMTP, SUBMISSIONS and so on.
    Endpoint endpoint(const std::string& name, Tls tls = Tls::none) const;
    Smtp smtp() const { return Smtp{endpoint("SMTP")}; }
    Smtp submission(const std::string& user, const std::string& password = story::kPassword) const;
    Imap imap(const std::string& user, const std::string& password = story::kPassword) const;
    Pop3 pop3(const std::string& user, const std::string& password = story::kPassword) const;
    // True if IMAP, POP3 and submission all refuse the login. They are asked in parallel, because
    // each refusal takes two seconds.
    boost::test_tools::assertion_result is_refused(const std::string& user,
                                                   const std::string& password) const;

    // Sends the message by SMTP from outside and waits until it is in the mailbox.
    void deliver(const std::string& address, std::string_view message) const;
    // the number that Dovecot reported to the database
    std::size_t messages(const std::string& address) const;
    // Returns the mailbox's user name inside Dovecot; empty if there is no such mailbox.
    std::string inside(const std::string& address) const;
    // the user name inside Dovecot that a login gets now
    std::string login_name(const std::string& address) const;
    // Returns the size that the API's list shows; -1 if the list has no such mailbox.
    std::int64_t size_of(const story::Tenant& tenant, const std::string& name) const;
    // Returns the size of all folders together, as Dovecot counts it.
    std::int64_t counted(const std::string& address) const;

    // For the end of stories that store hashes of other systems: other stories expect that
    // `mailboxctl check` finds none that is weak.
    void replace_weak_hashes() const;

    process::Ended doveadm(const process::Arguments& arguments) const;
    // Returns the result of a lookup file of sql/postfix for each key; empty if the lookup finds
    // nothing.
    std::vector<std::string> postmap(const std::vector<std::string>& keys,
                                     const std::string& file) const;

    stack::Log dovecot;
    std::size_t dovecot_begin;
    stack::Log postfix;
    std::size_t postfix_begin;
    // Words of the complaints that the story expects in the two logs.
    std::vector<std::string> expected;
};

// For stories that break parts of the stack with mail, so that its programs may log errors. Each
// begins with a working stack. Afterwards the programs that ended are started again, on the same
// data.
struct Breaking : Story {
    Breaking();
    void teardown();

    void stop_database() const;  // by SIGKILL, like a crash
    void stop_dovecot() const;
};

bool is_queue_empty(const stack::Stack& stack);  // true if Postfix has no mail waiting
void flush(const stack::Stack& stack);           // has Postfix retry the waiting mail now

// Returns the command, with sudo in front if we are not root.
process::Arguments as_root(process::Arguments command);

}  // namespace mail
