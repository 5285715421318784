// alias_answers.h - aliases → the JSON of the original's routes, member for member.
#pragma once

#include <string>

#include "db/aliases.h"

namespace answers {

std::string routes(const alias::Page& page);
std::string route(const alias::Alias& alias);
std::string new_route(const alias::Alias& alias);
// Returns the members of the route twice: in the answer itself, as the original sends them, and in
// `route`, as its reference says. Clients of both kinds exist.
std::string changed_route(const alias::Alias& alias);
std::string deleted_route(const alias::Alias& alias);

}  // namespace answers
