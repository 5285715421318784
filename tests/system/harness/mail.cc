#include "system/harness/mail.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <stdexcept>
#include <utility>

#include <unistd.h>

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>

namespace mail {
namespace {

// s_client writes its own messages, and what the server says before STARTTLS, to its standard
// error.
process::Arguments tunnel(const Endpoint& endpoint, const std::string& protocol)
{
    process::Arguments command{"sh",
                               "-c",
                               "exec openssl s_client \"$@\" 2>/dev/null",
                               "tunnel",
                               "-quiet",
                               "-verify_quiet",
                               "-verify_return_error",
                               "-CAfile",
                               endpoint.certificate,
                               "-connect",
                               "127.0.0.1:" + std::to_string(endpoint.port)};
    if (endpoint.tls == Tls::starttls) {
        command.insert(command.end(), {"-starttls", protocol});
    }
    return command;
}

// Returns the text as a quoted string of IMAP.
std::string as_text(std::string_view text)
{
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    return quoted + "\"";
}

std::string plain(const std::string& user, const std::string& password)
{
    return http::base64(std::string{'\0'} + user + '\0' + password);
}

// Returns the size of the literal that a line announces at its end, as in "{123}"; empty if it
// announces none.
std::size_t literal(std::string_view line)
{
    const auto brace = line.rfind('{');
    std::size_t size = 0;
    if (brace == std::string_view::npos || !line.ends_with('}')) {
        return 0;
    }
    const auto [end, error] =
        std::from_chars(line.data() + brace + 1, line.data() + line.size() - 1, size);
    return error == std::errc{} && end == line.data() + line.size() - 1 ? size : 0;
}

}  // namespace

Wire::Wire(const Endpoint& endpoint, const std::string& protocol)
{
    if (endpoint.tls == Tls::none) {
        in_clear_ = std::make_unique<http::Connection>(endpoint.port, endpoint.source);
    } else {
        encrypted_ = std::make_unique<process::Child>(tunnel(endpoint, protocol));
    }
}

void Wire::send(std::string_view bytes)
{
    if (in_clear_) {
        in_clear_->send(bytes);
    } else {
        encrypted_->write(bytes);
    }
}

void Wire::send_line(std::string_view line)
{
    send(std::string{line} + "\r\n");
}

std::string Wire::line()
{
    if (rest_) {
        return *std::exchange(rest_, std::nullopt);
    }
    std::string line =
        in_clear_ ? in_clear_->receive_line() : encrypted_->read_line(http::kDeadline);
    if (!line.ends_with('\r')) {
        throw std::runtime_error{"a line that ends without CR: " + line};
    }
    line.pop_back();
    return line;
}

std::string Wire::bytes(std::size_t count)
{
    std::string bytes;
    while (bytes.size() < count + 2) {
        bytes += line() + "\r\n";
    }
    rest_ = bytes.substr(count, bytes.size() - count - 2);
    return bytes.substr(0, count);
}

std::string Wire::all()
{
    return in_clear_->receive_all(http::kDeadline);
}

Smtp::Smtp(const Endpoint& endpoint, std::string_view hello) : wire_{endpoint, "smtp"}
{
    if (endpoint.tls != Tls::starttls) {
        answer();
    }
    welcome_ = ask(std::string{hello} + " client.example.net");
}

std::string Smtp::answer()
{
    std::string all;
    while (true) {
        const std::string line = wire_.line();
        all += (all.empty() ? "" : "\n") + line;
        if (line.size() < 4 || line[3] != '-') {
            return all;
        }
    }
}

std::string Smtp::ask(std::string_view line)
{
    wire_.send_line(line);
    return answer();
}

std::string Smtp::login(const std::string& user, const std::string& password)
{
    return ask("AUTH PLAIN " + plain(user, password));
}

std::string Smtp::send(const std::string& from, const std::vector<std::string>& to,
                       std::string_view message)
{
    std::vector<std::string> commands{"MAIL FROM:<" + from + ">"};
    for (const auto& address : to) {
        commands.push_back("RCPT TO:<" + address + ">");
    }
    for (const auto& command : commands) {
        const auto answer = ask(command);
        if (answer[0] != '2') {
            ask("RSET");
            return answer;
        }
    }
    return data(message);
}

std::string Smtp::data(std::string_view message)
{
    if (const auto answer = ask("DATA"); answer[0] != '3') {
        return answer;
    }
    std::string bytes = (message.starts_with('.') ? "." : "") + std::string{message};
    for (auto at = bytes.find("\r\n."); at != std::string::npos; at = bytes.find("\r\n.", at + 4)) {
        bytes.insert(at + 2, ".");
    }
    wire_.send(bytes + (bytes.ends_with("\r\n") ? "" : "\r\n") + ".\r\n");
    return answer();
}

Imap::Imap(const Endpoint& endpoint) : wire_{endpoint, "imap"}
{
    if (endpoint.tls != Tls::starttls) {
        greeting_ = wire_.line();
    }
}

std::string Imap::Response::text() const
{
    std::string text;
    for (const auto& line : lines) {
        text += line + "\n";
    }
    return text + result;
}

Imap::Response Imap::ask(const std::string& command)
{
    const std::string tag = "a" + std::to_string(++count_) + " ";
    wire_.send_line(tag + command);
    Response answer;
    while (true) {
        std::string line = wire_.line();
        if (line.starts_with(tag)) {
            answer.result = line.substr(tag.size());
            return answer;
        }
        while (const std::size_t size = literal(line)) {
            answer.literals.push_back(wire_.bytes(size));
            line += wire_.line();
        }
        answer.lines.push_back(line);
    }
}

std::string Imap::login(const std::string& user, const std::string& password)
{
    return ask("LOGIN " + as_text(user) + " " + as_text(password)).result;
}

std::size_t Imap::select(const std::string& folder)
{
    const auto answer = ask("SELECT " + as_text(folder));
    for (const auto& line : answer.lines) {
        if (line.ends_with(" EXISTS")) {
            return std::stoul(line.substr(2));
        }
    }
    throw std::runtime_error{"SELECT " + folder + ": " + answer.text()};
}

std::string Imap::message(std::size_t number)
{
    const auto answer = ask("FETCH " + std::to_string(number) + " BODY.PEEK[]");
    if (answer.literals.size() != 1) {
        throw std::runtime_error{"FETCH " + std::to_string(number) + ": " + answer.text()};
    }
    return answer.literals.front();
}

std::string Imap::append(const std::string& folder, std::string_view message)
{
    return ask("APPEND " + as_text(folder) + " {" + std::to_string(message.size()) + "+}\r\n"
               + std::string{message})
        .result;
}

std::string Imap::expunge()
{
    ask("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    return ask("EXPUNGE").result;
}

Pop3::Pop3(const Endpoint& endpoint) : wire_{endpoint, "pop3"}
{
    if (endpoint.tls != Tls::starttls) {
        wire_.line();
    }
}

std::string Pop3::ask(std::string_view line)
{
    wire_.send_line(line);
    return wire_.line();
}

std::string Pop3::login(const std::string& user, const std::string& password)
{
    const auto answer = ask("USER " + user);
    return answer.starts_with("+OK") ? ask("PASS " + password) : answer;
}

std::size_t Pop3::messages()
{
    return std::stoul(ask("STAT").substr(4));
}

std::string Pop3::list(const std::string& command)
{
    const auto answer = ask(command);
    if (!answer.starts_with("+OK")) {
        throw std::runtime_error{command + ": " + answer};
    }
    std::string lines;
    for (std::string line = wire_.line(); line != "."; line = wire_.line()) {
        lines += line.substr(line.starts_with('.') ? 1 : 0) + "\r\n";
    }
    return lines;
}

std::string Pop3::message(std::size_t number)
{
    return list("RETR " + std::to_string(number));
}

void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work)
{
    std::atomic<std::size_t> next{0};
    std::vector<std::future<void>> all;
    for (std::size_t i = 0; i < threads; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            for (auto n = next++; n < count; n = next++) {
                work(n);
            }
        }));
    }
    for (auto& each : all) {
        each.get();  // rethrows what the work has thrown
    }
}

