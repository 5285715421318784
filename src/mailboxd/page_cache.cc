#include "mailboxd/page_cache.h"

#include "mail/api_key.h"

namespace pages {

std::string name(const api_key::Key& key, const mailbox::Domain& domain, const store::Page& page,
                 mailbox::As as)
{
    auto text = key.sha256();
    text += as == mailbox::As::mailbox ? " mailboxes " : " credentials ";
    text += domain.text();  // the page names it as it was asked for
    text += ' ' + std::to_string(page.limit) + ' ' + std::to_string(page.skip);
    return text;
}

const Kept* Pages::find(const std::string& name)
{
    const auto found = places_.find(name);
    if (found == places_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, found->second);
    return &kept_.front();
}

void Pages::keep(Kept page)
{
    if (const auto older = places_.find(page.name); older != places_.end()) forget(older->second);
    if (size(page) > most_bytes_) return;
    bytes_ += size(page);
    kept_.push_front(std::move(page));
    places_.emplace(kept_.front().name, kept_.begin());
    while (bytes_ > most_bytes_) forget(std::prev(kept_.end()));
}

// What its two texts take, and about what the list and the table take beside them.
std::int64_t Pages::size(const Kept& page)
{
    constexpr std::int64_t kBeside = 200;
    return static_cast<std::int64_t>(page.name.capacity() + page.body.capacity()) + kBeside;
}

void Pages::forget(Place place)
{
    bytes_ -= size(*place);
    places_.erase(place->name);
    kept_.erase(place);
}

}  // namespace pages
