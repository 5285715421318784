// uidlist_test.cc - Dovecot's lists of UIDs, Courier's, and the merging of two.

#include "peers/uidlist.h"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <set>

#include "peers/uid_merge.h"

namespace {

using uid_merge::Uids;
using uidlist::List;
using Names = std::set<std::string>;

BOOST_AUTO_TEST_SUITE(uidlists)

BOOST_AUTO_TEST_CASE(version_3)
{
    const auto list = uidlist::parse(
        "3 V1796108690 N9 G7f92\n1 :a.M1,S=7:2,S\n4 W75 Pold :b\n9 :appended later\n10 :cut o");
    BOOST_TEST_REQUIRE(list.has_value());
    BOOST_TEST(list->validity == 1796108690U);
    BOOST_TEST(list->guid == "7f92");
    BOOST_TEST(list->next == 10U);  // above all records
    BOOST_TEST_REQUIRE(list->records.size() == 3U);
    BOOST_TEST(list->records[0].base == "a.M1,S=7");
    BOOST_TEST(list->records[1].uid == 4U);
    BOOST_TEST(list->records[1].extensions.size() == 2U);
    BOOST_TEST((uidlist::parse(uidlist::text_of(*list)) == list));
}

BOOST_AUTO_TEST_CASE(version_1)
{
    const auto list = uidlist::parse("1 77 5\n3 b\n2 a:2,S\n");
    BOOST_TEST_REQUIRE(list.has_value());
    BOOST_TEST(list->next == 5U);
    BOOST_TEST(list->records[0].base == "a");
    BOOST_TEST(list->records[1].base == "b");
}

BOOST_AUTO_TEST_CASE(what_is_no_list)
{
    for (const std::string text :
         {"", "\n", "2 1 1\n", "3 V0 N1\n", "3 N1\n", "garbage\n", "3 V1 N1"})
        BOOST_TEST(!uidlist::parse(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(courier)
{
    const auto list = uidlist::parse_courier("1 1132000000 8\n1 a.host,S=3\n7 b.host:2,S\n");
    BOOST_TEST_REQUIRE(list.has_value());
    BOOST_TEST(list->validity == 1132000000U);
    BOOST_TEST(list->records[1].base == "b.host");
    const auto uidls = uidlist::courier_uidls(
        "/2 9 1132000000\na.host,S=3:2,S 120 1:1132000000\nb.host 7 0:0\nc.host 7 5:0\n");
    BOOST_TEST(uidls.at("a.host,S=3") == "UID1-1132000000");
    BOOST_TEST(uidls.at("b.host") == "b.host");
    BOOST_TEST(uidls.at("c.host") == "UID5");
    BOOST_TEST(uidlist::courier_uidls("/3 9 4\na 120 1:4:0\n").at("a") == "UID1-4");
    BOOST_TEST(uidlist::courier_uidls("a'b 3\n").at("a'b") == "UID3");
}

BOOST_AUTO_TEST_CASE(formats_of_uidls)
{
    BOOST_TEST(uidlist::uidl("%08Xu%08Xv", 10, 0x6b0e7196, "f") == "0000000a6b0e7196");
    BOOST_TEST(uidlist::uidl("%v.%u", 10, 77, "f") == "77.10");
    BOOST_TEST(uidlist::uidl("%f", 10, 77, "1.M2.host") == "1.M2.host");
    for (const std::string good : {"%08Xu%08Xv", "%u", "UID%u-%v", "%f"})
        BOOST_TEST(uidlist::is_uidl_format(good), good);
    for (const std::string bad : {"", "fixed", "%v", "%g", "%", "%u %v", "%08X"})
        BOOST_TEST(!uidlist::is_uidl_format(bad), bad);
}

// --- merging --------------------------------------------------------------------------

List list(std::uint32_t validity, std::uint32_t next,
          const std::vector<std::pair<std::uint32_t, std::string>>& records)
{
    List list{.validity = validity, .next = next};
    for (const auto& [uid, base] : records) list.records.push_back({.uid = uid, .base = base});
    return list;
}

uid_merge::Wanted wanted(std::optional<List> source, std::optional<List> target, Names present,
                         Names added)
{
    uid_merge::Wanted wanted{.source = std::move(source),
                             .target = std::move(target),
                             .present = std::move(present),
                             .added = std::move(added)};
    const auto validity = wanted.source ? wanted.source->validity : 0;
    wanted.uidl = [validity](const uidlist::Record& record) {
        return uidlist::uidl(uidlist::kUidlFormat, record.uid, validity, record.base);
    };
    return wanted;
}

std::string text(const uid_merge::Merged& merged)
{
    return merged.list ? uidlist::text_of(*merged.list) : "no list";
}

BOOST_AUTO_TEST_CASE(a_folder_that_dovecot_does_not_know)
{
    const auto merged =
        uid_merge::merged(wanted(list(7, 9, {{2, "a"}, {8, "b"}}), {}, {}, {"a", "b", "c"}));
    BOOST_TEST(text(merged) == "3 V7 N10\n2 :a\n8 :b\n9 :c\n");
    BOOST_TEST((merged.uids == Uids::kept));
    BOOST_TEST(!merged.is_index_stale);
}

BOOST_AUTO_TEST_CASE(neither_has_uids)
{
    const auto merged = uid_merge::merged(wanted({}, {}, {}, {"a"}));
    BOOST_TEST(!merged.list.has_value());
    BOOST_TEST((merged.uids == Uids::made));
}

// The second pass.
BOOST_AUTO_TEST_CASE(a_source_that_has_grown)
{
    for (const bool was_used : {false, true}) {
        auto its = wanted(list(7, 12, {{2, "a"}, {8, "b"}, {11, "c"}}),
                          list(7, 9, {{2, "a"}, {8, "b"}}), {"a", "b"}, {"c"});
        its.was_used = was_used;
        const auto merged = uid_merge::merged(its);
        BOOST_TEST(text(merged) == "3 V7 N12\n2 :a\n8 :b\n11 :c\n");
        BOOST_TEST((merged.uids == Uids::kept));
        BOOST_TEST(!merged.is_index_stale);
    }
}

BOOST_AUTO_TEST_CASE(mail_came_here_meanwhile_and_nobody_has_seen_it)
{
    const auto merged =
        uid_merge::merged(wanted(list(7, 10, {{2, "a"}, {9, "b"}}),
                                 list(7, 10, {{2, "a"}, {9, "here"}}), {"a", "here"}, {"b"}));
    BOOST_TEST(text(merged) == "3 V7 N11\n2 :a\n9 :b\n10 :here\n");
    BOOST_TEST((merged.uids == Uids::kept));
    BOOST_TEST(merged.is_index_stale);
}

BOOST_AUTO_TEST_CASE(mail_came_here_meanwhile_and_was_seen)
{
    auto its = wanted(list(7, 10, {{2, "a"}, {9, "b"}}), list(7, 10, {{2, "a"}, {9, "here"}}),
                      {"a", "here"}, {"b"});
    its.was_used = true;
    const auto merged = uid_merge::merged(its);
    BOOST_TEST(text(merged) == "3 V7 N11\n2 :a\n9 :here\n10 P0000000900000007 :b\n");
    BOOST_TEST((merged.uids == Uids::appended));
    BOOST_TEST(!merged.is_index_stale);
}

BOOST_AUTO_TEST_CASE(another_uidvalidity)
{
    auto its = wanted(list(7, 10, {{2, "a"}}), list(8, 3, {{1, "here"}}), {"here"}, {"a"});
    BOOST_TEST(text(uid_merge::merged(its)) == "3 V7 N11\n2 :a\n10 :here\n");
    BOOST_TEST(!uid_merge::merged(its).is_index_stale);  // Dovecot sees the change by itself
    its.was_used = true;
    BOOST_TEST(text(uid_merge::merged(its)) == "3 V8 N4\n1 :here\n3 P0000000200000007 :a\n");
    BOOST_TEST(!uid_merge::merged(its).is_index_stale);
}

// A run ended after it had written the list; Dovecot dropped the records without a message.
BOOST_AUTO_TEST_CASE(a_run_that_was_interrupted)
{
    auto its = wanted(list(7, 10, {{2, "a"}, {9, "b"}}), list(7, 11, {{2, "a"}, {10, "here"}}),
                      {"a", "here"}, {"b"});
    for (const bool was_used : {false, true}) {
        its.was_used = was_used;
        const auto merged = uid_merge::merged(its);
        BOOST_TEST(text(merged) == "3 V7 N11\n2 :a\n9 :b\n10 :here\n");
        BOOST_TEST(merged.is_index_stale);
    }
}

// Both folders were made in the same second.
BOOST_AUTO_TEST_CASE(the_same_uidvalidity_by_chance)
{
    auto its =
        wanted(list(7, 10, {{2, "a"}, {9, "b"}}), list(7, 3, {{2, "here"}}), {"here"}, {"a", "b"});
    its.source->guid = "old";
    its.target->guid = "new";
    its.was_used = true;
    const auto merged = uid_merge::merged(its);
    BOOST_TEST(text(merged)
               == "3 V7 N5 Gnew\n2 :here\n3 P0000000200000007 :a\n4 P0000000900000007 :b\n");
    BOOST_TEST((merged.uids == Uids::appended));
}

// The same, but Dovecot has not yet written that it dropped them. Its index knows.
BOOST_AUTO_TEST_CASE(a_run_that_was_interrupted_a_moment_ago)
{
    auto its =
        wanted(list(7, 10, {{2, "a"}, {9, "b"}}), list(7, 10, {{2, "a"}, {9, "b"}}), {"a"}, {"b"});
    its.was_used = true;
    const auto merged = uid_merge::merged(its);
    BOOST_TEST(text(merged) == "3 V7 N10\n2 :a\n9 :b\n");
    BOOST_TEST(merged.is_index_stale);
}

// The old server gave a UID after the first pass, and another one than Dovecot here.
BOOST_AUTO_TEST_CASE(a_uid_that_came_later)
{
    const auto merged = uid_merge::merged(
        wanted(list(7, 5, {{3, "b"}, {4, "a"}}), list(7, 5, {{3, "a"}, {4, "b"}}), {"a", "b"}, {}));
    BOOST_TEST(text(merged) == "3 V7 N5\n3 :b\n4 :a\n");
    BOOST_TEST(merged.is_index_stale);
}

BOOST_AUTO_TEST_CASE(uidls_that_ours_would_not_be)
{
    auto its = wanted(list(7, 3, {{2, "a"}}), {}, {}, {"a"});
    its.uidl = [](const uidlist::Record&) { return "UID2-7"; };
    const auto once = uid_merge::merged(its);
    BOOST_TEST(text(once) == "3 V7 N3\n2 PUID2-7 :a\n");
    its.target = once.list;
    its.present = {"a"};
    its.added.clear();
    BOOST_TEST((uid_merge::merged(its).list == once.list));
}

BOOST_AUTO_TEST_CASE(a_source_without_uids)
{
    auto its = wanted({}, list(7, 3, {{2, "a"}}), {"a"}, {"b"});
    BOOST_TEST(text(uid_merge::merged(its)) == "3 V7 N4\n2 :a\n3 :b\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
