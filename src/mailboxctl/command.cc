#include "mailboxctl/command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iomanip>
#include <iostream>

#include "base/strings.h"

namespace command {
namespace {

std::string or_empty(const std::string& text)
{
    return text.empty() ? "an empty text" : text;
}

}  // namespace

mailbox::Domain Call::domain(const std::string& name) const
{
    const auto parsed = mailbox::Domain::parse(name);
    if (!parsed)
        throw admin::Refused(
            or_empty(name)
            + " is not a domain name; an internationalised name must be valid by IDNA 2008");
    return *parsed;
}

mailbox::Address Call::address(const std::string& text) const
{
    const auto at = text.rfind('@');
    if (at == std::string::npos)
        throw admin::Refused(or_empty(text) + " is not an address: it has no @");
    return address_in(text, text.substr(at + 1));
}

mailbox::Address Call::address_in(const std::string& text, const std::string& domain_name) const
{
    const auto its_domain = domain(domain_name);
    try {
        return mailbox::Address::parse(text, its_domain);
    } catch (const mailbox::Invalid&) {
        throw admin::Refused(or_empty(text) + " is not a valid address for a mailbox in "
                             + its_domain.name());
    }
}

std::string with_outcome(const admin::Refused& refused)
{
    const std::string sentence{refused.what()};
    if (refused.outcome == admin::Refused::Outcome::said) return sentence;
    return sentence + (sentence.ends_with('.') ? " Nothing was changed." : "; nothing was changed");
}

[[noreturn]] void refuse_absent(const mailbox::Address& address)
{
    throw admin::Refused("there is no mailbox " + address.text() + "; mailboxctl mailbox list "
                         + address.domain() + " lists those that exist");
}

std::pair<std::string, std::string> setting(const std::string& text)
{
    const auto equals = text.find('=');
    if (equals == std::string::npos)
        throw WrongUsage("a setting has the form NAME=VALUE, such as max_mailboxes=100");
    return {text.substr(0, equals), text.substr(equals + 1)};
}

po::options_description no_options()
{
    return po::options_description{};
}

po::options_description json_option()
{
    po::options_description options;
    options.add_options()("json", "print JSON");
    return options;
}

const char kSuspendDetails[] =
    "Nobody can log in over IMAP, POP3 or submission. Open IMAP and POP3 sessions are ended within two seconds. Mail still\n"
    "arrives, unless --disabled is given: then it is deferred (450). Account, domain and mailbox are suspended independently:\n"
    "a mailbox works again only when each of the three has been resumed. Idle submission sessions, and sessions that were not\n"
    "ended yet, continue after a resume; after the suspension of the mailbox itself every client must log in again.";

po::options_description disabled_option()
{
    po::options_description options;
    add_disabled_option(options);
    return options;
}

void add_disabled_option(po::options_description& options)
{
    options.add_options()("disabled", "defer mail, too: senders get 450 and try again later");
}

mailbox::State suspended(const Call& call)
{
    return call.has("disabled") ? mailbox::State::disabled : mailbox::State::no_login;
}

// --- output ---------------------------------------------------------------------------

std::string state_sentence(const std::string& what, const std::string& command,
                           const std::string& name, mailbox::State wanted, mailbox::State now,
                           const std::vector<admin::Admin::Suspended>& above)
{
    const std::string text{mailbox::text(now)};
    if (now != wanted) {
        return what + " stays " + text
               + ", which is stricter; nothing was changed. To accept mail again: mailboxctl "
               + command + " resume " + strings::for_shell(name)
               + ", then suspend it without --disabled.";
    }
    auto sentence = what + " is " + text + ".";
    for (const auto& [level, its_name, state] : above) {
        sentence += " Its " + level + " " + its_name + " is still " + state + "; mailboxctl "
                    + level + " resume " + strings::for_shell(its_name) + " resumes it.";
    }
    return sentence;
}

namespace {

std::string text_of(const json::Value& value)
{
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    const auto* const text = std::get_if<std::string>(&value);
    return text == nullptr || text->empty() ? "-" : *text;
}

void print_row(const std::vector<std::string>& row, const std::vector<std::size_t>& widths)
{
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
        std::cout << row[i] << std::string(widths[i] + 2 - strings::characters(row[i]), ' ');
    std::cout << row.back() << '\n';
}

void widen(std::vector<std::size_t>& widths, const std::vector<std::string>& row)
{
    for (std::size_t i = 0; i < row.size(); ++i)
        widths[i] = std::max(widths[i], strings::characters(row[i]));
}

}  // namespace

void print(const admin::Table& table)
{
    std::vector<std::size_t> widths(table.front().size());
    for (const auto& row : table) widen(widths, row);
    for (const auto& row : table) print_row(row, widths);
}

Listing::Listing(const Call& call, std::vector<const char*> names)
    : as_json_{call.has("json")}, names_{std::move(names)}, widths_(names_.size())
{
    if (as_json_) {
        std::cout << '[';
        return;
    }
    auto& heading = waiting_.emplace_back();
    for (const auto* name : names_) heading.push_back(strings::upper_case(name));
}

void Listing::add(std::vector<json::Value> row)
{
    constexpr std::size_t kMostWaiting = 1000;
    if (as_json_) {
        json::Members members;
        for (std::size_t i = 0; i < names_.size(); ++i)
            members.emplace_back(names_[i], std::move(row[i]));
        std::cout << (std::exchange(is_first_, false) ? "\n" : ",\n")
                  << json::value_of(members).json;
        if (!std::cout) throw OutputLost{};
        return;
    }
    auto& line = waiting_.emplace_back();
    for (const auto& value : row) line.push_back(text_of(value));
    if (waiting_.size() >= kMostWaiting) flush();
}

void Listing::flush()
{
    for (const auto& row : waiting_) widen(widths_, row);
    for (const auto& row : waiting_) print_row(row, widths_);
    waiting_.clear();
    if (!std::cout) throw OutputLost{};
}

void Listing::finish()
{
    if (as_json_) std::cout << "\n]\n";
    else flush();
}

void show(const Call& call, const json::Members& members)
{
    if (call.has("json")) {
        std::cout << json::object(members);
        return;
    }
    std::size_t width = 0;
    for (const auto& [name, value] : members) width = std::max(width, std::strlen(name));
    for (const auto& [name, value] : members) {
        std::cout << std::left << std::setw(static_cast<int>(width) + 2) << name << text_of(value)
                  << '\n';
    }
}

void tell(const Call& call, const std::string& sentence, const json::Members& members)
{
    if (!call.has("json")) {
        std::cout << sentence << '\n';
        return;
    }
    json::Members all{{"message", sentence}};
    all.insert(all.end(), members.begin(), members.end());
    std::cout << json::object(all);
}

json::Value time_value(std::int64_t seconds)
{
    return seconds == 0 ? json::Value{} : json::Value{admin::time_text(seconds)};
}

json::Value size_value(std::optional<std::int64_t> bytes)
{
    return bytes ? json::Value{*bytes} : json::Value{};
}

// --- passwords ------------------------------------------------------------------------

namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr char kControlC = 3;

class Descriptor {
public:
    Descriptor(const std::string& path, int flags)
        : number_{::open(path.c_str(), flags | O_CLOEXEC)}
    {
        if (number_ < 0) throw admin::Refused(path + ": " + std::strerror(errno));
    }
    ~Descriptor() { ::close(number_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number() const { return number_; }

private:
    int number_;
};

// Reads one line and returns it without its end. Reads byte by byte, so that nothing after the line
// is consumed.
Secret read_line(int descriptor, const std::string& from)
{
    Secret line{kLongestLine};
    std::size_t length = 0;
    for (;;) {
        if (length == kLongestLine)
            throw admin::Refused(from + ": the line is too long for a password");
        const auto count = ::read(descriptor, line.data() + length, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw admin::Refused(from + ": " + std::strerror(errno));
        if (count == 0 || line.data()[length] == '\n') break;
        if (line.data()[length] == kControlC) throw admin::Refused("interrupted");
        ++length;
    }
    if (length > 0 && line.data()[length - 1] == '\r') --length;
    line.shrink(length);
    if (length == 0) throw admin::Refused(from + ": there is no password in its first line");
    return line;
}

// Turns off the echo of a terminal, and its signals, so that no signal ends the program before the
// terminal is restored.
class Silence {
public:
    explicit Silence(int terminal) : terminal_{terminal}
    {
        if (::tcgetattr(terminal_, &before_) != 0)
            throw admin::Refused("the terminal does not allow hidden input; use --password-file");
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        silent.c_cc[VEOL] = kControlC;  // Ctrl-C ends the line instead of sending a signal
        ::tcsetattr(terminal_, TCSAFLUSH, &silent);
    }
    ~Silence() { ::tcsetattr(terminal_, TCSAFLUSH, &before_); }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

private:
    int terminal_;
    termios before_{};
};

void write_to(int terminal, std::string_view text)
{
    if (::write(terminal, text.data(), text.size()) < 0)
        throw admin::Refused("the terminal cannot be written to");
}

Secret ask(int terminal, const std::string& prompt)
{
    auto line = [&] {
        const Silence silence{terminal};  // before the prompt
        write_to(terminal, prompt + ": ");
        return read_line(terminal, "the terminal");
    }();
    write_to(terminal, "\n");
    return line;
}

Secret from_terminal(Ask how_often, const std::string& prompt)
{
    const Descriptor terminal = [] {
        try {
            return Descriptor{"/dev/tty", O_RDWR};
        } catch (const admin::Refused&) {
            throw WrongUsage(
                "there is no terminal to ask for the password; use --password-file FILE, or - for standard input");
        }
    }();
    auto typed = ask(terminal.number(), prompt);
    if (how_often == Ask::once) return typed;
    const auto again = ask(terminal.number(), prompt + " (again)");
    if (typed.text() != again.text()) throw admin::Refused("the two passwords are not the same");
    return typed;
}

}  // namespace

void add_password_option(po::options_description& options)
{
    options.add_options()(
        "password-file", po::value<std::string>()->value_name("FILE"),
        "read the password from the first line of FILE (- for standard input) instead of asking for it");
}

Secret read_password(const Call& call, Ask how_often, const std::string& prompt)
{
    if (!call.has("password-file")) return from_terminal(how_often, prompt);
    const auto file = call.text("password-file");
    if (file == "-") return read_line(STDIN_FILENO, "standard input");
    return read_line(Descriptor{file, O_RDONLY}.number(), file);
}

}  // namespace command
