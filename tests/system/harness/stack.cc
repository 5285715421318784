#include "system/harness/stack.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <sys/stat.h>

namespace stack {
namespace {

// Stops the stack and removes its directory when its input ends: because we close it, or because we
// are gone. Ignores the signals that would end it together with us, for example Ctrl-C in the
// terminal.
constexpr char kGuard[] =
    "trap '' INT TERM HUP; cat >/dev/null;"
    " \"$1\" down --dir \"$2\" >/dev/null 2>&1; code=$?;"
    " [ -n \"$TEST_KEEP\" ] || [ -e \"$2/kept\" ] || rm -rf -- \"$2\"; exit $code";
constexpr char kKept[] = "kept";

std::string environment_or(const char* name, const std::string& otherwise)
{
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string script()
{
    return environment_or("TEST_STACK", "./scripts/stack");
}

std::filesystem::path new_directory()
{
    std::string name = "/tmp/mailboxd-story-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::system_error{errno, std::generic_category(), "mkdtemp"};
    }
    // Readable for all, because the parts of the stack run as several users.
    std::filesystem::permissions(name, std::filesystem::perms{0755});
    return name;
}

std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        throw std::runtime_error{"cannot read " + path.string()};
    }
    return {std::istreambuf_iterator<char>{file}, {}};
}

process::Ended checked(const process::Arguments& arguments, const process::Options& options = {})
{
    auto ended = process::run(arguments, options);
    if (ended.exit != 0) {
        throw std::runtime_error{process::quoted(arguments) + " ended with "
                                 + std::to_string(ended.exit) + ":\n" + ended.out + ended.err};
    }
    return ended;
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

process::Arguments client(const std::string& socket, const std::string& user,
                          const std::string& database)
{
    return {client_program(),
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--unbuffered",
            "--socket",
            socket,
            "--user",
            user,
            "--database",
            database};
}

struct Stacks {
    std::unique_ptr<Stack> shared;
    std::unique_ptr<Stack> breakable;
    std::unique_ptr<Stack> with_mail;
};

Stacks& stacks()
{
    static Stacks all;
    return all;
}

Stack& started(std::unique_ptr<Stack>& stack, const process::Arguments& arguments)
{
    if (!stack) {
        stack = std::make_unique<Stack>(arguments);
    }
    return *stack;
}

}  // namespace

std::string client_program()
{
    static const auto found = checked({"sh", "-c", "command -v mariadb || command -v mysql"}).out;
    return found.substr(0, found.find('\n'));
}

std::string quote(std::string_view text)
{
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    return quoted + "'";
}

std::size_t Log::mark() const
{
    return std::filesystem::file_size(file_);
}

std::vector<std::string> Log::lines_since(std::size_t mark) const
{
    const std::string text = read_file(file_);
    return split(std::string_view{text}.substr(std::min(mark, text.size())), '\n');
}

std::string Log::expect(std::size_t mark, const std::vector<std::string>& words) const
{
    std::string found;
    process::eventually([&] {
        for (const auto& line : lines_since(mark)) {
            const auto is_in = [&line](const auto& word) {
                return line.find(word) != std::string::npos;
            };
            if (std::all_of(words.begin(), words.end(), is_in)) {
                found = line;
                return true;
            }
        }
        return false;
    });
    return found;
}

void Serving::read(const std::filesystem::path& file)
{
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        return;
    }
    if (file != file_ || status.st_ino != inode_
        || static_cast<std::uintmax_t>(status.st_size) < offset_) {
        file_ = file;
        inode_ = status.st_ino;
        offset_ = 0;
    }
    std::ifstream log{file, std::ios::binary};
    log.seekg(static_cast<std::streamoff>(offset_));
    for (std::string line; std::getline(log, line) && !log.eof();) {
        offset_ += line.size() + 1;
        const auto pid = [&line] {
            return static_cast<pid_t>(std::stol(line.substr(line.find(" pid=") + 5)));
        };
        if (line.find("info worker-serving pid=") != std::string::npos) {
            pids_.insert(pid());
        } else if (line.find(" worker-exit pid=") != std::string::npos) {
            pids_.erase(pid());
        }
    }
}

