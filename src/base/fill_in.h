// fill_in.h - fills in the templates of /usr/share/mailboxd: replaces each @NAME@ by its value.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace fill_in {

using Values = std::map<std::string, std::string>;

// Returns the text with each @NAME@ that has a value replaced. Lines that begin with # (after
// blanks) stay as they are, because a file that everybody may read must not get a password through
// a comment. A value is not searched for names again.
std::string filled(std::string_view text, const Values& values);

}  // namespace fill_in
