#include "mailboxd/alias_answers.h"

#include "base/json.h"
#include "mailboxd/answers.h"

namespace answers {
namespace {

using json::array;
using json::Members;

Members members_of(const alias::Alias& alias)
{
    return {{"actions", array(alias.actions, json::quoted)},
            {"created_at", date(alias.created_at)},
            {"description", alias.description},
            {"expression", alias.expression},
            {"id", alias.id},
            {"priority", alias.priority}};
}

}  // namespace

std::string routes(const alias::Page& page)
{
    const auto items = array(
        page.items, [](const alias::Alias& each) { return json::value_of(members_of(each)).json; });
    return json::object({{"items", items}, {"total_count", page.total}});
}

std::string route(const alias::Alias& alias)
{
    return json::object({{"route", json::value_of(members_of(alias))}});
}

std::string new_route(const alias::Alias& alias)
{
    return json::object({{"message", std::string{"Route has been created"}},
                         {"route", json::value_of(members_of(alias))}});
}

std::string changed_route(const alias::Alias& alias)
{
    auto members = members_of(alias);
    members.emplace_back("message", std::string{"Route has been updated"});
    members.emplace_back("route", json::value_of(members_of(alias)));
    return json::object(members);
}

std::string deleted_route(const alias::Alias& alias)
{
    return json::object({{"id", alias.id}, {"message", std::string{"Route has been deleted"}}});
}

}  // namespace answers
