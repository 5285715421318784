// command.h - what a command of mailboxctl is, and what the commands share: options, output, and
// reading a password.
//
// Throws WrongUsage for a wrong command line, and admin::Refused, whose sentence says what to do.
#pragma once

#include <boost/program_options.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/json.h"
#include "base/secret.h"
#include "db/accounts.h"
#include "db/connection.h"
#include "db/migrate.h"
#include "db/session.h"
#include "mail/address.h"

namespace command {

namespace po = boost::program_options;

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

struct WrongUsage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Call {
    const po::variables_map& options;
    const std::vector<std::string>& arguments;  // in the order of Command::arguments
    const Config& config;

    bool has(const char* option) const { return options.count(option) != 0; }
    std::string text(const char* option) const
    {
        return has(option) ? options[option].as<std::string>() : std::string{};
    }
    // Both refuse the tables of another release. Throw db::Error.
    db::Connection connect() const
    {
        return {config.ctl_db, config.ctl_db.password(), config, migrate::expect_same};
    }
    db::Session session() const
    {
        return {config.ctl_db, config.ctl_db.password(), config, migrate::expect_same};
    }
    mailbox::Domain domain(const std::string& name) const;
    mailbox::Address address(const std::string& text) const;
    mailbox::Address address_in(
        const std::string& text,
        const std::string& domain_name) const;  // `text` may be a local part
};

// Standard output cannot be written to, for example because its reader has ended, as in
// `mailboxctl mailbox list DOMAIN | head`.
struct OutputLost : std::exception {};

// What a command prints. This decides the message if it cannot be printed.
enum class Prints {
    outcome,  // the result of a change that is already made
    listing,  // nothing is lost if nobody reads it
    secret,   // a key or password that is shown only once
};

// Whether the change is one transaction. If it is, nothing was changed when the database refused a
// statement.
enum class Changes { at_once, in_steps };

struct Command {
    std::string_view name;  // one to three words
    // An optional argument is in brackets. The last one may be repeated if it ends with "...".
    std::vector<std::string> arguments;
    std::string_view summary;
    std::string_view details;
    po::options_description (*options)();
    int (*run)(const Call& call);  // returns the exit status
    Prints prints = Prints::outcome;
    Changes changes = Changes::at_once;
    bool needs_configuration = true;  // false: the file is not read, and the call has the defaults
};

// Returns the refusal's sentence for the operator: it ends with "nothing was changed" unless it
// says so itself.
std::string with_outcome(const admin::Refused& refused);

// Throws the refusal for an address that has no mailbox.
[[noreturn]] void refuse_absent(const mailbox::Address& address);

// Returns the two parts of NAME=VALUE. Throws WrongUsage if there is no `=`.
std::pair<std::string, std::string> setting(const std::string& text);

po::options_description no_options();
po::options_description json_option();
// What the help of `account suspend` and `domain suspend` says.
extern const char kSuspendDetails[];
// --disabled, and the state that suspending leads to with or without it.
po::options_description disabled_option();
void add_disabled_option(po::options_description& options);
mailbox::State suspended(const Call& call);

// --- output ---------------------------------------------------------------------------

// Returns the message after the operator asked for the state `wanted`. It says the state that is in
// force now. `what` is for example "Domain example.org", `command` its level, "domain". `above`
// lists the suspended levels above, which keep it suspended although it is active itself.
std::string state_sentence(const std::string& what, const std::string& command,
                           const std::string& name, mailbox::State wanted, mailbox::State now,
                           const std::vector<admin::Admin::Suspended>& above = {});

void print(const admin::Table& table);

// Prints rows with the same columns: as a table, or with --json as an array of objects. Throws
// OutputLost.
class Listing {
public:
    Listing(const Call& call, std::vector<const char*> names);
    void add(std::vector<json::Value> row);
    void finish();

private:
    void flush();

    bool as_json_;
    bool is_first_ = true;
    std::vector<const char*> names_;
    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> waiting_;
};

// Prints one object: a line for each member, or JSON.
void show(const Call& call, const json::Members& members);
// Prints what was done: a sentence, or with --json an object with the sentence as its message.
void tell(const Call& call, const std::string& sentence, const json::Members& members);

json::Value time_value(std::int64_t seconds);  // 0: null
json::Value size_value(std::optional<std::int64_t> bytes);

// --- passwords ------------------------------------------------------------------------

// Adds --password-file FILE; FILE may be - for standard input.
void add_password_option(po::options_description& options);

// Reads a password from the first line of --password-file, or from the terminal without echo. A new
// password is asked for twice. Passwords are never taken from the command line, because other users
// of the machine can read it.
enum class Ask { once, twice };
Secret read_password(const Call& call, Ask how_often, const std::string& prompt);

}  // namespace command
