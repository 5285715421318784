#include "config.h"

#include <boost/program_options.hpp>

#include <sys/un.h>

#include <charconv>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <sstream>

namespace {

namespace po = boost::program_options;

// Takes a setting's text; throws std::invalid_argument with what would be right.
using Take = std::function<void(Config&, const std::string&)>;

template <typename Number>
Number number(const std::string& text, Number least, Number greatest)
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > greatest) {
        throw std::invalid_argument("must be a whole number from " + std::to_string(least) + " to "
                                    + std::to_string(greatest));
    }
    return value;
}

template <typename Number>
Take take(Number Config::* field, Number least, Number greatest)
{
    return [=](Config& config, const std::string& text) { config.*field = number(text, least, greatest); };
}

Take take(std::chrono::seconds Config::* field, int least, int greatest)
{
    return [=](Config& config, const std::string& text) {
        config.*field = std::chrono::seconds{number(text, least, greatest)};
    };
}

Take take(std::string Config::* field)
{
    return [=](Config& config, const std::string& text) { config.*field = text; };
}

Take take_socket(std::string Config::* field)
{
    return [=](Config& config, const std::string& text) {
        if (text.empty() || text[0] != '/') throw std::invalid_argument("must be an absolute path");
        if (text.size() >= sizeof(sockaddr_un::sun_path)) {
            throw std::invalid_argument("is longer than the " + std::to_string(sizeof(sockaddr_un::sun_path) - 1)
                                        + " bytes that a socket's path can have (unix(7))");
        }
        config.*field = text;
    };
}

// A setting of the server, which mailboxd and mailboxctl share.
Take take_both(std::string Config::Database::* field)
{
    return [=](Config& config, const std::string& text) { config.db.*field = config.ctl_db.*field = text; };
}

const std::map<std::string, Take>& settings()
{
    constexpr auto kMany = 1'000'000U;
    static const std::map<std::string, Take> all{
        {"socket", take_socket(&Config::socket)},
        {"write_socket", take_socket(&Config::write_socket)},
        {"socket_group", take(&Config::socket_group)},
        {"user", take(&Config::user)},
        {"workers", take(&Config::workers, 1U, 1000U)},
        {"write_workers", take(&Config::write_workers, 1U, 1000U)},
        {"backlog", take(&Config::backlog, 1, 65'535)},
        {"max_requests", take(&Config::max_requests, 0U, 1000U * kMany)},
        {"request_deadline", take(&Config::request_deadline, 1, 3600)},
        {"io_timeout", take(&Config::io_timeout, 1, 3600)},
        {"stop_grace", take(&Config::stop_grace, 1, 3600)},
        {"db_socket", take_both(&Config::Database::socket)},
        {"db_host", take_both(&Config::Database::host)},
        {"db_port", [](Config& config, const std::string& text) {
             config.db.port = config.ctl_db.port = number<std::uint16_t>(text, 1, 65'535);
         }},
        {"db_name", take_both(&Config::Database::name)},
        {"db_user", [](Config& config, const std::string& text) { config.db.user = text; }},
        {"db_password_file", [](Config& config, const std::string& text) { config.db.password_file = text; }},
        {"ctl_db_user", [](Config& config, const std::string& text) { config.ctl_db.user = text; }},
        {"ctl_db_password_file", [](Config& config, const std::string& text) { config.ctl_db.password_file = text; }},
        {"db_connect_timeout", take(&Config::db_connect_timeout, 1, 60)},
        {"db_timeout", take(&Config::db_timeout, 1, 3600)},
        {"max_body", take(&Config::max_body, std::size_t{1024}, std::size_t{64} << 20)},
        {"max_limit", take(&Config::max_limit, std::int64_t{1}, std::int64_t{100'000})},
        {"min_password", take(&Config::min_password, std::size_t{1}, std::size_t{1000})},
        {"max_password", take(&Config::max_password, std::size_t{1}, std::size_t{1000})},
        {"argon2_memory_kib", take(&Config::argon2_memory_kib, std::size_t{8}, std::size_t{4} << 20)},
        {"argon2_passes", take(&Config::argon2_passes, 1U, 100U)},
    };
    return all;
}

void take_setting(Config& config, const std::string& name, const std::string& text, std::set<std::string>& seen)
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

std::string joined(const std::vector<std::string>& sentences)
{
    std::string text;
    for (const auto& sentence : sentences) text += (text.empty() ? "" : "\n") + sentence;
    return text;
}

}  // namespace

Config::Problems::Problems(const std::vector<std::string>& sentences) : std::runtime_error{joined(sentences)} {}

std::string Config::Database::password() const
{
    std::string line;
    if (password_file.empty()) return line;
    std::ifstream file{password_file};
    if (!file || !std::getline(file, line)) {
        throw Problems({password_file + ": the password of the database user " + user
                        + " cannot be read, or the file is empty"});
    }
    return line;
}

// Line by line, since the parser tells no line numbers and ends at the first mistake.
Config Config::read(const std::string& path)
{
    std::ifstream file{path};
    if (!file || file.peek() == std::ifstream::traits_type::eof()) throw Problems({path + ": cannot be read, or is empty"});
    Config config;
    config.ctl_db.user = "mailboxd_ctl";
    std::vector<std::string> problems;
    std::set<std::string> seen;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        const auto where = path + ":" + std::to_string(++number) + ": ";
        try {
            std::istringstream text{line};
            if (const auto first = line.find_first_not_of(" \t"); first != std::string::npos && line[first] == '[') throw std::invalid_argument("there are no sections here");
            for (const auto& option : po::parse_config_file(text, po::options_description{}, true).options) {
                take_setting(config, option.string_key, option.value.at(0), seen);
            }
        } catch (const std::invalid_argument& wrong) {
            problems.push_back(where + wrong.what());
        } catch (const po::error&) {
            problems.push_back(where + "a setting reads NAME = VALUE");
        }
    }
    if (config.min_password > config.max_password) problems.push_back(path + ": min_password is above max_password");
    if (config.write_socket == config.socket) problems.push_back(path + ": write_socket is the same as socket");
    if (config.stop_grace <= config.request_deadline) {
        problems.push_back(path + ": stop_grace must be longer than request_deadline, or stopping cuts requests short");
    }
    if (!problems.empty()) throw Problems{problems};
    return config;
}
