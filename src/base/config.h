// config.h - every setting with its default and unit, in one struct.
//
// The file is read at start and again on SIGHUP, checked as a whole, and passed down as
// `const Config&`. No other module reads settings. The programs read only those environment
// variables that a service manager sets (notify.h). A `#` begins a comment anywhere in a line, so
// no value can contain one. Throws Problems with all mistakes at once, each with file and line.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

struct Config {
    std::string path;  // of the file that the settings were read from

    // How a program reaches the database. A socket takes precedence over host and port.
    struct Database {
        std::string socket;  // path of the server's unix socket
        std::string host = "127.0.0.1";
        std::uint16_t port = 3306;
        std::string name = "mailboxd";
        std::string user = "mailboxd_api";
        std::string password_file;                          // its first line is the password
        std::string password_setting = "db_password_file";  // the setting that names the file
        // Reads the file: as root at start, as `user` after SIGHUP. Returns an empty password if no
        // file is set. Throws Problems if the file cannot be read or is empty.
        std::string password() const;
    };

    std::string socket = "/run/mailboxd/mailboxd.sock";  // FastCGI; mode 0660
    // The socket of a second pool for POST, PUT and DELETE, so that lists do not wait for password
    // hashes. nginx chooses by method. Empty: one pool answers everything.
    std::string write_socket;
    // Where /metrics is answered, by HTTP (exporter.h). Empty: nowhere.
    std::string metrics_socket;
    std::string socket_group;    // group of the sockets, nginx's; empty: unchanged
    std::string user;            // the user to become if started as root; empty: stay root
    unsigned workers = 4;        // processes that read
    unsigned write_workers = 4;  // processes that write; each hashes one password at a time
    // How many requests may wait in a socket's queue. nginx answers 503 for further ones and logs
    // an error. The kernel limits it to net.core.somaxconn (unix(7)). For sockets that a service
    // manager hands over, the service manager's setting applies.
    int backlog = 4096;
    // How many changes may wait for a worker (gate.h). Beyond that, the account with the most
    // waiting changes gets 503.
    std::size_t waiting_changes = 512;
    unsigned max_requests = 100'000;  // a worker is replaced after this many; 0: never
    logging::Format log_format = logging::Format::text;
    std::string log_file;  // opened as `user`, again on SIGUSR1; empty: standard error
    std::chrono::seconds request_deadline{
        30};                              // hashing included; below nginx's fastcgi_read_timeout
    std::chrono::seconds io_timeout{10};  // for one read from or write to nginx
    std::chrono::seconds stop_grace{35};  // from TERM to KILL; above the deadline

    Database db;          // mailboxd
    Database ctl_db;      // mailboxctl: same server, its own user
    Database janitor_db;  // mailboxctl janitor, likewise
    // The database users of Dovecot and Postfix. mailboxctl check examines their rights only if
    // their passwords are available; mailboxctl postfix-policy connects as Postfix's user.
    Database dovecot_db;
    Database postfix_db;
    Database rehash_db;  // mailboxctl rehash, its own user
    std::chrono::seconds db_connect_timeout{2};
    std::chrono::seconds db_timeout{10};  // for one answer of the server

    std::size_t max_body = 65'536;  // bytes; the same as nginx's client_max_body_size
    std::int64_t max_limit = 1000;  // entries of a list's largest page
    // Bytes of a worker's cache of the pages that it listed last (page_cache.h); 0: no cache.
    std::int64_t kept_pages = 1 << 20;
    std::size_t min_password = 5;    // characters; the original's documented minimum
    std::size_t max_password = 128;  // characters
    // Argon2id with one lane. 19 MiB and 2 passes are the minimum that OWASP recommends.
    std::size_t argon2_memory_kib = 19'456;
    unsigned argon2_passes = 2;

    // The name of the mail server, for the DNS records of a domain; empty: they have no MX.
    std::string mail_host;

    // For mailboxctl, which works on the mail itself.
    std::string store;  // the mail store's folder
    // Its owner. Commands that work on the store become this user if started as root. Empty: they
    // stay root.
    std::string store_user;
    // The file that the janitor writes for Prometheus' node_exporter; empty: none.
    std::string metrics_file;
    // Where Dovecot's doveadm listens for HTTP: a port on 127.0.0.1, or the path of a socket.
    std::string doveadm;
    std::string doveadm_key_file;  // its first line is Dovecot's doveadm_api_key
    // Reads the key, as root. Throws Problems if it cannot be read or no file is set.
    std::string doveadm_key() const;
    std::chrono::days deleted_for{7};    // how long a deleted mailbox can be restored
    std::chrono::days audited_for{400};  // how long the audit log goes back
    std::int64_t domain_quota = 0;       // quota_bytes of a new domain, for example 2G; 0: none
    // Where mailboxctl rehash listens, unless a service manager hands it a socket.
    std::string rehash_socket = "/run/mailboxd-rehash/socket";
    std::int64_t send_limit = 200;  // recipients that a mailbox may send to per hour; 0: no limit
    std::int64_t forward_limit = 1000;  // messages that the aliases of a domain may send to other
                                        // servers per hour; 0: no limit

    // For mailboxctl check only.
    std::string postfix;                // the folder of Postfix's main.cf
    std::vector<std::string> tls_urls;  // what clients connect to by TLS: https, imaps, pop3s,
                                        // smtps; smtp, imap, pop3 with STARTTLS
    std::string tls_ca_file;            // the authorities that they trust; empty: the system's

    struct Problems : std::runtime_error {
        explicit Problems(const std::vector<std::string>& sentences);
    };
    // Reads and checks a file. Throws Problems.
    static Config read(const std::string& path);

    // Returns a size in bytes from a number with an optional K, M, G or T (powers of 1024). Empty
    // if the text is something else, 0 or above 1024T.
    static std::optional<std::int64_t> size(std::string_view text);

    // All database users.
    static const std::array<Database Config::*, 6> kDatabases;
};
