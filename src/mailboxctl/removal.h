// removal.h - removing an account or a domain: the sentences that say what goes with it and how it
// can be restored, and the confirmation by the operator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/accounts.h"
#include "mailboxctl/command.h"

namespace removal {

// Adds --yes.
boost::program_options::options_description yes_option();

// Returns the count with its noun: "1 mailbox", "2 mailboxes".
std::string counted(std::int64_t count, const std::string& thing);

enum class Level { account, domain };

// Returns what is removed together with an account or a domain, as a clause.
std::string text_of(const admin::Admin::Contents& contents, Level level);

// Returns how the removed domain, or the domains of the removed account, can be restored.
std::string how_to_restore(const command::Call& call, const std::string& domain);
std::string how_to_restore(const command::Call& call, const std::vector<std::string>& domains);

// Asks the operator to type the name, unless --yes was given. Throws admin::Refused if something
// else is typed or if standard input is no terminal.
void confirm(const command::Call& call, const std::string& what, const std::string& name,
             const std::string& contents, const std::string& how_to_restore);

}  // namespace removal
