#include "torture/world.h"

#include "system/harness/answers.h"
#include "system/harness/mail.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include <poll.h>

namespace torture {
namespace {

using namespace std::chrono_literals;
using journal::Meaning;
using plan::Action;

constexpr auto kPatience = 40s;  // longer than nginx waits for the service
constexpr auto kFirstPause = 20ms;
constexpr auto kLongestPause = 1000ms;

std::string code_of(const std::string& refusal)
{
    const auto colon = refusal.find(':');
    return colon == std::string::npos ? "" : refusal.substr(4, colon - 4);
}

std::string collection(const std::string& domain, bool as_credentials)
{
    return as_credentials ? "/v3/domains/" + domain + "/credentials" : "/" + domain + "/mailboxes";
}

// Returns the same tenant with a key for this domain only.
story::Tenant narrowed(const stack::Stack& stack, const story::Tenant& tenant)
{
    return {tenant.account, tenant.domain,
            story::add_key(stack, {"--account", tenant.account, "--domain", tenant.domain})};
}

std::string key_id(const stack::Stack& stack, const std::string& key)
{
    return stack.value("SELECT id FROM api_key WHERE hash = UNHEX(SHA2(" + stack::quote(key)
                       + ", 256))");
}

}  // namespace

// --- Findings -----------------------------------------------------------------------------------

void Findings::breach(const std::string& sentence)
{
    const std::lock_guard lock{one_at_a_time_};
    breaches_.push_back(sentence);
}

void Findings::count(const std::string& outcome)
{
    const std::lock_guard lock{one_at_a_time_};
    ++counts_[outcome];
}

std::vector<std::string> Findings::breaches() const
{
    const std::lock_guard lock{one_at_a_time_};
    return breaches_;
}

std::map<std::string, std::size_t> Findings::take_counts()
{
    const std::lock_guard lock{one_at_a_time_};
    return std::exchange(counts_, {});
}

void Gate::begin()
{
    const std::lock_guard lock{one_at_a_time_};
    limit_ = 0;
    taken_ = 0;
}

void Gate::open_to(std::size_t steps)
{
    const std::lock_guard lock{one_at_a_time_};
    limit_ = std::max(limit_, steps);
    changed_.notify_all();
}

void Gate::pass()
{
    std::unique_lock lock{one_at_a_time_};
    changed_.wait(lock, [this] { return taken_ < limit_; });
    ++taken_;
    changed_.notify_all();
}

void Gate::await(std::size_t steps)
{
    std::unique_lock lock{one_at_a_time_};
    changed_.wait(lock, [&] { return taken_ >= steps; });
}

// --- Participants -------------------------------------------------------------------------------

// Two domains of one account and one of another. Half of the clients use the first domain, every
// second one of them with a key for that domain only. All domains have the same names. The last
// client has a domain of its own.
World::World(stack::Stack& its_stack, const faults::Disk* disk, std::size_t clients_wanted)
    : stack{its_stack}, faults{its_stack, disk}, first_{story::add_tenant(stack)},
      stranger_{story::add_tenant(stack)}, flood_{story::add_tenant(stack)}
{
    const auto second = story::add_neighbour(stack, first_);
    const auto set = [&](const process::Arguments& command) {
        const auto ended = stack.mailboxctl(command);
        if (ended.exit != 0) throw std::runtime_error{ended.err};
    };
    const std::array<story::Tenant, 4> tenants{first_, second, narrowed(stack, first_),
                                               story::add_tenant(stack)};
    // With a limit, all creations in the account wait for each other.
    set({"account", "set", first_.account, "max_mailboxes=1000"});
    const auto alone = story::add_tenant(stack);
    set({"domain", "set", alone.domain, "allow_delete_all=yes"});
    for (const auto& name : {first_.domain, second.domain, tenants[3].domain, alone.domain}) {
        domains.push_back({.name = name});
        for (const auto& contested : plan::contested_names())
            domains.back().names.insert(contested);
    }
    std::map<std::string, std::size_t> in_domain;
    for (std::size_t i = 0; i < clients_wanted; ++i) {
        const bool is_alone = i + 1 == clients_wanted;
        const auto& tenant = is_alone ? alone : tenants[i % tenants.size()];
        const auto number = in_domain[tenant.domain]++;
        const auto names = plan::own_names(number);
        clients.push_back({i,
                           {number, is_alone},
                           tenant.domain,
                           tenant.key,
                           key_id(stack, tenant.key),
                           journal::Journal{names}});
        auto& its_domain = domain(tenant.domain);
        its_domain.names.insert(names.begin(), names.end());
        its_domain.key_ids.insert(clients.back().key_id);
    }
    reading_key_ = story::add_key(stack, {"--account", first_.account, "--read-only"});
}

Domain& World::domain(const std::string& name)
{
    return *std::find_if(domains.begin(), domains.end(),
                         [&](const Domain& each) { return each.name == name; });
}

Asked World::ask(const std::string& key, const std::string& method, const std::string& target,
                 const http::Body& body, const http::Fields& headers)
{
    http::Fields all{{"Authorization", http::basic(key)}};
    all.insert(all.end(), headers.begin(), headers.end());
    const auto bytes = http::Request{method, target, all, body}.bytes();
    Asked asked{{}, Meaning::unknown, "no answer"};
    try {
        const auto port = faults.http_port();
        if (port == 0) throw std::system_error{ECONNREFUSED, std::generic_category()};
        http::Connection connection{port};
        try {
            connection.send(bytes, kPatience);
            asked.answer = connection.receive(http::Expect::body, kPatience);
        } catch (const std::runtime_error&) {
            // The answer ended in the middle, or was too late.
        }
    } catch (const std::system_error&) {
        findings.count("no connection");
        return {{}, Meaning::untouched, "no connection"};
    }
    findings.count(asked.answer.status == 0 ? "no answer" : std::to_string(asked.answer.status));
    if (asked.answer.status == 0) return asked;
    asked.said = asked.answer.status == 200 ? "200" : answers::refusal(asked.answer);
    asked.meaning = journal::meaning(asked.answer.status, code_of(asked.said));
    if (const auto found = answers::breach(asked.answer); !found.empty())
        findings.breach(method + " " + target + ": " + found);
    return asked;
}

std::optional<std::set<std::string>> World::list(const std::string& key, const Domain& its_domain,
                                                 bool as_credentials, const std::string& label)
{
    const auto asked = ask(key, "GET", collection(its_domain.name, as_credentials) + "?limit=1000");
    if (asked.meaning == Meaning::untouched || asked.meaning == Meaning::unknown)
        return std::nullopt;
    if (asked.meaning != Meaning::done) {
        findings.breach(label + ": a list was answered " + asked.said);
        return std::nullopt;
    }
    std::set<std::string> names;
    try {
        const auto page = answers::page(asked.answer, as_credentials ? answers::Items::credentials
                                                                     : answers::Items::mailboxes);
        for (const auto& item : page.items) {
            const auto at = item.mailbox.find('@');
            const auto name = item.mailbox.substr(0, at);
            if (item.mailbox.substr(at + 1) != its_domain.name || !its_domain.names.contains(name))
                findings.breach(label + ": nobody made " + item.mailbox);
            if (!names.insert(name).second)
                findings.breach(label + ": " + name + " is listed twice");
        }
        if (page.total_count != static_cast<std::int64_t>(page.items.size())) {
            findings.breach(label + ": total_count is " + std::to_string(page.total_count)
                            + ", and listed are " + std::to_string(page.items.size()));
        }
    } catch (const std::runtime_error& error) {
        findings.breach(label + ": " + error.what());
    }
    return names;
}

// --- Their requests -----------------------------------------------------------------------------

void World::take_steps(Client& client, const std::vector<plan::Step>& steps,
                       const std::string& label)
{
    auto wait = kFirstPause;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        gate.pass();
        const auto& step = steps[i];
        const auto name = label + ", client " + std::to_string(client.index) + " in "
                          + client.domain + ", step " + std::to_string(i) + " (" + plan::text(step)
                          + ")";
        const bool is_in_trouble = take_step(client, step, name);
        // After a refusal a client waits, longer each time.
        if (is_in_trouble) ::poll(nullptr, 0, static_cast<int>(wait.count()));
        wait = is_in_trouble ? std::min(wait * 2, kLongestPause) : kFirstPause;
    }
}

