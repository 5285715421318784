#include "mailboxctl/systems/systems.h"

#include <algorithm>
#include <array>

namespace systems {

std::span<const System* const> all()
{
    static const std::array<const System*, 5> systems{&iredmail(), &ispconfig(), &mailcow(),
                                                      &postfixadmin(), &vimbadmin()};
    return systems;
}

const System* find(std::string_view name)
{
    const auto systems = all();
    const auto found = std::find_if(systems.begin(), systems.end(),
                                    [&](const System* each) { return each->name == name; });
    return found == systems.end() ? nullptr : *found;
}

source_tables::Wanted alias_domain_table()
{
    return {"alias_domain",
            {"alias_domain", "target_domain", "active"},
            {},
            source_tables::Wanted::Presence::may_be};
}

void alias_domains(const source_tables::Tables& tables, translation::Translation& to)
{
    for (const auto& row : tables["alias_domain"].rows())
        to.alias_domain("alias_domain", row["alias_domain"], row["target_domain"],
                        row.is_set("active", true));
}

}  // namespace systems
