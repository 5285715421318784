#include "base/config.h"

#include <boost/program_options.hpp>

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "base/strings.h"

namespace {

namespace po = boost::program_options;

// Stores a setting's text. Throws std::invalid_argument that says what would be right.
using Take = std::function<void(Config&, const std::string&)>;

template <typename Number>
Number number(const std::string& text, Number least, Number greatest)
{
    const auto value = strings::whole_number(text, static_cast<std::uint64_t>(greatest));
    if (!value || *value < static_cast<std::uint64_t>(least)) {
        throw std::invalid_argument("must be a whole number from " + std::to_string(least) + " to "
                                    + std::to_string(greatest));
    }
    return static_cast<Number>(*value);
}

Take take_bytes(std::int64_t Config::*field)
{
    return [=](Config& config, const std::string& text) {
        const auto bytes = text == "0" ? 0 : Config::size(text);
        if (!bytes)
            throw std::invalid_argument(
                "must be a size such as 500M, 2G or a number of bytes, at most 1024T");
        config.*field = *bytes;
    };
}

template <typename Number>
Take take(Number Config::*field, Number least, Number greatest)
{
    return [=](Config& config, const std::string& text) {
        config.*field = number(text, least, greatest);
    };
}

template <typename Period>
Take take(std::chrono::duration<std::int64_t, Period> Config::*field, std::int64_t least,
          std::int64_t greatest)
{
    return [=](Config& config, const std::string& text) {
        config.*field = std::chrono::duration<std::int64_t, Period>{number(text, least, greatest)};
    };
}

Take take(std::string Config::*field)
{
    return [=](Config& config, const std::string& text) { config.*field = text; };
}

Take take_socket(std::string Config::*field)
{
    return [=](Config& config, const std::string& text) {
        if (text.empty() || text[0] != '/') throw std::invalid_argument("must be an absolute path");
        if (text.size() >= sizeof(sockaddr_un::sun_path)) {
            throw std::invalid_argument("is longer than the "
                                        + std::to_string(sizeof(sockaddr_un::sun_path) - 1)
                                        + " bytes that a socket's path can have (unix(7))");
        }
        config.*field = text;
    };
}

// Stores a setting of the server, which all database users share.
Take take_all(std::string Config::Database::*field)
{
    return [=](Config& config, const std::string& text) {
        for (const auto user : Config::kDatabases) (config.*user).*field = text;
    };
}

Take take(Config::Database Config::*database, std::string Config::Database::*field)
{
    return [=](Config& config, const std::string& text) { config.*database.*field = text; };
}

void take_log_format(Config& config, const std::string& text)
{
    if (text != "text" && text != "json") throw std::invalid_argument("must be text or json");
    config.log_format = text == "json" ? logging::Format::json : logging::Format::text;
}

void take_doveadm(Config& config, const std::string& text)
{
    if (text.starts_with('/')) return take_socket(&Config::doveadm)(config, text);
    try {
        number<std::uint16_t>(text, 1, 65'535);
    } catch (const std::invalid_argument&) {
        throw std::invalid_argument(
            "must be a port on 127.0.0.1, or the absolute path of a socket");
    }
    config.doveadm = text;
}

Take take_path(std::string Config::*field)
{
    return [=](Config& config, const std::string& text) {
        if (!text.starts_with('/')) throw std::invalid_argument("must be an absolute path");
        config.*field = text;
    };
}

void take_tls_urls(Config& config, const std::string& text)
{
    constexpr std::array<std::string_view, 7> kSchemes{
        "https://", "imaps://", "pop3s://", "smtps://", "imap://", "pop3://", "smtp://"};
    const auto urls = strings::words(text);
    for (const auto& url : urls) {
        const bool is_one =
            std::any_of(kSchemes.begin(), kSchemes.end(), [&](std::string_view scheme) {
                return url.starts_with(scheme) && url.size() > scheme.size();
            });
        if (!is_one)
            throw std::invalid_argument(
                "must be URLs of https, imaps, pop3s, smtps, imap, pop3 or smtp, with blanks between them");
        // `check` prints the URLs.
        if (url.find('@') != std::string::npos)
            throw std::invalid_argument("must be without a name and password: an @ is not taken");
    }
    config.tls_urls = urls;
}

const std::map<std::string, Take>& settings()
{
    constexpr auto kMany = 1'000'000U;
    static const std::map<std::string, Take> all{
        {"socket", take_socket(&Config::socket)},
        {"write_socket", take_socket(&Config::write_socket)},
        {"metrics_socket", take_socket(&Config::metrics_socket)},
        {"socket_group", take(&Config::socket_group)},
        {"user", take(&Config::user)},
        {"workers", take(&Config::workers, 1U, 1000U)},
        {"write_workers", take(&Config::write_workers, 1U, 1000U)},
        {"backlog", take(&Config::backlog, 1, 65'535)},
        {"waiting_changes", take(&Config::waiting_changes, std::size_t{1}, std::size_t{65'535})},
        {"log_file", take_path(&Config::log_file)},
        {"log_format", take_log_format},
        {"max_requests", take(&Config::max_requests, 0U, 1000U * kMany)},
        {"request_deadline", take(&Config::request_deadline, 1, 3600)},
        {"io_timeout", take(&Config::io_timeout, 1, 3600)},
        {"stop_grace", take(&Config::stop_grace, 1, 3600)},
        {"db_socket", take_all(&Config::Database::socket)},
        {"db_host", take_all(&Config::Database::host)},
        {"db_port",
         [](Config& config, const std::string& text) {
        for (const auto user : Config::kDatabases)
            (config.*user).port = number<std::uint16_t>(text, 1, 65'535);
         }},
        {"db_name", take_all(&Config::Database::name)},
        {"db_user", take(&Config::db, &Config::Database::user)},
        {"db_password_file", take(&Config::db, &Config::Database::password_file)},
        {"ctl_db_user", take(&Config::ctl_db, &Config::Database::user)},
        {"ctl_db_password_file", take(&Config::ctl_db, &Config::Database::password_file)},
        {"janitor_db_user", take(&Config::janitor_db, &Config::Database::user)},
        {"janitor_db_password_file", take(&Config::janitor_db, &Config::Database::password_file)},
        {"dovecot_db_user", take(&Config::dovecot_db, &Config::Database::user)},
        {"dovecot_db_password_file", take(&Config::dovecot_db, &Config::Database::password_file)},
        {"postfix_db_user", take(&Config::postfix_db, &Config::Database::user)},
        {"postfix_db_password_file", take(&Config::postfix_db, &Config::Database::password_file)},
        {"rehash_db_user", take(&Config::rehash_db, &Config::Database::user)},
        {"rehash_db_password_file", take(&Config::rehash_db, &Config::Database::password_file)},
        {"db_connect_timeout", take(&Config::db_connect_timeout, 1, 60)},
        {"db_timeout", take(&Config::db_timeout, 1, 3600)},
        {"max_body", take(&Config::max_body, std::size_t{1024}, std::size_t{64} << 20)},
        {"max_limit", take(&Config::max_limit, std::int64_t{1}, std::int64_t{100'000})},
        {"kept_pages", take_bytes(&Config::kept_pages)},
        {"min_password", take(&Config::min_password, std::size_t{1}, std::size_t{1000})},
        {"max_password", take(&Config::max_password, std::size_t{1}, std::size_t{1000})},
        {"argon2_memory_kib",
         take(&Config::argon2_memory_kib, std::size_t{8}, std::size_t{4} << 20)},
        {"argon2_passes", take(&Config::argon2_passes, 1U, 100U)},
        {"mail_host", take(&Config::mail_host)},
        {"store", take_path(&Config::store)},
        {"metrics_file", take_path(&Config::metrics_file)},
        {"store_user", take(&Config::store_user)},
        {"doveadm", take_doveadm},
        {"doveadm_key_file", take(&Config::doveadm_key_file)},
        {"deleted_for", take(&Config::deleted_for, 0, 3650)},
        {"audited_for", take(&Config::audited_for, 1, 36'500)},
        {"domain_quota", take_bytes(&Config::domain_quota)},
        {"rehash_socket", take_socket(&Config::rehash_socket)},
        {"send_limit", take(&Config::send_limit, std::int64_t{0}, std::int64_t{kMany})},
        {"forward_limit", take(&Config::forward_limit, std::int64_t{0}, std::int64_t{kMany})},
        {"postfix", take_path(&Config::postfix)},
        {"tls_urls", take_tls_urls},
        {"tls_ca_file", take_path(&Config::tls_ca_file)},
        };
    return all;
}

void take_setting(Config& config, const std::string& name, const std::string& text,
                  std::set<std::string>& seen)
{
    const auto setting = settings().find(name);
    if (setting == settings().end()) throw std::invalid_argument(name + " is not a setting");
    if (!seen.insert(name).second) throw std::invalid_argument(name + " is set twice");
    try {
        setting->second(config, text);
    } catch (const std::invalid_argument& wrong) {
        throw std::invalid_argument(name + " " + wrong.what());
    }
}

}  // namespace

constexpr std::array<Config::Database Config::*, 6> Config::kDatabases{
    &Config::db,         &Config::ctl_db,     &Config::janitor_db,
    &Config::dovecot_db, &Config::postfix_db, &Config::rehash_db};

Config::Problems::Problems(const std::vector<std::string>& sentences)
    : std::runtime_error{strings::joined(sentences, "\n")}
{
}

namespace {

// Tabs are blanks, and a line may end with CR, so neither counts.
bool is_control(char c)
{
    return (static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r') || c == '\x7f';
}

std::string first_line(const std::string& path, const std::string& what)
{
    std::string line;
    std::ifstream file{path};
    if (!file || !std::getline(file, line))
        throw Config::Problems({path + ": " + what + " cannot be read, or the file is empty"});
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

}  // namespace

std::string Config::Database::password() const
{
    return password_file.empty()
               ? std::string{}
               : first_line(password_file, "the password of the database user " + user + " ("
                                               + password_setting + ")");
}

std::string Config::doveadm_key() const
{
    if (doveadm_key_file.empty())
        throw Problems(
            {"the setting doveadm_key_file is missing: it names the file of Dovecot's doveadm_api_key"});
    return first_line(doveadm_key_file, "the key of Dovecot's doveadm (doveadm_key_file)");
}

std::optional<std::int64_t> Config::size(std::string_view text)
{
    constexpr std::string_view kUnits = "KMGT";
    constexpr std::uint64_t kGreatest = std::uint64_t{1} << 50;
    const auto unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
    const bool has_unit = unit != std::string_view::npos;
    const auto shift = has_unit ? 10 * (unit + 1) : 0;
    if (has_unit) text.remove_suffix(1);
    const auto number = strings::whole_number(text, kGreatest >> shift);
    if (!number || *number < 1) return std::nullopt;
    return static_cast<std::int64_t>(*number << shift);
}

// Reads line by line, because the parser reports no line numbers and stops at the first mistake.
Config Config::read(const std::string& path)
{
    std::ifstream file{path};
    if (!file || file.peek() == std::ifstream::traits_type::eof())
        throw Problems({path + ": cannot be read, or is empty"});
    Config config;
    config.path = path;
    using Named = std::pair<Database*, std::string>;
    for (const auto& [database, name] : {Named{&config.ctl_db, "ctl"},
                                         {&config.janitor_db, "janitor"},
                                         {&config.dovecot_db, "dovecot"},
                                         {&config.postfix_db, "postfix"},
                                         {&config.rehash_db, "rehash"}}) {
        database->user = "mailboxd_" + name;
        database->password_setting = name + "_db_password_file";
    }
    std::vector<std::string> problems;
    std::set<std::string> seen;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        const auto where = path + ":" + std::to_string(++number) + ": ";
        try {
            if (std::any_of(line.begin(), line.end(), is_control))
                throw std::invalid_argument("no control character may stand here");
            std::istringstream text{line};
            if (const auto first = line.find_first_not_of(" \t");
                first != std::string::npos && line[first] == '[')
                throw std::invalid_argument("there are no sections here");
            for (const auto& option :
                 po::parse_config_file(text, po::options_description{}, true).options) {
                take_setting(config, option.string_key, option.value.at(0), seen);
            }
        } catch (const std::invalid_argument& wrong) {
            problems.push_back(where + wrong.what());
        } catch (const po::error&) {
            problems.push_back(where + "a setting reads NAME = VALUE");
        }
    }
    if (config.min_password > config.max_password)
        problems.push_back(path + ": min_password is above max_password");
    if (config.write_socket == config.socket)
        problems.push_back(path + ": write_socket is the same as socket");
    if (!config.metrics_socket.empty()
        && (config.metrics_socket == config.socket || config.metrics_socket == config.write_socket))
        problems.push_back(path + ": metrics_socket is the same as another socket");
    if (config.stop_grace <= config.request_deadline) {
        problems.push_back(
            path
            + ": stop_grace must be longer than request_deadline, or stopping cuts requests short");
    }
    if (!problems.empty()) throw Problems{problems};
    return config;
}
