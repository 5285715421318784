#include "mailboxctl/key_commands.h"

#include <chrono>
#include <ctime>
#include <iostream>
#include <string>

#include "base/strings.h"
#include "db/accounts.h"

namespace key_commands {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;
using command::print;
using command::Prints;
using command::WrongUsage;

po::options_description key_add_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "the account that owns the key")(
        "operator", "create a key that may do everything, for every account")(
        "domain", po::value<std::string>()->value_name("DOMAIN"),
        "restrict the key to one domain")("read-only", "allow the key to list only")(
        "expires", po::value<std::string>()->value_name("DAYS|DATE"),
        "number of days, or the last day (YYYY-MM-DD, UTC) on which the key is valid")(
        "from", po::value<std::vector<std::string>>()->value_name("RANGE")->composing(),
        "IP address or range from which the key may be used; can be repeated")(
        "addresses", po::value<std::vector<std::string>>()->value_name("RANGE")->composing(),
        "the same as --from")("label", po::value<std::string>()->value_name("TEXT"),
                              "a note that key list shows");
    return options;
}

std::int64_t expiry(const std::string& text)
{
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    constexpr std::int64_t kDay = 86'400;
    constexpr std::uint64_t kMostDays = 36'500;
    if (const auto days = strings::whole_number(text, kMostDays).value_or(0); days > 0)
        return now + static_cast<std::int64_t>(days) * kDay;
    std::tm day{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%d", &day);
    if (rest == nullptr || *rest != '\0')
        throw WrongUsage("--expires must be a number of days, or a date such as 2027-06-30");
    const auto wanted = day.tm_mday;
    const std::int64_t last = ::timegm(&day) + kDay;  // turns 30 February into 2 March
    if (day.tm_mday != wanted) throw WrongUsage("--expires: this day does not exist");
    if (last <= now) throw WrongUsage("--expires: this day is in the past");
    return last;
}

// A key of the operator shares its paths with customers' keys, so nginx cannot keep strangers from
// trying it. It therefore always has addresses.
std::vector<std::string> addresses(const Call& call)
{
    std::vector<std::string> ranges;
    for (const char* option : {"from", "addresses"}) {
        if (!call.has(option)) continue;
        for (const auto& text : call.options[option].as<std::vector<std::string>>()) {
            for (auto& range : strings::words(text, " ,")) ranges.push_back(std::move(range));
        }
    }
    if (ranges.empty() && call.has("operator")) return {"127.0.0.1", "::1"};
    return ranges;
}

int key_add(const Call& call)
{
    if (call.has("operator") == call.has("account"))
        throw WrongUsage("give either --account NAME or --operator");
    if (call.has("operator") && call.has("domain"))
        throw WrongUsage("--domain is for the key of an account; a key with --operator is for all");
    admin::NewKey wanted{.account_id = 0,
                         .domain = {},
                         .is_read_only = call.has("read-only"),
                         .expires_at = call.has("expires") ? expiry(call.text("expires")) : 0,
                         .addresses = addresses(call),
                         .label = call.text("label")};
    if (call.has("domain")) wanted.domain = call.domain(call.text("domain"));
    auto connection = call.connect();
    admin::Admin admin{connection};
    if (call.has("account")) wanted.account_id = admin.account_id(call.text("account"));
    const auto key = admin.add_key(wanted);
    if (call.has("operator"))
        std::cerr << "It may do everything, for every account, from "
                  << strings::joined(wanted.addresses, ", ") << ". ";
    if (wanted.expires_at != 0)
        std::cerr << "Valid through " << admin::last_moment(wanted.expires_at) << ". ";
    std::cerr
        << "Key " << key.id()
        << " added. It is shown only once. Clients send it as the password of the user api:\n";
    std::cout << key.text() << '\n';
    return 0;
}

po::options_description key_list_options()
{
    po::options_description options;
    options.add_options()("account", po::value<std::string>()->value_name("NAME"),
                          "list only the keys of this account");
    return options;
}

int key_list(const Call& call)
{
    auto connection = call.connect();
    print(admin::Admin{connection}.keys(call.text("account")));
    return 0;
}

int key_revoke(const Call& call)
{
    const auto& id = call.arguments[0];
    if (id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string::npos) {
        throw admin::Refused(
            "the id of a key has lower-case letters and digits only; mailboxctl key list shows it in the first column");
    }
    auto connection = call.connect();
    admin::Admin{connection}.revoke_key(id);
    std::cout << "Key " << id << " revoked; it is refused from now on.\n";
    return 0;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"key add",
         {},
         "create an API key and print it once",
         "Only the key goes to standard output. Clients send it as the password of the user api (HTTP Basic).\n"
         "A key of an account may change its mailboxes and create further keys that may no more than it; with --read-only it\n"
         "may list only. A key with --operator may do everything that mailboxctl can, for every account, over HTTP. It works\n"
         "from the given addresses only, by default from this machine (127.0.0.1 and ::1).",
         key_add_options,
         key_add,
         Prints::secret},
        {"key list",
         {},
         "list the keys, without their secrets",
         "",
         key_list_options,
         key_list,
         Prints::listing},
        {"key revoke",
         {"ID"},
         "revoke an API key: it is refused from now on",
         "ID is the first column of key list. It is also the 10 characters that follow mbx- in the key.",
         no_options,
         key_revoke},
    };
}

}  // namespace key_commands
