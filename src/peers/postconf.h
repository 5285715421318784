// postconf.h - what Postfix's own programs say, by the files that are installed: postconf(1) and
// postmap(1).
//
// That takes root, as a rule, since passwords are in the tables' files. Throws std::runtime_error
// where no program can be started at all.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace postconf {

class Postfix {
public:
    explicit Postfix(std::string folder) : folder_{std::move(folder)} {}  // of main.cf

    struct Answer {
        bool is_well = false;  // otherwise there is nothing, or the text is a complaint
        std::string text;
    };
    // A setting's value, with what it refers to in its place.
    Answer setting(const std::string& name) const;
    // The services of master.cf, in its order.
    struct Service {
        std::string name;     // such as submission/inet
        std::string program;  // such as smtpd
    };
    const std::vector<Service>& services() const;
    // A setting as it is for one service: by its own option in master.cf, otherwise as in main.cf.
    // Empty: not set.
    std::string setting_of(const std::string& service, const std::string& name) const;
    bool is_own_setting(const std::string& service, const std::string& name) const;
    // The files of our tables that main.cf and master.cf lead to.
    std::set<std::string> tables() const;
    // The path of the policy service's socket that main.cf or master.cf names; empty if none.
    std::string policy_socket(const std::string& name) const;
    // What a table, such as mysql:/etc/postfix/mailboxd/mailboxd-domains.cf, says about a key.
    Answer look_up(const std::string& key, const std::string& table) const;

private:
    Answer run(const std::string& program, const std::vector<std::string>& arguments) const;
    std::vector<std::string> lines(const std::vector<std::string>& arguments) const;  // of postconf
    const std::map<std::string, std::string>& settings()
        const;  // all of main.cf, and SERVICE/NAME of master.cf

    std::string folder_;
    mutable std::optional<std::vector<Service>> services_;
    mutable std::optional<std::map<std::string, std::string>> settings_;
};

}  // namespace postconf
