// config.h - every setting with its default and unit, in one struct.
//
// Read once at start (and again on SIGHUP), checked whole, passed down as
// `const Config&`. Nothing else reads files of settings; of the environment the programs
// read what a service manager sets (notify.h) and nothing else. A `#` begins a comment
// wherever it stands, so no value can hold one.
// Complains by throwing Problems: all of them at once, each with file and line.
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

struct Config {
    std::string path;  // of the file that all this was read from

    // How a program reaches the database. A socket, if given, wins over host and port.
    struct Database {
        std::string socket;  // path of the server's unix socket
        std::string host = "127.0.0.1";
        std::uint16_t port = 3306;
        std::string name = "mailboxd";
        std::string user = "mailboxd_api";
        std::string password_file;                          // its first line is the password
        std::string password_setting = "db_password_file";  // which names that file
        // Reads it: at start as root, on SIGHUP as `user`. Throws Problems.
        std::string password() const;
    };

    std::string socket = "/run/mailboxd/mailboxd.sock";  // FastCGI; mode 0660
    // A second pool for POST, PUT and DELETE, so that lists do not wait behind password
    // hashes; nginx chooses by method. Empty: one pool answers everything.
    std::string write_socket;
    std::string socket_group;    // group of the sockets: nginx's; empty: as started
    std::string user;            // taken on when started as root; empty: stay
    unsigned workers = 4;        // processes that read
    unsigned write_workers = 4;  // processes that write, so passwords hashed at once
    // How many requests may wait in a socket's queue: nginx answers 503 for those beyond it, with a
    // line in its error log. The kernel cuts it to net.core.somaxconn, unix(7). For sockets that a
    // service manager hands over, its setting counts.
    int backlog = 4096;
    // How many changes may wait for a worker (gate.h). Beyond that the account that has most of
    // them gets 503.
    std::size_t waiting_changes = 512;
    unsigned max_requests = 100'000;  // a worker is replaced after so many; 0: never
    std::string log_file;             // opened as `user`, again on SIGUSR1; empty: standard error
    std::chrono::seconds request_deadline{
        30};                              // hashing included; below nginx's fastcgi_read_timeout
    std::chrono::seconds io_timeout{10};  // for one read from or write to nginx
    std::chrono::seconds stop_grace{35};  // from TERM to KILL; above the deadline

    Database db;          // mailboxd
    Database ctl_db;      // mailboxctl: same server, user of its own
    Database janitor_db;  // mailboxctl janitor, likewise
    // Dovecot's and Postfix's own users. mailboxctl check looks at their rights only where it has
    // their passwords, and mailboxctl postfix-policy is Postfix's user.
    Database dovecot_db;
    Database postfix_db;
    std::chrono::seconds db_connect_timeout{2};
    std::chrono::seconds db_timeout{10};  // for one answer of the server

    std::size_t max_body = 65'536;  // bytes; nginx's client_max_body_size says the same
    std::int64_t max_limit = 1000;  // greatest page of a list
    std::int64_t kept_pages =
        1 << 20;  // bytes; what a worker keeps of the pages it listed last (pages.h); 0: nothing
    std::size_t min_password = 5;    // characters; the original's documented minimum
    std::size_t max_password = 128;  // characters
    // Argon2id with one lane. 19 MiB and 2 passes: the least that OWASP recommends.
    std::size_t argon2_memory_kib = 19'456;
    unsigned argon2_passes = 2;

    // Of mailboxctl, for what is done to the mail itself.
    std::string store;       // the mail store's folder
    std::string store_user;  // its owner, taken on when started as root; empty: stay
    // Where Dovecot's doveadm listens for HTTP: a port on 127.0.0.1, or the path of a socket.
    std::string doveadm;
    std::string doveadm_key_file;        // its first line is Dovecot's doveadm_api_key
    std::string doveadm_key() const;     // likewise read as root; throws Problems
    std::chrono::days deleted_for{7};    // how long a deleted mailbox can be restored
    std::chrono::days audited_for{400};  // how long the audit log goes back
    std::int64_t domain_quota = 0;       // quota_bytes of a new domain, such as 2G; 0: none
    std::int64_t send_limit = 200;  // recipients that a mailbox may send to in an hour; 0: no limit

    // Of mailboxctl check alone.
    std::string postfix;                // the folder of Postfix's main.cf
    std::vector<std::string> tls_urls;  // what clients reach by TLS: https, imaps, pop3s, smtps;
                                        // smtp, imap, pop3 with STARTTLS
    std::string tls_ca_file;            // whom they trust; empty: the system's authorities

    struct Problems : std::runtime_error {
        explicit Problems(const std::vector<std::string>& sentences);
    };
    static Config read(const std::string& path);

    // A number of bytes, with K, M, G or T behind it 1024 times as much and so on; at most 1024T.
    static std::optional<std::int64_t> size(std::string_view text);

    // Who reaches the database, each as a user of its own.
    static const std::array<Database Config::*, 5> kDatabases;
};
