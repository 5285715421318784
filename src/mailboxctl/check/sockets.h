// sockets.h - who can use the sockets of the service, besides nginx.
#pragma once

#include "base/check_result.h"
#include "base/config.h"

namespace check {

// Examines the files of `socket` and `write_socket`. Anyone who can use one can forge any client
// address and occupy workers. Wrong if every user can; a note if more than one account can, or if
// other programs than nginx run as the one account. Root and this process's own account do not
// count. A missing socket is reported by the check of the service, not here.
Result sockets(const Config& config);

}  // namespace check
