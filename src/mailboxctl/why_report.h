// why_report.h - what `mailboxctl why` found: a line for each check, and a last line that says what
// works.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/check_result.h"
#include "mail/address.h"

namespace why {

using check::Verdict;

// What a mailbox is used for.
enum class Use { mail_in, login, sending, api };
inline constexpr std::size_t kUses = 4;

class Report {
public:
    // Adds the result of a check; `advice` says what to do.
    void add(const char* name, Verdict verdict, std::string says, std::string advice = {})
    {
        lines_.push_back({name, verdict, std::move(says), std::move(advice)});
    }
    // Says that these uses do not work and why. The first reason given for a use stays.
    void close(std::initializer_list<Use> uses, const std::string& reason);
    // Returns whether no check found something WRONG.
    bool is_ok() const;

    void print() const;
    void print_json(const std::string& asked, const mailbox::Address& address) const;

private:
    static constexpr char kYes[] = "yes";

    struct Line {
        const char* name;
        Verdict verdict;
        std::string says;
        std::string advice;
    };

    std::vector<Line> lines_;
    std::array<std::string, kUses> uses_{kYes, kYes, kYes, kYes};
};

}  // namespace why
