// sockets.h - who can use the sockets of the service, besides nginx.
#pragma once

#include "base/check_result.h"
#include "base/config.h"

namespace sockets {

// Looks at the files of `socket` and `write_socket`. Whoever can use one can pretend to call from
// any address and can occupy workers. Everybody is wrong. More accounts than one are a note, and so
// are other programs than nginx that run as the one; root and this process's own account do not
// count. A socket that is not there is well: others report it.
check::Result are_for_nginx(const Config& config);

}  // namespace sockets
