// mail.h - the mail programs that the stories play: one that hands in messages (SMTP, submission,
// LMTP) and readers over IMAP and POP3; and what a story about mail stands on.
//
// Lines over loopback, in clear or through `openssl s_client`. Everything has a deadline. A refusal
// is an answer like any other, its text returned; what breaks the protocol, or ends the connection,
// throws.

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
    std::string certificate{};  // the file of the one that is expected, for TLS
    std::string source{};       // the address to come from, in clear
};

class Wire {
public:
    Wire(const Endpoint& endpoint,
         const std::string& protocol);  // as s_client's -starttls names it

    void send(std::string_view bytes);
    void send_line(std::string_view line);
    std::string line();
    std::string bytes(std::size_t count);  // that a line announced; more has to follow them
    std::string all();  // until the server ends the connection, which is in clear

private:
    std::unique_ptr<http::Connection> in_clear_;
    std::unique_ptr<process::Child> encrypted_;
    std::optional<std::string> rest_;  // of a line that bytes() took the beginning of
};

// One that hands in messages. An answer is all its lines, joined by newlines: "250 2.1.0 Ok".
class Smtp {
public:
    explicit Smtp(const Endpoint& endpoint, std::string_view hello = "EHLO");  // LHLO makes it LMTP

    const std::string& welcome() const { return welcome_; }  // what the server can do
    std::string ask(std::string_view line);
    std::string login(const std::string& user, const std::string& password);
    // The first refusal, or the answer to the message's end. With LMTP for one recipient only.
    std::string send(const std::string& from, const std::vector<std::string>& to,
                     std::string_view message);
    std::string data(
        std::string_view message);  // the end of it, for who has said MAIL and RCPT already

private:
    std::string answer();

    Wire wire_;
    std::string welcome_;
};

class Imap {
public:
    struct Response {
        std::string result{};              // "OK …", "NO …", "BAD …", without the tag
        std::vector<std::string> lines{};  // what came before it; a literal follows on its line
        std::vector<std::string> literals{};

        std::string text() const;  // all of the lines, and the result
    };

    explicit Imap(const Endpoint& endpoint);

    const std::string& greeting() const { return greeting_; }
    Response ask(const std::string& command);
    std::string login(const std::string& user, const std::string& password);
    std::size_t select(const std::string& folder = "INBOX");  // how many messages it has
    std::string message(std::size_t number);                  // of the folder that is selected
    std::string append(const std::string& folder, std::string_view message);
    std::string expunge();  // all that is in the folder that is selected
    std::string end()
    {
        return wire_.all();
    }  // waits for the server to end the session; what it said

private:
    Wire wire_;
    std::string greeting_;
    int count_ = 0;
};

class Pop3 {
public:
    explicit Pop3(const Endpoint& endpoint);

    std::string ask(std::string_view line);  // "+OK …" or "-ERR …"
    std::string login(const std::string& user, const std::string& password);  // the answer to PASS
    std::size_t messages();
    std::string message(std::size_t number);
    std::string list(const std::string& command);  // any answer of many lines
    std::string end() { return wire_.all(); }      // as Imap's

private:
    Wire wire_;
};

// Calls work(0) to work(count - 1), so many at a time. What they find has to be kept until they are
// done: checks are for one thread only.
void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work);

// The text with each of these words replaced by what stands beside it.
std::string fill(std::string text, const std::vector<std::pair<std::string, std::string>>& values);
std::string lower(std::string text);
std::string upper(std::string text);

// A whole message with CRLF at the ends of its lines. Without a body of its own it gets one with
// what is special: lines of dots, bytes beyond ASCII, an empty end.
std::string message(const std::string& subject, std::string_view body = "");

// A story on the stack that has mail. Where the machine has another mailer than Postfix, the stack
// leaves SMTP out, and these stories are skipped: `*needs_mail()`.
boost::unit_test::precondition needs_mail();

// Whether the installed Dovecot is configured as 2.4 is, and not as 2.3.
bool dovecot_is_24();

// Halts the janitor while it exists: a session that should have ended goes on until then.
class Halt {
public:
    explicit Halt(const stack::Stack& stack);

private:
    std::optional<process::Stopped> stopped_;
};

struct Story : story::Story {
    explicit Story(stack::Stack& its_stack = stack::with_mail());
    void teardown();

    Endpoint endpoint(const std::string& name,
                      Tls tls = Tls::none) const;  // SMTP, SUBMISSIONS, and so on
    Smtp smtp() const { return Smtp{endpoint("SMTP")}; }
    Smtp submission(const std::string& user, const std::string& password = story::kPassword) const;
    Imap imap(const std::string& user, const std::string& password = story::kPassword) const;
    Pop3 pop3(const std::string& user, const std::string& password = story::kPassword) const;
    // By all three, for one reason or another. At the same time, since each refusal takes two
    // seconds.
    boost::test_tools::assertion_result is_refused(const std::string& user,
                                                   const std::string& password) const;

    // From somebody outside, by SMTP; then in the mailbox.
    void deliver(const std::string& address, std::string_view message) const;
    std::size_t messages(const std::string& address) const;  // as Dovecot told the database
    std::string inside(const std::string& address)
        const;  // its name inside Dovecot; empty if there is no such mailbox
    std::string login_name(const std::string& address) const;  // as it is now for who logs in
    std::int64_t size_of(const story::Tenant& tenant,
                         const std::string& name) const;  // as the list tells it; or -1
    std::int64_t counted(
        const std::string& address) const;  // as Dovecot counts it, over all folders

    process::Ended doveadm(const process::Arguments& arguments) const;
    // What a file of sql/postfix answers to each; empty: nothing.
    std::vector<std::string> postmap(const std::vector<std::string>& keys,
                                     const std::string& file) const;

    stack::Log dovecot;
    std::size_t dovecot_begin;
    stack::Log postfix;
    std::size_t postfix_begin;
    std::vector<std::string>
        expected;  // words of the complaints in their logs that the story means to cause
};

// A story that breaks the house with mail, of which its parts may complain. It begins with a whole
// one, and leaves one behind: what has ended is started again, on the same data.
struct Breaking : Story {
    Breaking();
    void teardown();

    void stop_database() const;  // as a crash would
    void stop_dovecot() const;
};

bool is_queue_empty(const stack::Stack& stack);  // nothing waits in Postfix
void flush(const stack::Stack& stack);           // what waits is tried at once

// The command, by sudo where we are not root.
process::Arguments as_root(process::Arguments command);

}  // namespace mail
