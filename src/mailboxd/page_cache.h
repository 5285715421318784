// page_cache.h - the pages that this worker listed most recently, as they were answered.
//
// A cached page may be stale. Each is kept with the version of the domain that it was read at, and
// must not be answered before the database has confirmed that version and the key
// (Store::confirm). So a list shows every change that was acknowledged before it, from any worker,
// and a revoked key is refused at once.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>

#include "db/mailboxes.h"
#include "mail/address.h"

namespace pages {

// Everything that the answer to a list depends on, apart from the domain's version. The handler
// lists from this value alone, and all of its members are compared.
struct ListRequest {
    std::string key_sha256;  // of the whole API key, so another key with the same id differs
    mailbox::Domain domain;  // with the spelling that the answer repeats
    mailbox::As as;
    store::Page page;
    std::string prefix = {};  // of the local part; empty: any
    // Whether it shows the details of each mailbox. Such a page is never kept: logins, deliveries
    // and quotas change without a new version of the domain. It is a member all the same, so that
    // no request with details finds a page without them.
    bool has_details = false;

    auto operator<=>(const ListRequest&) const = default;
};

struct Kept {
    ListRequest request;
    store::Version version;
    std::string body;
};

// Keeps as many pages as fit into a number of bytes. Drops the least recently requested page first.
class Pages {
public:
    explicit Pages(std::int64_t max_bytes) : max_bytes_{max_bytes} {}

    // Returns the page, which is valid until the next keep(); nullptr if there is none.
    const Kept* find(const ListRequest& request);
    // Replaces the page of an equal request. A page that does not fit is not kept.
    void keep(Kept page);

private:
    using Place = std::list<Kept>::iterator;
    static std::int64_t size(const Kept& page);
    void forget(Place place);

    std::int64_t max_bytes_;
    std::int64_t bytes_ = 0;
    std::list<Kept> kept_;  // the most recently requested comes first
    std::map<std::reference_wrapper<const ListRequest>, Place, std::less<ListRequest>> places_;
};

}  // namespace pages