DatabaseConnection::DatabaseConnection(const std::string& socket, const std::string& user,
                                       const std::string& database)
    : client_{client(socket, user, database)}
{
}

Rows DatabaseConnection::execute(const std::string& statements)
{
    constexpr std::string_view kEnd = "-- all carried out --";
    client_.write(statements + ";\nSELECT '" + std::string{kEnd} + "';\n");
    Rows rows;
    for (std::string line = client_.read_line(); line != kEnd; line = client_.read_line()) {
        rows.push_back(split(line, '\t'));
    }
    return rows;
}

Stack::Stack(process::Arguments arguments, const std::string& db_settings)
    : arguments_{std::move(arguments)}, environment_{"DB_MORE_SETTINGS=" + db_settings},
      directory_{new_directory()}, guard_{std::make_unique<process::Child>(process::Arguments{
                                       "sh", "-c", kGuard, "guard", script(), directory_})}
{
    try {
        up();
    } catch (...) {
        guard_->end();
        throw;
    }
}

Stack::~Stack()
{
    if (guard_->end() != 0) {
        std::cerr << "scripts/stack down --dir " << directory_ << " failed\n";
    }
}

void Stack::up()
{
    administrator_.reset();
    process::Arguments arguments{script(), "up", "--dir", directory_};
    arguments.insert(arguments.end(), arguments_.begin(), arguments_.end());
    if (const auto server = environment_or("TEST_MYSQLD", ""); !server.empty()) {
        arguments.insert(arguments.end(), {"--mysqld", server});
    }
    // The deadline is long, because the first start may have to install packages and to build.
    checked(arguments, {.environment = environment_, .deadline = std::chrono::minutes{15}});
    read_settings();
    if (!await_workers()) {
        throw std::runtime_error{"not all workers of " + directory_.string() + " serve"};
    }
}

void Stack::down()
{
    administrator_.reset();
    checked({script(), "down", "--dir", directory_});
}

