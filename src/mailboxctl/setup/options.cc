#include "mailboxctl/setup/options.h"

#include "base/strings.h"

namespace setup {
namespace {

struct Named {
    const char* name;
    std::string Options::*value;
};
// The password of the database's administrator is asked for each time.
constexpr std::array<Named, 10> kTexts{{{"host", &Options::host},
                                        {"domain", &Options::domain},
                                        {"account", &Options::account},
                                        {"db-host", &Options::db_host},
                                        {"db-name", &Options::db_name},
                                        {"db-admin-user", &Options::db_admin_user},
                                        {"certificate", &Options::certificate},
                                        {"key", &Options::key},
                                        {"certbot", &Options::certbot},
                                        {"store", &Options::store}}};

}  // namespace

std::map<std::string, std::string> remembered(const Options& options)
{
    std::map<std::string, std::string> all;
    for (const auto& [name, value] : kTexts) all[name] = options.*value;
    all["forward"] = options.forwards ? "yes" : "no";
    all["rehash"] = options.rehashes ? "yes" : "no";
    all["only"] = strings::joined(options.only, ",");
    return all;
}

void recall(Options& options, const std::map<std::string, std::string>& remembered)
{
    const auto find = [&](const char* name) {
        const auto found = remembered.find(name);
        return found == remembered.end() ? std::string{} : found->second;
    };
    for (const auto& [name, value] : kTexts) options.*value = find(name);
    options.forwards = find("forward") == "yes";
    options.rehashes = find("rehash") == "yes";
    for (const auto& part : strings::words(find("only"), ",")) options.only.insert(part);
}

}  // namespace setup
