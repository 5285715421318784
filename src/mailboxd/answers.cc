#include "mailboxd/answers.h"

#include <array>
#include <charconv>
#include <ctime>

#include "base/json.h"

namespace answers {
namespace {

// Writes one date after another. Neighbours in a list often have the same day, so the day's text is
// cached.
class Dates {
public:
    static constexpr std::size_t kLength =
        std::char_traits<char>::length("Tue, 27 Sep 2011 20:24:22 GMT");

    std::string_view text(std::int64_t seconds_since_1970)
    {
        constexpr std::int64_t kDay = 86'400;
        const auto second = (seconds_since_1970 % kDay + kDay) % kDay;
        const auto day = seconds_since_1970 / kDay - (seconds_since_1970 % kDay < 0 ? 1 : 0);
        if (text_.empty() || day != day_) {
            day_ = day;
            text_ = with_day_of(seconds_since_1970);
        }
        const std::array<std::int64_t, 3> parts{second / 3600, second / 60 % 60, second % 60};
        for (std::size_t i = 0; i < parts.size(); ++i)
            put_two_digits(&text_[kDayLength + 3 * i], parts[i]);
        return text_;
    }

private:
    static constexpr std::size_t kDayLength = std::char_traits<char>::length("Tue, 27 Sep 2011 ");

    static void put_two_digits(char* place, std::int64_t number)
    {
        place[0] = static_cast<char>('0' + number / 10 % 10);
        place[1] = static_cast<char>('0' + number % 10);
    }

    static std::string with_day_of(std::int64_t seconds_since_1970)
    {
        constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const std::time_t time = seconds_since_1970;
        std::tm utc{};
        ::gmtime_r(&time, &utc);
        std::string text{"Day, 00 Mon 0000 00:00:00 GMT"};
        text.replace(0, 3, kDays.at(static_cast<std::size_t>(utc.tm_wday)));
        put_two_digits(&text[5], utc.tm_mday);
        text.replace(8, 3, kMonths.at(static_cast<std::size_t>(utc.tm_mon)));
        put_two_digits(&text[12], (utc.tm_year + 1900) / 100);
        put_two_digits(&text[14], utc.tm_year + 1900);
        return text;
    }

    std::int64_t day_ = 0;  // the day of the last date, counted from 1970
    std::string text_;      // the last date; empty before the first
};

}  // namespace

std::string message(std::string_view message)
{
    return json::object({{"message", std::string{message}}});
}

std::string error(std::string_view message, std::string_view code)
{
    return json::object({{"message", std::string{message}}, {"code", std::string{code}}});
}

std::string deleted(std::string_view message, std::string_view spec)
{
    return json::object({{"message", std::string{message}}, {"spec", std::string{spec}}});
}

// cJSON writes the frame. The rows are inserted between its brackets as text, each byte once. They
// consist of digits, a date and an address, and JSON escapes none of these. A tree with four nodes
// for each row took 140 us for a page of 100.
std::string listing(std::int64_t total, const std::vector<mailbox::Mailbox>& items,
                    std::string_view domain, mailbox::As as)
{
    auto text = json::object({{"total_count", total}, {"items", json::Written{"[]"}}});
    constexpr std::string_view kEnd = "]}\n";
    text.resize(text.size() - kEnd.size());

    constexpr std::string_view kSize = R"(,{"size_bytes":)", kDate = R"(,"created_at":")",
                               kMailbox = R"(","mailbox":")", kLogin = R"(","login":")",
                               kRowEnd = R"("})";
    constexpr std::size_t kMostDigits = 20;
    constexpr auto kRow = kSize.size() + kMostDigits + kDate.size() + Dates::kLength
                          + kMailbox.size() + kLogin.size() + 1 + kRowEnd.size();
    const std::size_t addresses = as == mailbox::As::credentials ? 2 : 1;  // in a row
    auto most = text.size() + items.size() * (kRow + addresses * (domain.size() + 1)) + kEnd.size();
    for (const auto& item : items) most += addresses * item.local_part.size();
    auto place = text.size();
    text.resize(most);
    const auto put = [&](std::string_view bytes) {
        bytes.copy(&text[place], bytes.size());
        place += bytes.size();
    };
    const auto put_address = [&](std::string_view name, std::string_view local_part) {
        put(name);
        put(local_part);
        put("@");
        put(domain);
    };
    Dates dates;
    for (const auto& item : items) {
        put(&item == items.data() ? kSize.substr(1) : kSize);
        place = static_cast<std::size_t>(
            std::to_chars(&text[place], &text[place] + kMostDigits, item.size_bytes).ptr
            - text.data());
        put(kDate);
        put(dates.text(item.created_at));
        put_address(kMailbox, item.local_part);
        if (as == mailbox::As::credentials) put_address(kLogin, item.local_part);
        put(kRowEnd);
    }
    put(kEnd);
    text.resize(place);
    return text;
}

std::string generated(std::string_view message, const Logins& logins)
{
    std::string credentials = "{";
    for (const auto& [login, password] : logins) {
        if (credentials.size() > 1) credentials += ',';
        credentials.append(json::quoted(login)).append(":").append(json::quoted(password));
    }
    return json::object({{"message", std::string{message}},
                         {"note", std::string{"Keep these passwords: they are not shown again."}},
                         {"credentials", json::Written{credentials + "}"}}});
}

namespace {

// The members that clients read. `wildcard` is false because mail to subdomains is not accepted,
// and `spam_action` is disabled because there is no spam filter.
json::Written members_of(const mailbox::Hosted& domain)
{
    return json::value_of({{"name", domain.name},
                           {"state", std::string{domain.is_active ? "active" : "disabled"}},
                           {"is_disabled", !domain.is_active},
                           {"created_at", date(domain.created_at)},
                           {"type", std::string{"custom"}},
                           {"wildcard", false},
                           {"spam_action", std::string{"disabled"}}});
}

}  // namespace

std::string domains(std::int64_t total, const std::vector<mailbox::Hosted>& items)
{
    std::string array = "[";
    for (const auto& item : items) {
        if (array.size() > 1) array += ',';
        array += members_of(item).json;
    }
    return json::object({{"total_count", total}, {"items", json::Written{array + "]"}}});
}

std::string date(std::int64_t seconds_since_1970)
{
    return std::string{Dates{}.text(seconds_since_1970)};
}

}  // namespace answers
