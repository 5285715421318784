// command.h - what a command of mailboxctl is, and what the commands share: options, output, a
// password from people.
//
// Complains with WrongUsage, or like the modules that do the work with a sentence that says what to
// do.
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
    const std::vector<std::string>& arguments;  // as the command wants them
    const Config& config;

    bool has(const char* option) const { return options.count(option) != 0; }
    std::string text(const char* option) const
    {
        return has(option) ? options[option].as<std::string>() : std::string{};
    }
    // Both refuse tables that are of another release than this program.
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
    mailbox::Address address_in(const std::string& text,
                                const std::string& domain_name) const;  // a local part will do
};

// The reader of standard output is gone, as in `mailboxctl mailbox list DOMAIN | head`, or it
// cannot be written to.
struct OutputLost : std::exception {};

// What a command prints, which decides what is said where it cannot be printed.
enum class Prints {
    outcome,  // of a change, which is made by then
    listing,  // nothing is lost where nobody reads it
    secret,   // which is shown once
};

// Whether a change is one transaction, so that nothing was changed where the database refused a
// statement of it.
enum class Changes { at_once, in_steps };

struct Command {
    std::string_view name;               // one or two words
    std::vector<std::string> arguments;  // an optional one in brackets
    std::string_view summary;
    std::string_view details;
    po::options_description (*options)();
    int (*run)(const Call& call);  // returns the exit status
    Prints prints = Prints::outcome;
    Changes changes = Changes::at_once;
    bool needs_configuration =
        true;  // otherwise the file is not read, and the call has the defaults
};

// Returns the refusal's sentence for the operator: it ends with "nothing was changed" unless it
// says so itself.
std::string with_outcome(const admin::Refused& refused);

// Throws the refusal for an address that has no mailbox.
[[noreturn]] void refuse_absent(const mailbox::Address& address);

// NAME=VALUE.
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

// Returns the message after `wanted` was asked for `what`, such as "Domain example.org": the state
// that is in force now. `command` is the word of its level, such as "domain"; `above` is what keeps
// it suspended although it is active itself.
std::string state_sentence(const std::string& what, const std::string& command,
                           const std::string& name, mailbox::State wanted, mailbox::State now,
                           const std::vector<admin::Admin::Suspended>& above = {});

void print(const admin::Table& table);

// Rows of the same members, as a table or, with --json, as an array of objects.
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

// One thing: a line for each member, or an object.
void show(const Call& call, const json::Members& members);
// What was done: a sentence, or an object with the sentence as its message.
void tell(const Call& call, const std::string& sentence, const json::Members& members);

json::Value time_value(std::int64_t seconds);  // 0 is none
json::Value size_value(std::optional<std::int64_t> bytes);

// --- passwords ------------------------------------------------------------------------

// --password-file FILE, - for standard input.
void add_password_option(po::options_description& options);

// The first line of the file, or what is typed at the terminal without being shown; a new one is
// asked for twice. Never from the command line, which everybody on the machine can read.
enum class Ask { once, twice };
Secret read_password(const Call& call, Ask how_often, const std::string& prompt);

}  // namespace command
