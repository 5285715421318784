#include "mailboxctl/command_list.h"

#include "mailboxctl/account_commands.h"
#include "mailboxctl/alias_commands.h"
#include "mailboxctl/audit_command.h"
#include "mailboxctl/domain_commands.h"
#include "mailboxctl/erase_command.h"
#include "mailboxctl/fill_in_command.h"
#include "mailboxctl/import_command.h"
#include "mailboxctl/key_commands.h"
#include "mailboxctl/mailbox_commands.h"
#include "mailboxctl/pull_command.h"
#include "mailboxctl/setup/setup.h"
#include "mailboxctl/status_command.h"
#include "mailboxctl/system_commands.h"
#include "mailboxctl/verify_command.h"
#include "mailboxctl/why.h"

namespace command {

const std::vector<Command>& all()
{
    static const auto commands = [] {
        std::vector<Command> list;
        const auto append = [&](const std::vector<Command>& group) {
            list.insert(list.end(), group.begin(), group.end());
        };
        append(account_commands::commands());
        append(domain_commands::commands());
        append(key_commands::commands());
        append(mailbox_commands::commands());
        append(alias_commands::commands());
        append(import_command::commands());
        append({pull_command::command(), verify_command::command()});
        append({status_command::command(), why::command(), erase_command::command(),
                audit_command::command()});
        append({setup::command(), fill_in_command::command()});
        append(system_commands::commands());
        return list;
    }();
    return commands;
}

}  // namespace command
