// closing.h - what `mailboxctl setup` tells at its end: DNS records, and lines to paste.
#pragma once

#include <string>
#include <vector>

#include "mailboxctl/setup/options.h"

namespace setup {

// The records that the server and the domain need, as lines of zone files.
std::vector<std::string> dns_records(const Options& options);

// Commands that make a mailbox, send mail to it, and read it by IMAP. `certificate`: the
// self-signed one, which curl must be told to trust; empty otherwise.
std::vector<std::string> lines_to_paste(const Options& options, const std::string& certificate);

}  // namespace setup