Asked World::ask_for(const Client& client, const plan::Step& step)
{
    const auto all = collection(client.domain, step.as_credentials);
    const auto one = all + "/" + step.names.front();
    if (step.action == Action::change)
        return ask(client.key, "PUT", one, http::form({{"password", step.password}}));
    if (step.action == Action::remove) return ask(client.key, "DELETE", one);
    if (step.action == Action::remove_all)
        return ask(client.key, "DELETE", collection(client.domain, true));
    http::Fields fields;
    for (std::size_t i = 0; i < step.names.size(); ++i) {
        fields.emplace_back(step.as_credentials ? "login" : "mailbox", step.names[i]);
        fields.emplace_back("password", plan::password_of(step, i));
    }
    return ask(client.key, "POST", all, http::form(fields));
}

bool World::take_step(Client& client, const plan::Step& step, const std::string& label)
{
    auto& its_domain = domain(client.domain);
    if (step.action == Action::list) {
        const auto names = list(client.key, its_domain, step.as_credentials, label);
        if (!names) return true;
        const auto breach = client.journal.compare_with_list(*names);
        if (!breach.empty()) findings.breach(label + ": " + breach);
        return false;
    }
    if (!step.is_contested && !client.journal.is_certain(step.names)) return false;
    if (step.action == Action::mail) return send_mail(client, step, label);

    const auto asked = ask_for(client, step);
    if (asked.meaning == Meaning::unknown) is_any_open = true;
    if (!step.is_contested) {
        const auto breach =
            client.journal.note(step, asked.meaning, label + ", answered " + asked.said);
        if (!breach.empty()) findings.breach(breach);
    } else if (asked.meaning == Meaning::wrong) {
        findings.breach(label + ", answered " + asked.said);
    } else {
        its_domain.contest->note(client.index, step, asked.meaning);
    }
    return asked.meaning == Meaning::untouched || asked.meaning == Meaning::unknown;
}

