#include "peers/doveadm_program.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "base/descriptor.h"
#include "base/strings.h"

namespace doveadm_program {
namespace {

constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

// Which variables a setting expands: none, those that begin with a percent sign (2.3), or those
// that begin with %{ (2.4).
enum class Variables { none, percent, braces };

std::string quoted(const std::string& text, Variables variables)
{
    std::string value = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (static_cast<unsigned char>(c) < ' ')
            throw std::runtime_error("a name or password has a control character");
        if (c == '"' || c == '\\') value += '\\';
        const bool is_expanded =
            variables == Variables::percent
            || (variables == Variables::braces && text.substr(i + 1, 1) == "{");
        if (c == '%' && is_expanded) value += '%';
        value += c;
    }
    return value + '"';
}

}  // namespace

std::optional<Server> server_of(const std::string& url)
{
    Server server;
    std::string rest;
    constexpr std::uint16_t kImap = 143, kImaps = 993, kGreatestPort = 65535;
    for (const auto& [scheme, tls, port] :
         {std::tuple{"imap://", Tls::starttls, kImap}, {"imaps://", Tls::from_the_start, kImaps}}) {
        if (!url.starts_with(scheme)) continue;
        rest = url.substr(std::strlen(scheme));
        server.tls = tls;
        server.port = port;
    }
    if (rest.ends_with('/')) rest.pop_back();
    const auto colon = rest.rfind(':');
    const bool is_bracketed = rest.starts_with('[');
    if (colon != std::string::npos && (!is_bracketed || rest[colon - 1] == ']')) {
        const auto port = strings::whole_number(rest.substr(colon + 1), kGreatestPort);
        if (!port || *port == 0) return std::nullopt;
        server.port = static_cast<std::uint16_t>(*port);
        rest.resize(colon);
    }
    if (is_bracketed && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
    constexpr std::string_view kHost =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
    if (rest.empty() || rest.find_first_not_of(kHost) != std::string::npos) return std::nullopt;
    server.host = rest;
    return server;
}

// --- the configuration ----------------------------------------------------------------

std::string configuration(const Server& server, const Login& login, Mail mail, Syntax syntax,
                          const Home& home)
{
    const bool is_24 = syntax == Syntax::dovecot_2_4;
    std::string text;
    const auto set = [&](const std::string& name, const std::string& value) {
        text += name + " = " + value + "\n";
    };
    if (is_24) {
        set("dovecot_config_version", "2.4.0");
        set("dovecot_storage_version", "2.4.0");
        set("mail_driver", mail == Mail::imap ? "imapc" : "maildir");
        set("mail_path", mail == Mail::imap ? "" : home.path + "/Maildir");
        if (mail == Mail::maildir) set("mail_inbox_path", ".");
        if (mail == Mail::maildir) set("mailbox_list_storage_escape_char", R"("\\")");
        set("ssl_client_ca_file",
            server.authorities.empty() ? kSystemAuthorities : server.authorities);
    } else {
        set("mail_location", mail == Mail::imap ? "imapc:" : "maildir:" + home.path + "/Maildir");
        if (mail == Mail::maildir) set("mail_plugins", "listescape");
        set("imapc_features", "rfc822.size fetch-headers");
        set("ssl_client_ca_file",
            server.authorities.empty() ? kSystemAuthorities : server.authorities);
    }
    // Where doveadm's Sieve plugin is installed, it ends the synchronization if it does not know
    // where scripts are.
    if (is_24)
        text += "sieve_script personal {\n  type = personal\n  driver = file\n  path = " + home.path
                + "/sieve\n  active_path = " + home.path + "/.dovecot.sieve\n}\n";
    else
        text += "plugin {\n  sieve = file:" + home.path + "/sieve;active=" + home.path
                + "/.dovecot.sieve\n}\n";
    // By default Dovecot uses no mail of users with small numbers; ours may have one.
    for (const char* name : {"first_valid_uid", "first_valid_gid"}) set(name, "1");
    set("mail_uid", home.user);
    set("mail_gid", home.group);
    set("log_path", "/dev/stderr");
    set("namespace inbox {\n  inbox = yes\n  separator", "/\n}");
    set("mail_prefetch_count", "20");
    set("imapc_host", quoted(server.host, Variables::none));
    set("imapc_port", std::to_string(server.port));
    set("imapc_ssl", server.tls == Tls::none       ? "no"
                     : server.tls == Tls::starttls ? "starttls"
                                                   : "imaps");
    set("imapc_user", quoted(login.user, is_24 ? Variables::braces : Variables::percent));
    set("imapc_password", quoted(login.password, is_24 ? Variables::braces : Variables::none));
    return text;
}

// --- the program ----------------------------------------------------------------------

namespace {

struct Pipe {
    Pipe()
    {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("a pipe");
        out = Descriptor{ends[0]};
        in = Descriptor{ends[1]};
    }
    Descriptor out, in;
};

// A file that is in memory only, and ends with its last reader.
Descriptor in_memory(const std::string& text, const disk::Owner& owner)
{
    Descriptor file{::memfd_create("mailboxctl", MFD_CLOEXEC)};
    if (!file.is_open()) fail("a file in memory");
    disk::write(file.number(), text, "a file in memory");
    constexpr mode_t kOwnerReads = 0400;
    if (::fchmod(file.number(), kOwnerReads) != 0
        || (::geteuid() == 0 && ::fchown(file.number(), owner.user, owner.group) != 0))
        fail("a file in memory");
    return file;
}

// Runs in the child, after fork: only functions that are safe there.
constexpr int kConfiguration = 3;  // the number of its descriptor
constexpr int kNotRun = 127;

struct Child {
    const char* program;
    char* const* arguments;
    char* const* environment;
    disk::Owner owner;
    int configuration, out, err;
};

[[noreturn]] void become(const Child& child)
{
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(child.out, STDOUT_FILENO) < 0
        || ::dup2(child.err, STDERR_FILENO) < 0 || ::dup2(child.configuration, kConfiguration) < 0
        || ::fcntl(kConfiguration, F_SETFD, 0) != 0)
        ::_exit(kNotRun);
    if (::geteuid() == 0
        && (::setgroups(0, nullptr) != 0 || ::setgid(child.owner.group) != 0
            || ::setuid(child.owner.user) != 0))
        ::_exit(kNotRun);
    ::execve(child.program, child.arguments, child.environment);
    ::_exit(kNotRun);
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> all;
    for (auto& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

void read_both(const Pipe& out, const Pipe& err, Ended& ended)
{
    constexpr std::size_t kPiece = 1 << 16;
    std::array<pollfd, 2> all{{{out.out.number(), POLLIN, 0}, {err.out.number(), POLLIN, 0}}};
    const std::array<std::string*, 2> texts{&ended.out, &ended.err};
    std::vector<char> piece(kPiece);
    while (all[0].fd >= 0 || all[1].fd >= 0) {
        if (::poll(all.data(), all.size(), -1) < 0 && errno != EINTR) fail("doveadm");
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].fd < 0 || all[i].revents == 0) continue;
            const auto count = ::read(all[i].fd, piece.data(), piece.size());
            if (count > 0) texts[i]->append(piece.data(), static_cast<std::size_t>(count));
            else if (count == 0 || errno != EINTR) all[i].fd = -1;
        }
    }
}

