// moving_list_test.cc - the domain changes while a page deep in it is read: the page shows one
// moment.

#include "db/mailboxes.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>

#include "db/grants.h"
#include "db/session.h"
#include "support/database.h"
#include "support/proxy.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using proxy::Fate;
using Strings = std::vector<std::string>;

namespace {

constexpr char kExecute = '\x17';
constexpr int kMailboxes = 140;

struct Page {
    std::int64_t total = 0;
    Strings names;
};

std::ostream& operator<<(std::ostream& out, const Page& page)
{
    out << page.total << ':';
    for (const auto& name : page.names) out << ' ' << name;
    return out;
}
bool operator==(const Page& left, const Page& right)
{
    return left.total == right.total && left.names == right.names;
}

// A domain with the ids 1 to 140, read through a proxy that makes a change before a chosen
// statement.
struct Moving : database::Tenant {
    Moving()
    {
        std::vector<store::NewMailbox> all;
        for (int i = 1; i <= kMailboxes; ++i) all.push_back(mailbox("u" + std::to_string(i)));
        store.create(may, all, actor);
    }

    template <typename Event>
    void before_statement(int number, Event event)
    {
        statements = 0;
        proxy.set_judge([this, number, event](std::string_view command) {
            if (command.front() == kExecute && statements++ == number) event();
            return Fate::passes;
        });
    }
    // Uses its own session, in the proxy's thread.
    void remove(const Strings& local_parts)
    {
        for (const auto& local_part : local_parts) other.remove(may, address(local_part), actor);
    }
    Page expected(const store::Page& wanted)
    {
        return {
            rows(),
            database.column(
                "SELECT local_part FROM mailbox WHERE domain_id = ? ORDER BY id LIMIT ? OFFSET ?",
                {domain_id, wanted.limit, wanted.skip})};
    }
    Page by_page(const store::Page& wanted)
    {
        return page_of(proxied.page(domain_id, domain, wanted));
    }
    // If list() returns nothing, the page is read by page(), as the API does.
    Page by_list(const store::Page& wanted)
    {
        const auto found = proxied.list(key, domain, wanted);
        return found ? page_of(found->listing) : by_page(wanted);
    }
    static Page page_of(const store::Listing& listing)
    {
        Page page{listing.total, {}};
        for (const auto& item : listing.items) page.names.push_back(item.local_part);
        return page;
    }

    support::Directory directory;
    proxy::Proxy proxy{database.config().db, directory.path("proxy.sock")};
    Config proxied_config = [this] {
        auto config = database.config();
        config.db.socket = directory.path("proxy.sock");
        return config;
    }();
    db::Session proxied_session = database::session(proxied_config);
    store::Store proxied{proxied_session};
    db::Session other_session = database::session(database.config());
    store::Store other{other_session};
    const grants::Grant may = grant();
    std::atomic<int> statements = 0;
};

struct Change : support::Row {
    store::Page wanted;
    void (*happen)(Moving& domain);
};

const Change kChanges[] =
    {
        {"one in front goes away", {5, 130}, [](Moving& domain) { domain.remove({"u7"}); }},
        {"many in front go away",
         {5, 134},
         [](Moving& domain) {
    domain.remove({"u1", "u2", "u60", "u127", "u128", "u129"});
         }},
        {"the last ones go away",
         {5, 138},
         [](Moving& domain) {
    domain.remove({"u139", "u140"});
         }},
             {"one goes away, one is added",
              {5, 130},
              [](Moving& domain) {
    domain.remove({"u7"});
    domain.other.create(domain.may, {domain.mailbox("new")}, domain.actor);
              }},
    {"one is added at the end",
     {5, 139},
     [](Moving& domain) {
    domain.other.create(domain.may, {domain.mailbox("new")}, domain.actor);
     }},
    {"one is added after the end",
     {5, 140},
     [](Moving& domain) {
    domain.other.create(domain.may, {domain.mailbox("new")}, domain.actor);
     }},
    {"one of the page goes away", {5, 130}, [](Moving& domain) { domain.remove({"u132"}); }},
    };

}  // namespace

BOOST_AUTO_TEST_SUITE(store)

// The change comes before each statement in turn, until there is none.
BOOST_DATA_TEST_CASE(a_page_of_a_domain_that_changes,
                     data::make(kChanges) * data::make({false, true}), change, is_list)
{
    for (int number = 0;; ++number) {
        Moving domain;
        domain.by_list({1, 0});  // connects
        const auto before = domain.expected(change.wanted);
        domain.before_statement(number, [&] { change.happen(domain); });
        const auto found = is_list ? domain.by_list(change.wanted) : domain.by_page(change.wanted);
        const bool has_happened = domain.statements > number;
        domain.proxy.set_judge({});
        if (!has_happened) {
            BOOST_TEST(found == before, found << " instead of " << before);
            BOOST_TEST(number > 1);  // there is more than one place
            break;
        }
        const auto after = domain.expected(change.wanted);
        BOOST_TEST((found == before || found == after),
                   "in front of statement " << number << ": " << found << "\ninstead of " << after);
    }
}

BOOST_AUTO_TEST_SUITE_END()
