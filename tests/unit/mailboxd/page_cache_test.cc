// page_cache_test.cc - which pages are cached, for how long, and within which size.

#include "mailboxd/page_cache.h"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using Pages = pages::Pages;
using pages::ListRequest;

mailbox::Domain domain(std::string_view name)
{
    return mailbox::Domain::parse(name).value();
}

ListRequest request(const std::string& name)
{
    return {.key_sha256 = name,
            .domain = domain("a.example"),
            .as = mailbox::As::mailbox,
            .page = {.limit = 12, .skip = 3}};
}

pages::Kept page(const std::string& name, std::size_t size, std::int64_t version = 1)
{
    return {.request = request(name), .version = {7, version}, .body = std::string(size, name[0])};
}

bool has(Pages& pages, const std::string& name)
{
    return pages.find(request(name)) != nullptr;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pages)

// A new member of either type does not compile here. Add it to the list, and a request below that
// differs in it.
BOOST_AUTO_TEST_CASE(requests_that_differ_in_one_member_have_different_pages)
{
    const auto asked = request("key");
    const auto& [key_sha256, name, as, list_page, prefix, has_details] = asked;
    const auto& [limit, skip] = list_page;
    const std::vector<ListRequest> others{
        {"another", name, as, list_page},
        {key_sha256, domain("b.example"), as, list_page},
        {key_sha256, name, mailbox::As::credentials, list_page},
        {key_sha256, name, as, {limit + 1, skip}},
        {key_sha256, name, as, {limit, skip + 1}},
        {key_sha256, name, as, list_page, "a"},
        {key_sha256, name, as, list_page, prefix, !has_details},
    };
    Pages kept{10'000};
    kept.keep({.request = asked, .version = {7, 1}, .body = "body"});
    BOOST_TEST((kept.find(ListRequest{key_sha256, name, as, {limit, skip}}) != nullptr));
    for (const auto& other : others) {
        BOOST_TEST((kept.find(other) == nullptr), &other - others.data());
        kept.keep({.request = other, .version = {7, 1}, .body = "other"});
    }
    BOOST_TEST_REQUIRE((kept.find(asked) != nullptr));
    BOOST_TEST(kept.find(asked)->body == "body");
}

// The answer repeats the domain's name as it was written.
BOOST_AUTO_TEST_CASE(a_domain_in_unicode_and_in_ascii_have_different_pages)
{
    auto ascii = request("key");
    ascii.domain = domain("xn--bcher-kva.example");
    auto in_unicode = request("key");
    in_unicode.domain = domain("b\xC3\xBC"
                               "cher.example");
    Pages kept{10'000};
    kept.keep({.request = ascii, .version = {7, 1}, .body = "body"});
    BOOST_TEST((kept.find(in_unicode) == nullptr));
}

BOOST_AUTO_TEST_CASE(what_was_kept_is_found_as_it_was)
{
    Pages kept{10'000};
    BOOST_TEST(!has(kept, "a"));
    kept.keep(page("a", 5, 42));
    BOOST_TEST_REQUIRE(has(kept, "a"));
    BOOST_TEST(kept.find(request("a"))->body == "aaaaa");
    BOOST_TEST(kept.find(request("a"))->version.domain_id == 7);
    BOOST_TEST(kept.find(request("a"))->version.number == 42);
    BOOST_TEST(!has(kept, "b"));
}

BOOST_AUTO_TEST_CASE(a_newer_one_takes_the_place)
{
    Pages kept{2000};
    for (int version = 1; version <= 100; ++version) kept.keep(page("a", 1000, version));
    BOOST_TEST_REQUIRE(has(kept, "a"));
    BOOST_TEST(kept.find(request("a"))->version.number == 100);
}

BOOST_AUTO_TEST_CASE(what_was_not_asked_for_longest_goes_first)
{
    Pages kept{4000};
    for (const auto* name : {"a", "b", "c"}) kept.keep(page(name, 1000));
    BOOST_TEST(has(kept, "a"));
    kept.keep(page("d", 1000));
    BOOST_TEST(has(kept, "a"));
    BOOST_TEST(!has(kept, "b"));
    BOOST_TEST(has(kept, "c"));
    BOOST_TEST(has(kept, "d"));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_not_kept_nor_what_it_would_have_replaced)
{
    Pages kept{4000};
    kept.keep(page("a", 1000));
    kept.keep(page("b", 1000));
    kept.keep(page("a", 5000, 2));
    BOOST_TEST(!has(kept, "a"));
    BOOST_TEST(has(kept, "b"));
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_where_nothing_may_be)
{
    Pages kept{0};
    kept.keep(page("a", 1));
    BOOST_TEST(!has(kept, "a"));
}

BOOST_AUTO_TEST_CASE(many_small_ones_take_no_more_than_they_may)
{
    Pages kept{20'000};
    int found = 0;
    for (int i = 0; i < 1000; ++i) kept.keep(page("page " + std::to_string(i), 20));
    for (int i = 0; i < 1000; ++i) found += has(kept, "page " + std::to_string(i)) ? 1 : 0;
    BOOST_TEST(found > 50);
    BOOST_TEST(found < 100);
    BOOST_TEST(has(kept, "page 999"));
}

BOOST_AUTO_TEST_SUITE_END()