Ended run_program(const char* program, const std::string& configuration,
                  std::vector<std::string> words, const disk::Owner& owner, const std::string& home)
{
    const auto file = in_memory(configuration, owner);
    std::vector<std::string> variables{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + home,
                                       "USER=mailbox", "LC_ALL=C.UTF-8"};
    const auto argv = pointers(words), environment = pointers(variables);
    Pipe out, err;
    const auto child = ::fork();
    if (child < 0) fail("a new process");
    if (child == 0)
        become({program, argv.data(), environment.data(), owner, file.number(), out.in.number(),
                err.in.number()});
    out.in.reset();
    err.in.reset();
    Ended ended;
    read_both(out, err, ended);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail(program);
    }
    constexpr int kSignal = 128;
    ended.exit = WIFEXITED(status) ? WEXITSTATUS(status) : kSignal + WTERMSIG(status);
    if (ended.exit == kNotRun && ended.err.empty())
        throw std::runtime_error(std::string{program}
                                 + " cannot be run; it is in the package dovecot-core");
    return ended;
}

}  // namespace

Ended run(const std::string& configuration, const std::vector<std::string>& arguments,
          Syntax syntax, const Home& home)
{
    std::vector<std::string> words{"doveadm", "-c",
                                   "/proc/self/fd/" + std::to_string(kConfiguration)};
    for (const auto& word : arguments) {
        if (word != kUser) words.push_back(word);
        else if (syntax == Syntax::dovecot_2_4) words.emplace_back("--no-userdb-lookup");
    }
    return run_program("/usr/bin/doveadm", configuration, std::move(words), home.owner, home.path);
}

Syntax installed_syntax()
{
    const disk::Owner self{::geteuid(), ::getegid()};
    const auto ended = run_program("/usr/sbin/dovecot", "", {"dovecot", "--version"}, self, "/");
    if (ended.exit != 0 || ended.out.empty())
        throw std::runtime_error("the version of Dovecot is unknown: " + reason(ended));
    return ended.out.starts_with("2.3") ? Syntax::dovecot_2_3 : Syntax::dovecot_2_4;
}

std::string reason(const Ended& ended)
{
    constexpr std::string_view kError = "Error: ";
    for (const auto& line : strings::words(ended.err, "\n")) {
        for (const auto mark : {kError, std::string_view{"Fatal: "}}) {
            const auto at = line.find(mark);
            if (at != std::string::npos) return line.substr(at + mark.size());
        }
    }
    return "doveadm ended with status " + std::to_string(ended.exit);
}

}  // namespace doveadm_program
