// hangup.h - whether a client of nginx has closed its end of a TCP connection.
//
// nginx could tell by closing its connection to us, but then a client that only closes its own
// direction would get no answer to anything. So nginx goes on, and the kernel is asked where it
// matters (sock_diag(7)).
#pragma once

#include <string_view>

namespace hangup {

// `connection`: the client's address and port and nginx's own, with blanks between them, as nginx
// passes them. Returns true if the client has closed its end, wholly or in one direction, which
// look the same. False if it has not, or if that cannot be told: another network namespace, no TCP,
// no such connection.
bool is_closed_by_client(std::string_view connection);

}  // namespace hangup
