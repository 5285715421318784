#include "system/harness/story.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <random>
#include <set>
#include <stdexcept>

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>
#include <sodium.h>

namespace story {

std::string Tenant::mailboxes(std::string_view prefix) const
{
    return std::string{prefix} + "/" + domain + "/mailboxes";
}

std::string Tenant::mailbox(std::string_view name, std::string_view prefix) const
{
    return mailboxes(prefix) + "/" + std::string{name};
}

std::string Tenant::address(std::string_view name) const
{
    return std::string{name} + "@" + domain;
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

boost::test_tools::assertion_result is_sentence(const process::Ended& ended, int exit,
                                                const std::vector<std::string>& words)
{
    boost::test_tools::assertion_result result{
        ended.exit == exit && ended.out.empty() && ended.err.size() > 10
        && ended.err.ends_with('\n') && ended.err.find("terminate called") == std::string::npos};
    for (const auto& word : words) {
        result = result && ended.err.find(word) != std::string::npos;
    }
    if (!result) {
        result.message() << "exit " << ended.exit << " instead of " << exit
                         << ", out: " << ended.out << "err: " << ended.err;
    }
    return result;
}

bool is_hash_of(const std::string& stored, const std::string& password)
{
    static const int initialised = ::sodium_init();
    constexpr std::string_view kScheme = "{ARGON2ID}";
    return initialised >= 0 && stored.starts_with(kScheme)
           && ::crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), password.data(),
                                         password.size())
                  == 0;
}

std::string fill(std::string text, const Tenant& tenant)
{
    const auto replace = [&text](std::string_view place, const std::string& value) {
        for (auto at = text.find(place); at != std::string::npos; at = text.find(place)) {
            text.replace(at, place.size(), value);
        }
    };
    replace("{domain}", tenant.domain);
    replace("{auth}",
            "Host: x\r\nConnection: close\r\nAuthorization: " + http::basic(tenant.key) + "\r\n");
    return text;
}

std::string unique(std::string_view prefix)
{
    static const std::string run = std::to_string(std::random_device{}() % 100000);
    static std::atomic<int> count = 0;
    return std::string{prefix} + std::to_string(++count) + "-" + run;
}

http::Body hundred(const std::string& prefix)
{
    http::Fields fields;
    for (int i = 0; i < 100; ++i) {
        fields.insert(fields.end(),
                      {{"mailbox", prefix + std::to_string(i)}, {"password", kPassword}});
    }
    return http::form(fields);
}

