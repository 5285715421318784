// page_cache_test.cc - what is kept of the pages, for how long, and how much of it.

#include "mail/api_key.h"
#include "mailboxd/page_cache.h"

#include <boost/test/unit_test.hpp>

#include <string>

namespace {

using Pages = pages::Pages;

pages::Kept page(const std::string& name, std::size_t size, std::int64_t version = 1)
{
    return {.name = name, .version = {7, version}, .body = std::string(size, name[0])};
}

bool has(Pages& pages, const std::string& name)
{
    return pages.find(name) != nullptr;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pages)

BOOST_AUTO_TEST_CASE(each_thing_that_can_be_asked_has_its_name)
{
    const auto domain = *mailbox::Domain::parse("a.example");
    const auto key = api_key::Key::generate();
    const auto name = ::pages::name(key, domain, {.limit = 12, .skip = 3});
    BOOST_TEST(name == ::pages::name(key, domain, {.limit = 12, .skip = 3}));
    BOOST_TEST(name
               != ::pages::name(key, domain, {.limit = 12, .skip = 3}, mailbox::As::credentials));
    BOOST_TEST(name != ::pages::name(api_key::Key::generate(), domain, {.limit = 12, .skip = 3}));
    BOOST_TEST(
        name != ::pages::name(key, *mailbox::Domain::parse("b.example"), {.limit = 12, .skip = 3}));
    BOOST_TEST(::pages::name(key, *mailbox::Domain::parse("xn--bcher-kva.example"), {})
               != ::pages::name(key,
                                *mailbox::Domain::parse("b\xC3\xBC"
                                                        "cher.example"),
                                {}));
    BOOST_TEST(name != ::pages::name(key, domain, {.limit = 1, .skip = 23}));
    BOOST_TEST(name != ::pages::name(key, domain, {.limit = 123, .skip = 0}));
}

BOOST_AUTO_TEST_CASE(what_was_kept_is_found_as_it_was)
{
    Pages kept{10'000};
    BOOST_TEST(!has(kept, "a"));
    kept.keep(page("a", 5, 42));
    BOOST_TEST_REQUIRE(has(kept, "a"));
    BOOST_TEST(kept.find("a")->body == "aaaaa");
    BOOST_TEST(kept.find("a")->version.domain_id == 7);
    BOOST_TEST(kept.find("a")->version.number == 42);
    BOOST_TEST(!has(kept, "b"));
}

BOOST_AUTO_TEST_CASE(a_newer_one_takes_the_place)
{
    Pages kept{2000};
    for (int version = 1; version <= 100; ++version) kept.keep(page("a", 1000, version));
    BOOST_TEST_REQUIRE(has(kept, "a"));
    BOOST_TEST(kept.find("a")->version.number == 100);
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
