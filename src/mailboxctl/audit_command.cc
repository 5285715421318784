#include "mailboxctl/audit_command.h"

#include <string>
#include <vector>

#include "db/audit.h"

namespace audit_command {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::json_option;
using command::Prints;
using command::time_value;

po::options_description audit_options()
{
    auto options = json_option();
    options.add_options()("last",
                          po::value<std::int64_t>()->value_name("NUMBER")->default_value(100),
                          "show this many entries, the newest");
    return options;
}

std::vector<audit::Entry> entries(const Call& call, db::Connection& connection)
{
    const auto last = call.options["last"].as<std::int64_t>();
    if (last < 1) throw command::WrongUsage("--last must be 1 or more");
    if (call.arguments.empty()) return audit::all(connection, last);
    const auto& what = call.arguments[0];
    if (what.find('@') != std::string::npos) {
        const auto address = call.address(what);
        return audit::of_address(connection, address.local_part(), address.domain(), last);
    }
    const auto domain = mailbox::Domain::parse(what);
    return audit::of_name(
        connection, domain && what.find('.') != std::string::npos ? domain->name() : what, last);
}

int audit_command(const Call& call)
{
    constexpr std::int64_t kMicroseconds = 1'000'000;
    auto connection = call.connect();
    command::Listing listing{call, {"at", "actor", "client", "action", "domain", "what"}};
    for (const auto& entry : entries(call, connection)) {
        listing.add({time_value(entry.at / kMicroseconds), entry.actor, entry.client, entry.action,
                     entry.domain, entry.what});
    }
    listing.finish();
    return 0;
}

}  // namespace

command::Command command()
{
    return {
        "audit",
        {"[ADDRESS|DOMAIN|KEY]"},
        "show who changed what",
        "For an address, for everything in a domain, for everything that a key did (KEY is its id), or for an account; without an\n"
        "argument, the newest changes of all. The operator is whoever used mailboxctl.",
        audit_options,
        audit_command,
        Prints::listing};
}

}  // namespace audit_command
