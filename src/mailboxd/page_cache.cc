#include "mailboxd/page_cache.h"

#include <iterator>
#include <utility>

namespace pages {

const Kept* Pages::find(const ListRequest& request)
{
    const auto found = places_.find(request);
    if (found == places_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, found->second);
    return &kept_.front();
}

void Pages::keep(Kept page)
{
    if (const auto older = places_.find(page.request); older != places_.end())
        forget(older->second);
    if (size(page) > max_bytes_) return;
    bytes_ += size(page);
    kept_.push_front(std::move(page));
    places_.emplace(kept_.front().request, kept_.begin());
    while (bytes_ > max_bytes_) forget(std::prev(kept_.end()));
}

// Returns the size of the page's texts plus an estimate of what the list and the map need for it.
std::int64_t Pages::size(const Kept& page)
{
    constexpr std::int64_t kOverhead = 200;
    const auto& request = page.request;
    const auto texts = request.key_sha256.size() + request.domain.name().size()
                       + request.domain.text().size() + request.prefix.size()
                       + page.body.capacity();
    return static_cast<std::int64_t>(texts) + kOverhead;
}

void Pages::forget(Place place)
{
    bytes_ -= size(*place);
    places_.erase(place->request);
    kept_.erase(place);
}

}  // namespace pages
