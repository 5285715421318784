// secret_test.cc - a secret's bytes are gone before its memory is given back.

#include "base/secret.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "support/support.h"

namespace {

// The block that is looked at while it is given back, and what was in it then.
struct Watch {
    const char* block = nullptr;
    std::size_t size = 0;
    std::optional<std::string> last;
};
Watch watch;

// What was in the secret's memory in the moment it was given back; nothing if it was not.
template <typename End>
std::optional<std::string> left_behind(const char* block, std::size_t size, End end)
{
    watch = {block, size, {}};
    end();
    watch.block = nullptr;
    return std::exchange(watch.last, {});
}

void note(const void* memory)
{
    if (memory == nullptr || memory != watch.block) return;
    watch.block = nullptr;
    watch.last.emplace(static_cast<const char*>(memory), watch.size);
}

}  // namespace

// For the whole test program: in an operator delete the bytes may still be read.
void* operator new[](std::size_t size)
{
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc{};
    return memory;
}
void operator delete[](void* memory) noexcept
{
    note(memory);
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept
{
    ::operator delete[](memory);
}

BOOST_AUTO_TEST_SUITE(secret)

// Without this the other tests would not show anything.
BOOST_AUTO_TEST_CASE(what_is_not_wiped_is_seen)
{
    auto* const block = new char[8];
    std::copy_n("password", 8, block);
    const auto last = left_behind(block, 8, [&] { delete[] block; });
    BOOST_TEST_REQUIRE(last.has_value());
    BOOST_TEST(*last == "password");
}

BOOST_AUTO_TEST_CASE(holds_what_it_was_given)
{
    BOOST_TEST(Secret{"password"}.text() == "password");
    BOOST_TEST(Secret{support::bytes("a\0b")}.text() == support::bytes("a\0b"));
    BOOST_TEST(Secret{""}.text() == "");
    BOOST_TEST(Secret{}.text() == "");
    BOOST_TEST(Secret{std::string_view{}}.size() == 0U);
}

BOOST_AUTO_TEST_CASE(begins_zeroed_and_can_be_filled)
{
    Secret secret{std::size_t{4}};
    BOOST_TEST(secret.text() == support::bytes("\0\0\0\0"));
    std::memcpy(secret.data(), "abcd", 4);
    BOOST_TEST(secret.text() == "abcd");
}

BOOST_AUTO_TEST_CASE(is_wiped_when_it_ends)
{
    std::optional<Secret> secret{std::in_place, "password"};
    const auto last = left_behind(secret->data(), 8, [&] { secret.reset(); });
    BOOST_TEST_REQUIRE(last.has_value());
    BOOST_TEST(*last == std::string(8, '\0'));
}

BOOST_AUTO_TEST_CASE(moves_without_a_copy)
{
    Secret first{"password"};
    const char* const block = first.data();
    Secret second{std::move(first)};
    BOOST_TEST((second.data() == block));
    BOOST_TEST(second.text() == "password");
    BOOST_TEST(first.text() == "");  // NOLINT: what was moved from is empty, that is the promise
}

BOOST_AUTO_TEST_CASE(is_wiped_when_another_takes_its_place)
{
    std::optional<Secret> target{std::in_place, "password"};
    std::optional<Secret> source{std::in_place, "another"};
    const auto last = left_behind(target->data(), 8, [&] {
        *target = std::move(*source);
        source.reset();
    });
    BOOST_TEST(target->text() == "another");
    BOOST_TEST_REQUIRE(last.has_value());
    BOOST_TEST(*last == std::string(8, '\0'));
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_is_wiped)
{
    std::optional<Secret> secret{std::in_place, "password"};
    secret->shrink(4);
    BOOST_TEST(secret->text() == "pass");
    BOOST_TEST((std::string_view{secret->data(), 8} == support::bytes("pass\0\0\0\0")));
    const auto last = left_behind(secret->data(), 8, [&] { secret.reset(); });
    BOOST_TEST_REQUIRE(last.has_value());
    BOOST_TEST(*last == std::string(8, '\0'));
}

BOOST_AUTO_TEST_SUITE_END()
