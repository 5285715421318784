// page_cache.h - the pages that this worker listed last, as they were answered.
//
// Nothing here knows whether a page is still right, and what is taken from here is never an
// answer by itself: a page is kept with the version of the domain that it was read at, and
// who takes it asks the database first (Store::confirm). So a list sees all that was
// acknowledged before it was asked, whoever changed it, and a key is asked for each time.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "db/mailboxes.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace pages {

// What was asked for, and with which key, its secret included.
std::string name(const api_key::Key& key, const mailbox::Domain& domain, const store::Page& page,
                 mailbox::As as = mailbox::As::mailbox);

struct Kept {
    std::string name;
    store::Version version;
    std::string body;
};

// Keeps as many as fit into so many bytes, and forgets first what was not asked for longest.
class Pages {
public:
    explicit Pages(std::int64_t most_bytes) : most_bytes_{most_bytes} {}

    // Valid until the next keep(); nullptr: there is none.
    const Kept* find(const std::string& name);
    void keep(Kept page);

private:
    using Place = std::list<Kept>::iterator;
    static std::int64_t size(const Kept& page);
    void forget(Place place);

    std::int64_t most_bytes_;
    std::int64_t bytes_ = 0;
    std::list<Kept> kept_;  // the one asked for last comes first
    std::unordered_map<std::string_view, Place> places_;
};

}  // namespace pages