std::string fill(std::string text, const std::vector<std::pair<std::string, std::string>>& values)
{
    for (const auto& [word, value] : values) {
        for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) {
            text.replace(at, word.size(), value);
        }
    }
    return text;
}

std::string lower(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::string upper(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    return text;
}

std::string message(const std::string& subject, std::string_view body)
{
    constexpr std::string_view kSpecial =
        "One line.\r\n.\r\n..\r\n.dots\r\n\r\nFrom the past: na\xC3\xAFve \xFF\r\n\r\n";
    return "From: Somebody <you@example.net>\r\nTo: alice@example.net\r\nSubject: " + subject
           + "\r\nDate: Thu, 06 Oct 2011 10:22:36 +0000\r\nMessage-Id: <" + story::unique("message")
           + "@example.net>\r\n\r\n" + std::string{body.empty() ? kSpecial : body};
}

boost::unit_test::precondition needs_mail()
{
    return boost::unit_test::precondition{[](boost::unit_test::test_unit_id /*id*/) {
        boost::test_tools::assertion_result result{stack::with_mail().has_setting("SMTP_PORT")};
        result.message() << "there is no Postfix in the stack";
        return result;
    }};
}

boost::unit_test::precondition needs_mariadb()
{
    return boost::unit_test::precondition{[](boost::unit_test::test_unit_id /*id*/) {
        const auto* const server = std::getenv("TEST_MYSQLD");
        return story::has(process::run({server != nullptr && *server != '\0' ? server : "mariadbd",
                                        "--no-defaults", "--version"})
                              .out,
                          "MariaDB");
    }};
}

namespace {

const char* const kComplaints[] = {
    " Error: ", " Fatal: ", " Panic: ", " warning: ", " error: ", " fatal: ", " panic: "};
// Complaints that are no fault of the stack. Postfix warns of every wrong password, and of a clock
// that was set back a little since a file was written, as on virtual machines. Dovecot reports that
// logins wait for the database on a loaded machine.
const char* const kUsual[] = {"SASL PLAIN authentication failed", "file system clock is",
                              "resetting file time stamps", "Auth request was queued for "};

void check_complaints(const stack::Log& log, std::size_t begin,
                      const std::vector<std::string>& expected)
{
    const auto has_one_of = [](const std::string& line, const auto& words) {
        return std::any_of(std::begin(words), std::end(words),
                           [&](const auto& word) { return line.find(word) != std::string::npos; });
    };
    for (const auto& line : log.lines_since(begin)) {
        BOOST_TEST((!has_one_of(line, kComplaints) || has_one_of(line, kUsual)
                    || has_one_of(line, expected)),
                   line);
    }
}

}  // namespace

bool dovecot_is_24()
{
    static const bool is_24 = !process::run({"dovecot", "--version"}).out.starts_with("2.3.");
    return is_24;
}

// A janitor that is halted within a transaction would keep its locks, and changes would wait for
// them. So it continues in that case and is halted a little later. InnoDB repeats its last answer
// to a query within 100 ms, so the intervals are longer.
Halt::Halt(const stack::Stack& stack)
{
    const std::vector<pid_t> janitor{stack.part("janitor")};
    BOOST_TEST_REQUIRE(process::eventually([&] {
        stopped_.emplace(janitor);
        ::poll(nullptr, 0, 110);
        const bool is_idle =
            stack.value(
                "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
                " ON p.id = t.trx_mysql_thread_id WHERE p.user = 'mailboxd_janitor'")
            == "0";
        if (!is_idle) stopped_.reset();
        return is_idle;
    }));
}

Story::Story(stack::Stack& its_stack)
    : story::Story{its_stack}, dovecot{its_stack.directory() / "log" / "dovecot.log"},
      dovecot_begin{dovecot.mark()}, postfix{its_stack.directory() / "log" / "postfix.log"},
      postfix_begin{postfix.mark()}
{
}

void Story::replace_weak_hashes() const
{
    stack.sql(
        "UPDATE mailbox SET password = '{SHA512-CRYPT}replaced' WHERE password LIKE '{MD5%' OR"
        " password LIKE '{SMD5%' OR password LIKE '{PLAIN-MD%' OR password LIKE '{LDAP-MD5%' OR"
        " password LIKE '{DES%' OR password LIKE '{CRYPT}%'");
}

void Story::teardown()
{
    story::Story::teardown();
    check_complaints(dovecot, dovecot_begin, expected);
    check_complaints(postfix, postfix_begin, expected);
    const auto id = boost::unit_test::framework::current_test_case().p_id;
    if (!boost::unit_test::results_collector.results(id).passed()) {
        for (const auto& line : dovecot.lines_since(dovecot_begin)) {
            BOOST_TEST_MESSAGE("dovecot.log: " << line);
        }
        for (const auto& line : postfix.lines_since(postfix_begin)) {
            BOOST_TEST_MESSAGE("postfix.log: " << line);
        }
    }
}

Endpoint Story::endpoint(const std::string& name, Tls tls) const
{
    return {stack.port(name + "_PORT"), tls, stack.setting("TLS_CERT")};
}

Smtp Story::submission(const std::string& user, const std::string& password) const
{
    Smtp client{endpoint("SUBMISSION")};
    BOOST_TEST_REQUIRE(client.login(user, password) == "235 2.7.0 Authentication successful");
    return client;
}

Imap Story::imap(const std::string& user, const std::string& password) const
{
    Imap client{endpoint("IMAP")};
    const auto answer = client.login(user, password);
    BOOST_TEST_REQUIRE(answer.starts_with("OK "), user << ": " << answer);
    return client;
}

Pop3 Story::pop3(const std::string& user, const std::string& password) const
{
    Pop3 client{endpoint("POP3")};
    const auto answer = client.login(user, password);
    BOOST_TEST_REQUIRE(answer.starts_with("+OK "), user << ": " << answer);
    return client;
}

boost::test_tools::assertion_result Story::is_refused(const std::string& user,
                                                      const std::string& password) const
{
    auto by_smtp = std::async(std::launch::async,
                              [&] { return Smtp{endpoint("SUBMISSION")}.login(user, password); });
    auto by_imap = std::async(std::launch::async,
                              [&] { return Imap{endpoint("IMAP")}.login(user, password); });
    auto by_pop3 = std::async(std::launch::async,
                              [&] { return Pop3{endpoint("POP3")}.login(user, password); });
    const std::string smtp = by_smtp.get();
    const std::string imap = by_imap.get();
    const std::string pop3 = by_pop3.get();
    boost::test_tools::assertion_result result{smtp.starts_with("535 5.7.8 ")
                                               && imap.starts_with("NO [AUTHENTICATIONFAILED]")
                                               && pop3.starts_with("-ERR [AUTH]")};
    result.message() << smtp << "; " << imap << "; " << pop3;
    return result;
}

void Story::deliver(const std::string& address, std::string_view message) const
{
    const auto before = messages(address);
    const auto answer = smtp().send("you@example.net", {address}, message);
    BOOST_TEST_REQUIRE(answer.starts_with("250 "), address << ": " << answer);
    BOOST_TEST(process::eventually([&] { return messages(address) == before + 1; }), address);
}

std::size_t Story::messages(const std::string& address) const
{
    const auto count =
        stack.value("SELECT COALESCE(MAX(messages), 0) FROM mailbox_usage WHERE storage_id = "
                    + stack::quote(inside(address).substr(0, 32)));
    return std::stoul(count);
}

std::string Story::login_name(const std::string& address) const
{
    const auto name = inside(address);
    return name.substr(0, 32) + "."
           + stack.value("SELECT generation FROM mailbox WHERE storage_id = "
                         + stack::quote(name.substr(0, 32)))
           + name.substr(32);
}

std::string Story::inside(const std::string& address) const
{
    const auto at = address.rfind('@');
    return stack.value("SELECT COALESCE(MAX(CONCAT(m.storage_id, '@', d.name)), '') FROM mailbox m"
                       " JOIN domain d ON d.id = m.domain_id WHERE m.local_part = "
                       + stack::quote(address.substr(0, at))
                       + " AND d.name = " + stack::quote(address.substr(at + 1)));
}

std::int64_t Story::size_of(const story::Tenant& tenant, const std::string& name) const
{
    for (const auto& item : answers::page(list(tenant, "?limit=1000")).items) {
        if (item.mailbox == tenant.address(name)) {
            return item.size_bytes;
        }
    }
    return -1;
}

std::int64_t Story::counted(const std::string& address) const
{
    const auto ended =
        doveadm({"-f", "flow", "mailbox", "status", "-t", "-u", address, "vsize", "*"});
    BOOST_TEST_REQUIRE(ended.out.starts_with("vsize="), ended.out << ended.err);
    return std::stoll(ended.out.substr(6));
}

process::Ended Story::doveadm(const process::Arguments& arguments) const
{
    process::Arguments all{"doveadm", "-c", stack.setting("DOVECOT_CONF")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return process::run(all);
}

std::vector<std::string> Story::postmap(const std::vector<std::string>& keys,
                                        const std::string& file) const
{
    std::string input;
    for (const auto& key : keys) {
        input += key + "\n";
    }
    const auto directory = stack.setting("POSTFIX_CONF");
    const auto ended = process::run(
        as_root({"postmap", "-c", directory, "-q", "-", "mysql:" + directory + "/" + file}),
        {.input = input});
    BOOST_TEST_REQUIRE(ended.err.empty(), file << ": " << ended.err);
    std::vector<std::string> values;
    for (const auto& key : keys) {
        const auto line = ("\n" + ended.out).find("\n" + key + "\t");
        const auto value = line + key.size() + 1;
        values.push_back(line == std::string::npos
                             ? ""
                             : ended.out.substr(value, ended.out.find('\n', value) - value));
    }
    return values;
}

namespace {

// True if the previous story left a working stack.
bool is_whole = false;

stack::Stack& mended()
{
    auto& stack = stack::with_mail();
    if (!is_whole) {
        stack.up();
    }
    is_whole = false;
    return stack;
}

}  // namespace

Breaking::Breaking() : Story{mended()} {}

void Breaking::teardown()
{
    stack.up();
    is_whole = true;
    check_counters();
    show_log_of_failure();
}

void Breaking::stop_database() const
{
    const auto database = stack.part("mariadb");
    ::kill(database, SIGKILL);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(database); }));
}

void Breaking::stop_dovecot() const
{
    const auto master = stack.part("dovecot");
    ::kill(master, SIGTERM);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(master); }));
}

bool is_queue_empty(const stack::Stack& stack)
{
    return process::run(as_root({"postqueue", "-c", stack.setting("POSTFIX_CONF"), "-j"}))
        .out.empty();
}

void flush(const stack::Stack& stack)
{
    const auto ended =
        process::run(as_root({"postqueue", "-c", stack.setting("POSTFIX_CONF"), "-f"}));
    if (ended.exit != 0) {
        throw std::runtime_error{"postqueue -f: " + ended.err};
    }
}

process::Arguments as_root(process::Arguments command)
{
    if (::geteuid() != 0) {
        command.insert(command.begin(), {"sudo", "--"});
    }
    return command;
}

}  // namespace mail
