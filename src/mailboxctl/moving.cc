#include "mailboxctl/moving.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/lifecycle.h"
#include "peers/folder_names.h"

namespace moving {

using doveadm_program::Login;

std::vector<Mailbox> mailboxes(const command::Call& call, const std::string& address_or_domain)
{
    constexpr std::int64_t kPage = 1000;
    auto connection = call.connect();
    std::vector<Mailbox> all;
    if (address_or_domain.find('@') != std::string::npos) {
        const auto address = call.address(address_or_domain);
        const auto found = life::find(connection, address);
        if (!found) command::refuse_absent(address);
        all.push_back({address.text(), address.domain(), found->storage_id});
        return all;
    }
    const auto domain = call.domain(address_or_domain);
    const auto domain_id = admin::Admin{connection}.domain_id(domain.name());
    for (std::int64_t last = 0;;) {
        const auto page = life::mailboxes(connection, domain_id, last, kPage);
        if (page.empty()) return all;
        for (const auto& each : page)
            all.push_back({each.local_part + "@" + domain.name(), domain.name(), each.storage_id});
        last = page.back().id;
    }
}

// --- logins ---------------------------------------------------------------------------

namespace {

std::string secret_text(const std::string& path)
{
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file.is_open()) throw admin::Refused(path + ": " + std::strerror(errno));
    const auto status = disk::status(file.number(), path);
    constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
    if (S_ISREG(status.st_mode) && (status.st_mode & kOthers) != 0)
        throw admin::Refused(
            path + " has passwords, but others than its owner can read it; run chmod 600 "
            + strings::for_shell(path));
    std::string text;
    disk::read(file.number(), path, [&](std::string_view piece) {
        text += piece;
        return true;
    });
    return text;
}

}  // namespace

Logins::Logins(const std::string& file)
{
    constexpr std::size_t kFields = 3;
    std::size_t number = 0;
    for (auto& line : folder_names::split(secret_text(file), '\n')) {
        ++number;
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty()) continue;
        const auto fields = folder_names::split(line, '\t');
        if (fields.size() < 2 || fields.size() > kFields || fields[0].empty())
            throw admin::Refused(file + ": line " + std::to_string(number)
                                 + " is not an address and a password, separated by a tab");
        logins_[strings::lower_case(fields[0])] = {fields.size() == kFields ? fields[1] : fields[0],
                                                   fields.back()};
    }
}

std::optional<Login> Logins::of(const std::string& address) const
{
    if (const auto found = logins_.find(address); found != logins_.end()) return found->second;
    const auto master = logins_.lower_bound("*");
    if (master == logins_.end() || !master->first.starts_with('*')) return std::nullopt;
    return Login{address + master->second.user, master->second.password};
}

// --- the other server -----------------------------------------------------------------

void add_options(command::po::options_description& options)
{
    namespace po = command::po;
    options.add_options()(
        "logins", po::value<std::string>()->value_name("FILE"),
        "the logins at the other server: lines ADDRESS<tab>PASSWORD, or *MASTER<tab>PASSWORD; mode 0600")(
        "ca-file", po::value<std::string>()->value_name("FILE"),
        "certificates to trust instead of the system's")(
        "insecure", "for imap://: send the passwords without TLS");
}

Remote remote(const command::Call& call, const std::string& url)
{
    auto server = doveadm_program::server_of(url);
    if (!server)
        throw command::WrongUsage("the other server is imap://HOST[:PORT] or imaps://HOST[:PORT]");
    if (call.has("insecure")) {
        if (server->tls == doveadm_program::Tls::from_the_start)
            throw command::WrongUsage("--insecure is for imap://");
        server->tls = doveadm_program::Tls::none;
    }
    server->authorities = call.text("ca-file");
    if (!call.has("logins")) throw command::WrongUsage("--logins FILE is missing");
    return {*server, doveadm_program::installed_syntax(), Logins{call.text("logins")}};
}

Store::Store(const std::string& its_path) : path{its_path}
{
    if (path.empty())
        throw admin::Refused("the setting store is missing: it says where the mail lies");
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) disk::fail(path);
    owner = {status.st_uid, status.st_gid};
    if (::geteuid() != 0 && ::geteuid() != owner.user)
        throw admin::Refused("run this as root or as the owner of the mail store");
    const auto* const its_user = ::getpwuid(owner.user);
    user = its_user == nullptr ? std::to_string(owner.user) : its_user->pw_name;
    const auto* const its_group = ::getgrgid(owner.group);
    group = its_group == nullptr ? std::to_string(owner.group) : its_group->gr_name;
}

doveadm_program::Home Store::home(const std::string& storage_id) const
{
    return {path + "/" + storage_id.substr(0, 2) + "/" + storage_id, owner, user, group};
}

// --- its messages ---------------------------------------------------------------------

namespace {

// Dovecot's imapc shows a tilde at the beginning of a level as ~7e.
std::string shown(const std::string& name)
{
    constexpr std::string_view kTilde = "~7e";
    auto levels = folder_names::split(name, '/');
    for (auto& level : levels) {
        if (level.starts_with(kTilde)) level = "~" + level.substr(kTilde.size());
    }
    return strings::joined(levels, "/");
}

std::string flags_of(const std::string& text)
{
    auto words = strings::words(text, " ");
    std::erase(words, "\\Recent");
    const std::set<std::string> sorted{words.begin(), words.end()};
    return strings::joined(sorted, " ");
}

doveadm_program::Ended ask(const Remote& remote, const std::string& configuration,
                           const std::vector<std::string>& words, const doveadm_program::Home& home)
{
    auto ended = doveadm_program::run(configuration, words, remote.syntax, home);
    if (ended.exit != 0)
        throw std::runtime_error(remote.server.host + ": " + doveadm_program::reason(ended));
    return ended;
}

}  // namespace

verification::Contents contents(const Remote& remote, const Mailbox& mailbox, const Store& store)
{
    const auto login = remote.logins.of(mailbox.address);
    if (!login) throw std::runtime_error("the file of logins has no line for it");
    const auto home = store.home(mailbox.storage_id);
    const auto configuration = doveadm_program::configuration(
        remote.server, *login, doveadm_program::Mail::imap, remote.syntax, home);
    verification::Contents all;
    using doveadm_program::kUser;
    // Unlike `mailbox list`, this leaves out folders that only have others below them.
    const auto folders =
        json::parse(ask(remote, configuration,
                        {"-f", "json", "mailbox", "status", kUser, "messages", "*"}, home)
                        .out);
    const auto messages = json::parse(
        ask(remote, configuration,
            {"-f", "json", "fetch", kUser, "mailbox hdr.message-id size.virtual flags", "all"},
            home)
            .out);
    if (!folders || !messages) throw std::runtime_error("doveadm's answer is not understood");
    const auto member = [](const json::Node& node, std::string_view name) {
        for (const auto& [its_name, value] : node.members) {
            if (its_name == name) return value.text;
        }
        return std::string{};
    };
    for (const auto& [index, each] : folders->members)
        all.folders.insert(shown(member(each, "mailbox")));
    for (const auto& [index, each] : messages->members) {
        const auto bytes = strings::whole_number(member(each, "size.virtual"), 1ULL << 62);
        if (!bytes) throw std::runtime_error("doveadm does not say how large a message is");
        all.items.push_back({shown(member(each, "mailbox")),
                             strings::joined(strings::words(member(each, "hdr.message-id")), " "),
                             static_cast<std::int64_t>(*bytes), flags_of(member(each, "flags"))});
    }
    return all;
}

}  // namespace moving
