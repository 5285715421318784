#include "mailboxctl/why_report.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <utility>

#include "base/json.h"

namespace why {
namespace {

constexpr std::array<const char*, kUses> kNames{"mail in", "login", "sending", "API"};
constexpr std::array<const char*, kUses> kMembers{"mail_in", "login", "sending", "api"};

}  // namespace

void Report::close(std::initializer_list<Use> uses, const std::string& reason)
{
    for (const auto use : uses) {
        auto& state = uses_.at(static_cast<std::size_t>(use));
        if (state == kYes) state = reason;
    }
}

bool Report::is_ok() const
{
    return std::none_of(lines_.begin(), lines_.end(),
                        [](const Line& line) { return line.verdict == Verdict::wrong; });
}

void Report::print() const
{
    constexpr int kVerdictWidth = 7;
    constexpr int kNameWidth = 16;
    for (const auto& [name, verdict, says, advice] : lines_) {
        std::cout << std::left << std::setw(kVerdictWidth) << text(verdict) << std::setw(kNameWidth)
                  << name << says << '\n';
        if (!advice.empty())
            std::cout << std::string(kVerdictWidth + kNameWidth, ' ') << "-> " << advice << '\n';
    }
    for (std::size_t i = 0; i < kUses; ++i)
        std::cout << (i == 0 ? "" : "; ") << kNames[i] << ": " << uses_[i];
    std::cout << '\n';
}

void Report::print_json(const std::string& asked, const mailbox::Address& address) const
{
    const auto object = [](const json::Members& members) {
        auto text = json::value_of(members).json;
        text.pop_back();  // the closing bracket
        return text;
    };
    json::Members members{{"asked", asked}, {"mailbox", address.text()}};
    for (std::size_t i = 0; i < kUses; ++i) members.emplace_back(kMembers[i], uses_[i]);
    std::string separator = ",\"points\":[\n";
    std::cout << object(members);
    for (const auto& [name, verdict, says, advice] : lines_) {
        std::cout << std::exchange(separator, "},\n")
                  << object({{"point", name},
                             {"result", text(verdict)},
                             {"says", says},
                             {"advice", advice.empty() ? json::Value{} : json::Value{advice}}});
    }
    std::cout << "}\n]}\n";
}

}  // namespace why
