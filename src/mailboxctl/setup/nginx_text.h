// nginx_text.h - finds the servers in nginx's configuration files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nginx_text {

struct Server {
    std::vector<std::string> names;
    std::vector<std::string> listens;  // the parameters of each listen, for example "443 ssl"
    std::string certificate, key;      // empty: none
    std::size_t end = 0;               // where the closing brace stands in the text
    bool has_tls() const;
};

// Returns the servers of one file. A server whose block is not closed in the same file is left out.
std::vector<Server> servers(std::string_view text);

// Returns the value of a directive outside of all blocks, for example `user`; empty if there is
// none.
std::string directive(std::string_view text, std::string_view name);

// Returns the text with a line before the closing brace of the server of this name that has TLS;
// the text unchanged if there is no such server.
std::string with_line(std::string_view text, std::string_view server_name, std::string_view line);

}  // namespace nginx_text
