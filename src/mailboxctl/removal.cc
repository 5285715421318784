#include "mailboxctl/removal.h"

#include <unistd.h>

#include <cctype>
#include <iostream>

#include "base/strings.h"

namespace removal {

namespace po = boost::program_options;
using command::Call;

po::options_description yes_option()
{
    po::options_description options;
    options.add_options()("yes", "do not ask for the name");
    return options;
}

std::string counted(std::int64_t count, const std::string& thing)
{
    return std::to_string(count) + " " + thing
           + (count == 1             ? ""
              : thing.ends_with('x') ? "es"
                                     : "s");
}

// Returns what is deleted with an account or a domain, as words of a sentence.
std::string text_of(const admin::Admin::Contents& contents, Level level)
{
    const bool is_account = level == Level::account;
    std::string text;
    if (is_account) {
        constexpr std::size_t kNamed = 10;
        auto names = contents.domains;
        const bool has_more = names.size() > kNamed;
        if (has_more) names.resize(kNamed);
        text = counted(std::ssize(contents.domains), "domain")
               + (names.empty()
                      ? ""
                      : " (" + strings::joined(names, ", ") + (has_more ? ", ..." : "") + ")")
               + ", ";
    }
    text += counted(contents.mailboxes, "mailbox") + " with " + std::to_string(contents.bytes)
            + " bytes of mail";
    if (contents.aliases > 0)
        text += ", " + std::to_string(contents.aliases)
                + (contents.aliases == 1 ? " alias" : " aliases");
    if (is_account) text += ", " + counted(contents.keys, "key") + " of the account";
    text += ", " + counted(contents.domain_keys, "key")
            + (is_account ? " of its domains" : " of its own");
    if (!contents.settings.empty())
        text += ", and the " + (is_account ? std::string{"account's "} : std::string{})
                + "settings " + strings::joined(contents.settings, ", ");
    return text;
}

namespace {

std::string days(const Call& call)
{
    return counted(call.config.deleted_for.count(), "day");
}

}  // namespace

std::string how_to_restore(const Call& call, const std::string& domain)
{
    if (call.config.deleted_for.count() == 0)
        return "It cannot be restored, because deleted_for is 0.";
    return "For " + days(call) + " (deleted_for) mailboxctl domain restore " + domain
           + " restores all of it. After that its mail is removed.";
}

std::string how_to_restore(const Call& call, const std::vector<std::string>& domains)
{
    const std::string of_account = "The account, its settings and its own keys cannot be restored.";
    if (domains.empty()) return of_account;
    if (call.config.deleted_for.count() == 0)
        return of_account + " Its domains cannot be restored either, because deleted_for is 0.";
    return of_account + " For " + days(call) + " (deleted_for) mailboxctl domain restore "
           + (domains.size() == 1 ? domains.front() : "DOMAIN")
           + " --account NAME restores each of its domains, into another account. After that their mail is removed.";
}

void confirm(const Call& call, const std::string& what, const std::string& name,
             const std::string& contents, const std::string& restoring)
{
    if (call.has("yes")) return;
    const auto sentence =
        "the " + what + " " + name + " has " + contents
        + ". All of that is removed: logins, mail and keys are refused from then on. " + restoring;
    if (::isatty(STDIN_FILENO) == 0)
        throw admin::Refused(sentence + " Nothing was removed; to remove it, add --yes",
                             admin::Refused::Outcome::said);
    std::cerr << static_cast<char>(std::toupper(sentence[0])) << sentence.substr(1)
              << "\nType the name of the " << what << " to remove it: ";
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != name)
        throw admin::Refused("the typed name is not " + name + ". Nothing was removed",
                             admin::Refused::Outcome::said);
}

}  // namespace removal
