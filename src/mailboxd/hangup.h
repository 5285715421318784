// hangup.h - whether a client of nginx has closed its end of a TCP connection.
//
// nginx could be configured to close its connection to us then. But a client that closes only its
// own direction would then get no answer at all. So nginx keeps the connection open, and we ask the
// kernel (sock_diag(7)) before expensive work.
#pragma once

#include <string_view>

namespace hangup {

// Returns true if the client has closed its end. Closing it completely and closing one direction
// look the same. Returns false if the client has not closed it, or if that is unknown: another
// network namespace, not TCP, no such connection. `connection`: the client's address and port, then
// nginx's, separated by spaces, as nginx passes them.
bool is_closed_by_client(std::string_view connection);

}  // namespace hangup
