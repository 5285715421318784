// postconf.h - the installed Postfix, as its own programs postconf(1) and postmap(1) see it.
//
// Usually requires root, because the tables' files contain passwords. Throws std::runtime_error if
// no program can be started at all.
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
        bool is_well = false;  // if false, nothing was found (no text), or the text is an error
        std::string text;
    };
    // Returns a setting's value with all $references expanded.
    Answer setting(const std::string& name) const;
    // A service of master.cf. services() returns them in the file's order.
    struct Service {
        std::string name;     // for example submission/inet
        std::string program;  // for example smtpd
    };
    const std::vector<Service>& services() const;
    // Returns a setting as it applies to one service: its option in master.cf, otherwise main.cf's
    // value. Empty if not set.
    std::string setting_of(const std::string& service, const std::string& name) const;
    // True if the service sets it in master.cf.
    bool is_own_setting(const std::string& service, const std::string& name) const;
    // Returns the files of our tables that main.cf and master.cf name.
    std::set<std::string> tables() const;
    // Returns the path of the policy service's socket that main.cf or master.cf names; empty if
    // none.
    std::string policy_socket(const std::string& name) const;
    // Looks a key up in a table, for example mysql:/etc/postfix/mailboxd/mailboxd-domains.cf.
    Answer look_up(const std::string& key, const std::string& table) const;

private:
    Answer run(const std::string& program, const std::vector<std::string>& arguments) const;
    std::vector<std::string> lines(const std::vector<std::string>& arguments) const;  // of postconf
    const std::map<std::string, std::string>& settings()
        const;  // of main.cf by NAME, of master.cf by SERVICE/NAME

    std::string folder_;
    mutable std::optional<std::vector<Service>> services_;
    mutable std::optional<std::map<std::string, std::string>> settings_;
};

}  // namespace postconf