// The subject says after which creation of the mailbox the message was sent.
bool World::send_mail(Client& client, const plan::Step& step, const std::string& label)
{
    const auto& name = step.names.front();
    const auto& record = client.journal.records().at(name);
    if (!record.password) return false;
    const auto subject = name + " " + std::to_string(record.done.created) + " " + step.password;
    std::string said = "no answer";
    try {
        const auto port = faults.smtp_port();
        if (port == 0) return true;
        mail::Smtp smtp{{port}};
        said = smtp.send("you@example.net", {name + "@" + client.domain}, mail::message(subject));
    } catch (const std::exception&) {
        // There was no connection or it was lost, so nothing was promised.
    }
    findings.count("mail " + said.substr(0, 3));
    const bool is_accepted = said.starts_with("250 ");
    // Only a permanent refusal: 550 says that there is no such mailbox.
    if (said.starts_with("550 "))
        findings.breach(label + ", answered " + said + ", but the mailbox is there by "
                        + record.label);
    if (is_accepted) client.journal.note(step, Meaning::done, subject);
    return !is_accepted;
}

void World::be_a_flood(const std::atomic<bool>& is_over, const std::string& label)
{
    constexpr int kMostBatches = 4;
    for (int i = 0; i < kMostBatches && !is_over; ++i) {
        std::string prefix;
        {
            const std::lock_guard lock{one_at_a_time_};
            prefix = "batch" + std::to_string(++last_batch_) + "-";
        }
        const auto asked = ask(flood_.key, "POST", flood_.mailboxes(), story::hundred(prefix));
        const auto name = label + ", the flood's " + prefix + "*, answered " + asked.said;
        if (asked.meaning == Meaning::wrong) findings.breach(name);
        if (asked.meaning == Meaning::unknown) is_any_open = true;
        {
            const std::lock_guard lock{one_at_a_time_};
            batches_.push_back({prefix, asked.meaning, name});
        }
        ::poll(nullptr, 0, static_cast<int>(kFirstPause.count()));
    }
}

void World::compare_batches()
{
    for (const auto& [prefix, meaning, label] : std::exchange(batches_, {})) {
        const auto rows = stack.value(
            "SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
            + stack::quote(flood_.domain) + " AND m.local_part LIKE " + stack::quote(prefix + "%"));
        const bool is_whole = rows == "100" && meaning != Meaning::untouched;
        const bool is_absent = rows == "0" && meaning != Meaning::done;
        if (!is_whole && !is_absent) findings.breach(label + ": " + rows + " of 100 are there");
    }
}

void World::read_only(const std::atomic<bool>& is_over, const std::string& label)
{
    for (std::size_t i = 0; !is_over; ++i) {
        const auto name = label + ", the one who may only list";
        const auto& its_domain = domains[i % 2];
        if (i % 5 == 4) {
            const auto asked = ask(reading_key_, "DELETE",
                                   collection(its_domain.name, i % 3 == 0) + "/"
                                       + plan::contested_names().front());
            const bool is_refused = asked.answer.status == 403
                                    || asked.meaning == Meaning::untouched
                                    || asked.meaning == Meaning::unknown;
            if (!is_refused) findings.breach(name + ", deleting, answered " + asked.said);
        } else {
            list(reading_key_, its_domain, i % 3 == 0, name);
        }
        ::poll(nullptr, 0, static_cast<int>(kFirstPause.count()));
    }
}

// With its own valid key the stranger is told that these domains do not exist; with an invalid key
// it is told nothing.
void World::be_a_stranger(const std::atomic<bool>& is_over, const std::string& label)
{
    const auto form =
        http::form({{"mailbox", plan::contested_names().front()}, {"password", "Let me in"}});
    auto no_key = stranger_.key;
    no_key.back() = no_key.back() == 'a' ? 'b' : 'a';
    for (std::size_t i = 0; !is_over; ++i) {
        const auto& victim = domains[i % domains.size()];
        const auto all = collection(victim.name, false);
        const auto one = all + "/" + plan::contested_names().front();
        const std::array<std::pair<const char*, std::string>, 5> requests{
            {{"GET", all},
             {"DELETE", one},
             {"PUT", one},
             {"POST", all},
             {"GET", "/domains/" + victim.name}}};
        const auto& [method, target] = requests[i / domains.size() % requests.size()];
        const bool has_key = i % 7 != 6;
        const auto asked = ask(
            has_key ? stranger_.key : no_key, method, target,
            method == std::string_view{"POST"} || method == std::string_view{"PUT"} ? form
                                                                                    : http::Body{});
        const auto refusal = has_key ? "404 domain_not_found: Domain not found: " + victim.name
                                     : "401 unauthorized: Forbidden";
        const bool is_refused = asked.said == refusal || asked.meaning == Meaning::untouched
                                || asked.meaning == Meaning::unknown;
        if (!is_refused)
            findings.breach(label + ", a stranger's " + method + " " + target + " was answered "
                            + asked.said);
        ::poll(nullptr, 0, static_cast<int>(kFirstPause.count()));
    }
}

}  // namespace torture
