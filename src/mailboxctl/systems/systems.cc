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

}  // namespace systems