std::string add_key(const stack::Stack& stack, const process::Arguments& arguments)
{
    process::Arguments all{"key", "add"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const auto ended = stack.mailboxctl(all);
    if (ended.exit != 0 || !ended.out.ends_with('\n')) {
        throw std::runtime_error{process::quoted(all) + ": " + ended.out + ended.err};
    }
    return ended.out.substr(0, ended.out.size() - 1);
}

Tenant add_tenant(const stack::Stack& stack)
{
    Tenant tenant{unique("account"), unique("domain") + ".example.org", ""};
    for (const auto& arguments : {process::Arguments{"account", "add", tenant.account},
                                  process::Arguments{"domain", "add", tenant.domain, "--account",
                                                     tenant.account, "--no-postmaster"}}) {
        const auto ended = stack.mailboxctl(arguments);
        if (ended.exit != 0) {
            throw std::runtime_error{process::quoted(arguments) + ": " + ended.out + ended.err};
        }
    }
    tenant.key = add_key(stack, {"--account", tenant.account});
    return tenant;
}

Tenant add_neighbour(const stack::Stack& stack, const Tenant& tenant)
{
    Tenant other{tenant.account, unique("domain") + ".example.org", tenant.key};
    const auto ended = stack.mailboxctl(
        {"domain", "add", other.domain, "--account", other.account, "--no-postmaster"});
    if (ended.exit != 0) {
        throw std::runtime_error{"domain add " + other.domain + ": " + ended.out + ended.err};
    }
    return other;
}

std::vector<std::string> wrong_counters(const stack::Stack& stack)
{
    std::vector<std::string> sentences;
    for (
        const auto& row : stack.sql(
            "SELECT d.name, d.mailboxes, COUNT(m.id) FROM domain d LEFT JOIN mailbox m ON m.domain_id = d.id"
            " GROUP BY d.id, d.name, d.mailboxes HAVING d.mailboxes <> COUNT(m.id)")) {
        sentences.push_back("the counter of " + row.at(0) + " is " + row.at(1) + ", its rows are "
                            + row.at(2));
    }
    for (
        const auto& row : stack.sql(
            "SELECT r.domain_id, r.number, r.mailboxes, COUNT(m.id)"
            " FROM mailbox_range r LEFT JOIN mailbox m ON m.domain_id = r.domain_id"
            " AND m.id DIV 65536 = r.number"
            " GROUP BY r.domain_id, r.number, r.mailboxes"
            " HAVING r.mailboxes <> COUNT(m.id)"
            " UNION SELECT m.domain_id, m.number, ASCII(SUBSTR(r.counts, m.number % 512 + 1, 1)), m.there"
            " FROM (SELECT domain_id, id DIV 128 AS number, COUNT(*) AS there FROM mailbox"
            " GROUP BY domain_id, id DIV 128) m LEFT JOIN mailbox_range r ON r.domain_id = m.domain_id"
            " AND r.number = m.number DIV 512"
            " WHERE COALESCE(ASCII(SUBSTR(r.counts, m.number % 512 + 1, 1)), 0) <> m.there")) {
        sentences.push_back("domain " + row.at(0) + ", range " + row.at(1) + ": " + row.at(2)
                            + " counted, " + row.at(3) + " there");
    }
    return sentences;
}

std::string configuration(const stack::Stack& stack, const Settings& settings)
{
    std::ifstream original{stack.setting("MAILBOXD_CONF")};
    std::string text;
    for (std::string line; std::getline(original, line);) {
        const bool is_replaced =
            std::any_of(settings.begin(), settings.end(),
                        [&](const auto& setting) { return line.starts_with(setting.first + " "); });
        text += is_replaced ? "" : line + "\n";
    }
    for (const auto& [name, value] : settings) {
        text += name + " = " + value + "\n";
    }
    return text;
}

Story::Story(stack::Stack& its_stack) : stack{its_stack}, log{stack.log()}, log_begin{log.mark()} {}

void Story::teardown()
{
    for (const auto& line : log.lines_since(log_begin)) {
        BOOST_TEST(!line.starts_with("error"), line);
        BOOST_TEST(!line.starts_with("fatal"), line);
    }
    check_counters();
    show_log_of_failure();
}

// A story may have suspended its tenants; the checks need them active.
void Story::check_counters() const
{
    for (const auto& sentence : wrong_counters(stack)) {
        BOOST_ERROR(sentence);
    }
    std::set<std::string> present;
    for (const auto& row : stack.sql("SELECT name FROM domain")) {
        present.insert(row.at(0));
    }
    for (const auto& tenant : tenants) {
        if (!present.contains(tenant.domain)) {
            continue;
        }
        stack.sql("UPDATE account SET state = 'active' WHERE name = '" + tenant.account + "'");
        const std::string rows =
            stack.value("SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
                        " WHERE d.name = '"
                        + tenant.domain + "'");
        BOOST_TEST(answers::text(list(tenant, "?limit=0"))
                   == "200 {\"total_count\":" + rows + ",\"items\":[]}\n");
    }
}

void Story::show_log_of_failure() const
{
    const auto id = boost::unit_test::framework::current_test_case().p_id;
    if (!boost::unit_test::results_collector.results(id).passed()) {
        for (const auto& line : log.lines_since(log_begin)) {
            BOOST_TEST_MESSAGE("mailboxd.log: " << line);
        }
    }
}

Tenant Story::tenant()
{
    tenants.push_back(add_tenant(stack));
    return tenants.back();
}

Tenant Story::neighbour(const Tenant& tenant)
{
    tenants.push_back(add_neighbour(stack, tenant));
    return tenants.back();
}

http::Answer Story::send(const http::Request& request) const
{
    auto answer = stack.server().send(request);
    const auto expect = request.method == "HEAD" ? http::Expect::no_body : http::Expect::body;
    const auto found = answers::breach(answer, expect);
    BOOST_TEST(found.empty(),
               request.method << ' ' << request.target.substr(0, 200) << ": " << found);
    return answer;
}

http::Answer Story::send_bytes(std::string_view bytes) const
{
    auto answer = stack.server().send_bytes(bytes);
    const auto found = answers::breach(answer);
    BOOST_TEST(found.empty(), bytes.substr(0, 200) << ": " << found);
    return answer;
}

http::Answer Story::call(const std::string& key, const std::string& method,
                         const std::string& target, const http::Body& body,
                         const http::Fields& headers) const
{
    http::Fields all{{"Authorization", http::basic(key)}};
    all.insert(all.end(), headers.begin(), headers.end());
    return send({method, target, all, body});
}

http::Answer Story::create(const Tenant& tenant, const std::string& name,
                           const std::string& password) const
{
    return call(tenant.key, "POST", tenant.mailboxes(),
                http::form({{"mailbox", name}, {"password", password}}));
}

http::Answer Story::list(const Tenant& tenant, const std::string& query) const
{
    return call(tenant.key, "GET", tenant.mailboxes() + query);
}

http::Answer Story::change(const Tenant& tenant, const std::string& name,
                           const std::string& password) const
{
    return call(tenant.key, "PUT", tenant.mailbox(name), http::form({{"password", password}}));
}

http::Answer Story::remove(const Tenant& tenant, const std::string& name) const
{
    return call(tenant.key, "DELETE", tenant.mailbox(name));
}

std::string Story::stored_password(const Tenant& tenant, const std::string& name) const
{
    return stack.value("SELECT m.password FROM mailbox m JOIN domain d ON d.id = m.domain_id"
                       " WHERE d.name = "
                       + stack::quote(tenant.domain) + " AND m.local_part = " + stack::quote(name));
}

std::string Story::snapshot() const
{
    // CHECKSUM TABLE was seen to return two values for the same rows of api_key. That table has a
    // stored generated column, as mailbox_usage has.
    auto sums =
        "api_key="
        + stack.value(
            "SELECT COALESCE(SUM(CRC32(CONCAT_WS('|', id, HEX(hash), account_id, account_state, domain_id,"
            " read_only, addresses, label, created_at, expires_at, revoked_at))), 0) FROM api_key")
        + "\nmailbox_usage="
        + stack.value(
            "SELECT COALESCE(SUM(CRC32(CONCAT_WS('|', username, bytes, messages))), 0) FROM mailbox_usage")
        + "\n";
    for (
        const auto& row : stack.sql(
            "CHECKSUM TABLE account, domain, mailbox, mailbox_range,"
            " mailbox_activity, deleted_mailbox, deleted_domain, deleted_key, suspended_name, session_end,"
            " audit_log")) {
        sums += row.at(0) + "=" + row.at(1) + "\n";
    }
    return sums;
}

namespace {

// True if the previous story left a working stack.
bool is_whole = false;

stack::Stack& mended(stack::Stack& stack)
{
    if (!is_whole) {
        stack.up();
    }
    is_whole = false;
    return stack;
}

}  // namespace

Breaking::Breaking() : Story{mended(stack::breakable())} {}

void Breaking::teardown()
{
    stack.up();
    is_whole = true;
    check_counters();
    show_log_of_failure();
}

std::future<http::Answer> Breaking::start_change(const Tenant& tenant,
                                                 const std::string& name) const
{
    const http::Request request{"POST",
                                tenant.mailboxes(),
                                {{"Authorization", http::basic(tenant.key)}},
                                http::form({{"mailbox", name}, {"password", kPassword}})};
    return std::async(std::launch::async,
                      [server = stack.server(), request] { return server.send(request); });
}

void Breaking::configure(const Settings& settings) const
{
    const auto text = configuration(stack, settings);
    std::ofstream{stack.setting("MAILBOXD_CONF")} << text;
}

void Breaking::reconfigure(const Settings& settings) const
{
    const auto old = stack.workers();
    configure(settings);
    ::kill(stack.master(), SIGHUP);
    BOOST_TEST_REQUIRE(stack.await_workers(old));
}

Breaking::Hold::Hold(const Breaking& story, const Tenant& tenant)
    : stack_{story.stack}, database_{story.stack.connect_to_database()}
{
    database_.execute("START TRANSACTION; UPDATE domain SET state = state WHERE name = "
                      + stack::quote(tenant.domain));
}

void Breaking::Hold::await(int waiting) const
{
    const auto is_so = [&] {
        return stack_.value("SELECT COUNT(*) FROM information_schema.innodb_trx"
                            " WHERE trx_state = 'LOCK WAIT'")
               == std::to_string(waiting);
    };
    // InnoDB repeats its last answer to a query within 100 ms, so the interval is longer.
    if (!process::eventually(is_so, std::chrono::seconds{30}, std::chrono::milliseconds{150})) {
        throw std::runtime_error{"there are no " + std::to_string(waiting) + " changes that wait"};
    }
}

void Breaking::Hold::release()
{
    database_.execute("ROLLBACK");
}

}  // namespace story
