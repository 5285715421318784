#include "torture/panel.h"

#include "system/harness/answers.h"
#include "system/harness/http.h"

#include <chrono>

#include <poll.h>

namespace torture {
namespace {

constexpr char kAccounts[] = "/v5/accounts/subaccounts";
constexpr std::size_t kMostCustomers = 5;  // in a round
constexpr int kPause = 50;                 // milliseconds before a request is repeated

// Returns the text that follows `"id":"` in an answer.
std::string id_in(const std::string& body)
{
    const std::string begin = "\"id\":\"";
    const auto place = body.find(begin);
    if (place == std::string::npos) return {};
    const auto at = place + begin.size();
    return body.substr(at, body.find('"', at) - at);
}

}  // namespace

Panel::Panel(World& world) : world_{world}, key_{story::add_key(world.stack, {"--operator"})} {}

// Repeats a request until it is answered, or the round is over.
Panel::Outcome Panel::repeat(const Customer& customer, const std::atomic<bool>& is_over,
                             const std::string& what, const std::string& method,
                             const std::string& target, const http::Fields& fields,
                             std::string* answer)
{
    http::Fields headers{{"Idempotency-Key", customer.account + "-" + what}};
    if (!customer.id.empty()) headers.emplace_back("X-Mailgun-On-Behalf-Of", customer.id);
    auto outcome = Outcome::untouched;
    const bool is_creation = method == "POST";
    for (bool is_first = true; is_first || !is_over; is_first = false) {
        const auto asked = world_.ask(key_, method, target,
                                      fields.empty() ? http::Body{} : http::form(fields), headers);
        const auto status = asked.answer.status;
        if (status == 200) {
            if (answer != nullptr) *answer = asked.answer.body;
            return Outcome::done;
        }
        if (status == 0 && asked.meaning == journal::Meaning::untouched) {
            // no connection
        } else if (status == 0 || status == 504 || status == 502) {
            outcome = Outcome::unknown;
            world_.is_any_open = true;
        } else if (status == 404 && !is_creation && outcome == Outcome::unknown) {
            return Outcome::done;  // what is repeated was removed by the first request
        } else if (status != 503) {
            world_.findings.breach(customer.label + ": " + what + " was answered " + asked.said);
            return Outcome::unknown;
        }
        ::poll(nullptr, 0, kPause);
    }
    return outcome;
}

// Each step needs the one before it.
void Panel::serve(Customer& customer, const std::atomic<bool>& is_over)
{
    const auto state_after = [](Outcome outcome, State before, State after) {
        if (outcome == Outcome::done) return after;
        return outcome == Outcome::unknown ? State::unknown : before;
    };
    std::string answer;
    auto outcome = repeat(customer, is_over, "account", "POST", kAccounts,
                          {{"name", customer.account}, {"max_mailboxes", "5"}}, &answer);
    customer.account_state = state_after(outcome, State::absent, State::present);
    if (outcome != Outcome::done) return;
    customer.id = id_in(answer);
    outcome = repeat(customer, is_over, "domain", "POST", "/v4/domains",
                     {{"name", customer.domain}, {"smtp_password", "Looking-Glass 1871"}});
    customer.domain_state = state_after(outcome, State::absent, State::present);
    if (outcome != Outcome::done) return;
    const auto item = "/v4/domains/" + customer.domain;
    if (repeat(customer, is_over, "key", "POST", "/v1/keys", {{"role", "admin"}}) != Outcome::done
        || repeat(customer, is_over, "mailbox", "POST", "/" + customer.domain + "/mailboxes",
                  {{"mailbox", "alice"}, {"password", "Wonderland 1865"}})
               != Outcome::done
        || repeat(customer, is_over, "route", "POST", "/v3/routes",
                  {{"expression", "match_recipient('sales@" + customer.domain + "')"},
                   {"action", "forward('alice@" + customer.domain + "')"}})
               != Outcome::done
        || repeat(customer, is_over, "quota", "PUT", item, {{"quota_bytes", "1G"}})
               != Outcome::done)
        return;
    outcome = repeat(customer, is_over, "removal", "DELETE", item + "?with_mailboxes=yes", {});
    customer.domain_state = state_after(outcome, State::present, State::absent);
    if (outcome != Outcome::done) return;
    // Every second account stays.
    if (last_ % 2 == 0) return;
    outcome = repeat(customer, is_over, "end", "DELETE", kAccounts, {});
    customer.account_state = state_after(outcome, State::present, State::absent);
}

void Panel::work(const std::atomic<bool>& is_over, const std::string& label)
{
    for (std::size_t i = 0; i < kMostCustomers && !is_over; ++i) {
        const auto number = std::to_string(++last_);
        customers_.push_back({.account = story::unique("customer"),
                              .domain = story::unique("panel") + ".example.org",
                              .label = label + ", customer " + number + " of the panel"});
        serve(customers_.back(), is_over);
    }
}

void Panel::compare()
{
    const auto count = [&](const std::string& from, const std::string& name) {
        return world_.stack.value("SELECT COUNT(*) FROM " + from + " = " + stack::quote(name));
    };
    const auto expect = [&](const Customer& customer, const std::string& what, State state,
                            const std::string& rows) {
        const bool is_right = state == State::unknown
                                  ? rows == "0" || rows == "1"
                                  : rows == (state == State::present ? "1" : "0");
        if (!is_right)
            world_.findings.breach(customer.label + ": there are " + rows + " " + what
                                   + ", against what was answered");
    };
    for (const auto& customer : std::exchange(customers_, {})) {
        expect(customer, "accounts", customer.account_state,
               count("account WHERE name", customer.account));
        expect(customer, "domains", customer.domain_state,
               count("domain WHERE name", customer.domain));
        // Each was created at most once, however often the request was repeated.
        for (const auto& [action, column, name] :
             {std::tuple{"account-add", "local_part", customer.account},
              {"domain-add", "domain", customer.domain},
              {"alias-add", "domain", customer.domain}}) {
            const auto rows =
                count(std::string{"audit_log WHERE action = '"} + action + "' AND " + column, name);
            if (rows != "0" && rows != "1")
                world_.findings.breach(customer.label + ": " + rows + " entries " + action);
        }
        // A domain is never there without its postmaster.
        const auto without = world_.stack.value(
            "SELECT COUNT(*) FROM domain d WHERE d.name = " + stack::quote(customer.domain)
            + " AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.domain_id = d.id AND m.local_part = 'postmaster')");
        if (without != "0")
            world_.findings.breach(customer.label + ": its domain has no postmaster");
    }
    // A route is whole, and the counts know it.
    for (
        const auto& [what, wrong] :
        {std::pair{
             "routes without a target",
             "alias a WHERE NOT EXISTS (SELECT 1 FROM alias_target t WHERE t.alias_id = a.id AND t.number > 0)"},
         {"domains that count their routes wrong",
          "domain d WHERE d.aliases <> (SELECT COUNT(*) FROM alias a WHERE a.domain_id = d.id)"},
         {"accounts that count their routes wrong",
          "account c WHERE c.aliases <> (SELECT COUNT(*) FROM alias a JOIN domain d ON d.id = a.domain_id WHERE d.account_id = c.id)"}}) {
        const auto rows = world_.stack.value(std::string{"SELECT COUNT(*) FROM "} + wrong);
        if (rows != "0") world_.findings.breach(rows + " " + what);
    }
}

}  // namespace torture
