// routes.h - the table of the API's paths: which operation each method starts.
//
// Everything about a path is derived from its row: the versions that may precede it, the Allow
// header, and the route's name in the log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "mail/address.h"

namespace routes {

enum class Operation {
    list_mailboxes,
    create_mailboxes,
    show_mailbox,
    change_mailbox,
    delete_mailbox,
    delete_all_mailboxes,
    list_deleted,
    restore_mailbox,
    list_domains,
    show_domain,
    create_domain,
    change_domain,
    verify_domain,
    delete_domain,
    show_tracking,
    list_accounts,
    create_account,
    delete_account,
    show_account,
    change_account,
    disable_account,
    enable_account,
    list_keys,
    create_key,
    delete_key,
    list_routes,
    create_route,
    match_route,
    show_route,
    change_route,
    delete_route,
    show_usage,
    show_audit,
};

struct Method {
    // Whether Allow names the method. It does not name one that only some domains permit.
    enum class In { every_domain, some_domains };

    std::string_view name;  // GET answers HEAD too
    Operation operation;
    In allowed_in = In::every_domain;
};

struct Path {
    std::string_view pattern;                // the route's name in the log
    std::vector<std::string_view> versions;  // the first segments that may precede it
    mailbox::As as;                          // what the path calls a mailbox
    std::vector<Method> methods;
    std::string allow_header;  // a whole line without its end
};

// Returns all paths. If two fit a request, the earlier one counts.
const std::vector<Path>& all();

// What a request's path and method lead to.
struct Match {
    const Path* path;      // never nullptr
    const Method* method;  // nullptr: the path does not have the request's method
    std::string domain;    // the segment for <domain>; empty: the pattern has none
    std::string item;  // the segment for <mailbox>, <login> or <id>; empty: the pattern has none
    bool has_trailing_slash;
};

// Finds the row for a path that http::parse() has decoded. Throws http::Error 404 if there is none.
Match find(const std::vector<std::string>& path, std::string_view method);

// Returns the operation that the method starts. Throws http::Error 405 if the path does not have
// the method.
Operation operation_of(const Match& match);
[[noreturn]] void refuse_method();

// Returns the operation under which the metrics count it.
metrics::Operation counted_as(Operation operation);

// Returns the Allow header of a pattern; empty if no path has that pattern.
std::string_view allow_header(std::string_view pattern);

// The health checks are not part of the API. nginx offers them only on this machine
// (mailboxd-health.conf) and requests exactly these two targets, so they need no key.
inline constexpr std::string_view kAlive = "/healthz";
inline constexpr std::string_view kReady = "/readyz";

}  // namespace routes