void Stack::read_settings()
{
    settings_.clear();
    const auto ended = checked({"env", "-i", "sh", "-c", "set -a; . \"$1\" && exec /usr/bin/env -0",
                                "sh", directory_ / "stack.env"});
    for (const auto& variable : split(ended.out, '\0')) {
        const auto equals = variable.find('=');
        settings_[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
}

const std::string& Stack::setting(const std::string& name) const
{
    const auto found = settings_.find(name);
    if (found == settings_.end()) {
        throw std::runtime_error{"stack.env has no " + name};
    }
    return found->second;
}

std::uint16_t Stack::port(const std::string& name) const
{
    return static_cast<std::uint16_t>(std::stoul(setting(name)));
}

http::Server Stack::server() const
{
    const std::string& url = setting("API_URL");
    std::uint16_t port = 0;
    const auto colon = url.rfind(':') + 1;
    std::from_chars(url.data() + colon, url.data() + url.size(), port);
    return http::Server{port};
}

std::filesystem::path Stack::service() const
{
    return std::filesystem::path{setting("MAILBOXCTL")}.replace_filename("mailboxd");
}

Log Stack::log() const
{
    for (const auto& entry : std::filesystem::recursive_directory_iterator{directory_}) {
        if (entry.path().filename() == "mailboxd.log") {
            return Log{entry.path()};
        }
    }
    throw std::runtime_error{"no mailboxd.log under " + directory_.string()};
}

process::Ended Stack::mailboxctl(const process::Arguments& arguments,
                                 const std::string& input) const
{
    process::Arguments all{setting("MAILBOXCTL"), "--config", setting("MAILBOXD_CONF")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return process::run(all, {.input = input});
}

Rows Stack::sql(const std::string& statements) const
{
    if (!administrator_) {
        administrator_ = std::make_unique<DatabaseConnection>(
            setting("DB_SOCKET"), setting("DB_ADMIN_USER"), setting("DB_NAME"));
    }
    try {
        return administrator_->execute(statements);
    } catch (const std::exception& error) {
        administrator_.reset();
        throw std::runtime_error{statements + ": " + error.what()};
    }
}

std::string Stack::value(const std::string& query) const
{
    const Rows rows = sql(query);
    if (rows.size() != 1 || rows[0].size() > 1) {
        throw std::runtime_error{std::to_string(rows.size())
                                 + " rows instead of one value: " + query};
    }
    return rows[0].empty() ? "" : rows[0][0];
}

process::Ended Stack::sql_as(const std::string& user, const std::string& query) const
{
    return process::run(client(setting("DB_SOCKET"), user, setting("DB_NAME")),
                        {.input = query, .environment = {"MYSQL_PWD=" + secret(user)}});
}

DatabaseConnection Stack::connect_to_database() const
{
    return {setting("DB_SOCKET"), setting("DB_ADMIN_USER"), setting("DB_NAME")};
}

pid_t Stack::part(const std::string& name) const
{
    pid_t pid = 0;
    std::ifstream{directory_ / "run" / (name + ".part")} >> pid;
    if (pid <= 0) {
        throw std::runtime_error{name + " was not started, or was stopped"};
    }
    return pid;
}

void Stack::keep() const
{
    std::ofstream{directory_ / kKept} << "";
}

pid_t Stack::master() const
{
    return static_cast<pid_t>(std::stol(setting("MASTER_PID")));
}

std::vector<pid_t> Stack::workers() const
{
    auto children = process::children(master());
    std::erase_if(children, [](pid_t child) {
        const auto name = process::name(child);
        return name == "mailboxd-gate" || name == "mailboxd-export";
    });
    return children;
}

pid_t Stack::gate() const
{
    const auto children = process::children(master());
    const auto found = std::find_if(children.begin(), children.end(), [](pid_t child) {
        return process::name(child) == "mailboxd-gate";
    });
    if (found == children.end()) throw std::runtime_error("the gate does not run");
    return *found;
}

std::vector<pid_t> Stack::serving_workers() const
{
    const auto file = configured("log_file");
    serving_.read(file.empty() ? directory_ / "log" / "mailboxd.log" : std::filesystem::path{file});
    auto pids = workers();
    std::erase_if(pids, [this](pid_t pid) { return !serving_.contains(pid); });
    return pids;
}

bool Stack::await_workers(const std::vector<pid_t>& old) const
{
    const auto count = configured_workers();
    return process::eventually(
        [&] {
        const auto all = workers();
        return all.size() == count && serving_workers() == all
               && std::none_of(all.begin(), all.end(), [&](pid_t pid) {
                      return std::find(old.begin(), old.end(), pid) != old.end();
                  });
        },
        std::chrono::seconds{60});
}

std::size_t Stack::configured_workers() const
{
    constexpr std::size_t kReserve = 1;  // for accounts that have no other worker
    return std::stoul(configured("workers")) + std::stoul(configured("write_workers")) + kReserve;
}

// Returns a setting of the service's configuration file; empty if it is not set.
std::string Stack::configured(const std::string& name) const
{
    std::ifstream file{setting("MAILBOXD_CONF")};
    std::string value;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + " = ")) {
            value = line.substr(name.size() + 3);
        }
    }
    return value;
}

std::string Stack::secret(const std::string& user) const
{
    std::string text = read_file(directory_ / "secrets" / user);
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
}

Stack& shared()
{
    return started(stacks().shared, {"--no-mail"});
}

Stack& breakable()
{
    return started(stacks().breakable, {"--no-mail", "--workers", "2"});
}

Stack& with_mail()
{
    return started(stacks().with_mail, {"--workers", "2"});
}

void end_all()
{
    stacks() = {};
}

}  // namespace stack
