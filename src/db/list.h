// list.h - pages of a domain's mailboxes, in the order of their creation.
//
// A page is one range of the primary key. skip_index.h finds where it begins. Throws db::Error.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/connection.h"
#include "db/mailbox_settings.h"
#include "db/skip_index.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace store {

struct Page {
    std::int64_t limit = 100;
    std::int64_t skip = 0;

    auto operator<=>(const Page&) const = default;
};

struct Listing {
    std::int64_t total = 0;
    std::vector<mailbox::Mailbox> items;
};

// A mailbox with everything that the keys of its domain may see. Times are seconds since 1970; 0 is
// never.
struct Details {
    std::string local_part;
    std::int64_t created_at = 0;
    std::int64_t size_bytes = 0;
    std::int64_t messages = 0;
    Quota quota_bytes;
    std::string state;
    std::int64_t last_login = 0;
    std::int64_t last_delivery = 0;
};

struct DetailedListing {
    std::int64_t total = 0;
    std::vector<Details> items;
};

// Identifies the content of a domain: its row, and the number of the row's last change. A list of
// the domain stays the same as long as its version does.
struct Version {
    std::int64_t domain_id = 0;
    std::int64_t number = 0;
};

struct GrantedListing {
    Version version;
    Listing listing;
};

// Returns whether the key may still read the domain, and the domain is still at that version.
bool confirm(db::Connection& connection, const api_key::Key& key, const Version& version);

// Reads lists, and keeps the counts of the domain that was listed last with a large skip.
// `connections`: db::Session::connections() of the connection.
class Lists {
public:
    // Returns a page of the domain if the key may read it; one statement finds out both. Empty if
    // the page is empty, if the key may not read the domain or only under conditions (for example
    // from some addresses), or if the domain changed meanwhile. The caller then finds out why, and
    // calls page().
    std::optional<GrantedListing> list(db::Connection& connection, std::int64_t connections,
                                       const api_key::Key& key, const mailbox::Domain& domain,
                                       const Page& page);
    // Returns a page, which may be empty, without asking for a key.
    Listing page(db::Connection& connection, std::int64_t connections, std::int64_t domain_id,
                 const mailbox::Domain& domain, const Page& page);
    // The same page, with the details of each mailbox.
    DetailedListing details(db::Connection& connection, std::int64_t connections,
                            std::int64_t domain_id, const mailbox::Domain& domain,
                            const Page& page);

private:
    template <typename Found>
    Found current_page(db::Connection& connection, std::int64_t connections, std::int64_t domain_id,
                       const mailbox::Domain& domain, const Page& page);
    template <typename ReadRanges>
    skip_index::Position position_of(std::int64_t connections, const mailbox::Domain& domain,
                                     std::int64_t skip, ReadRanges read_ranges);

    skip_index::Ranges ranges_;
};

}  // namespace store
