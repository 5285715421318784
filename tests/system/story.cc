#include "story.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <random>
#include <set>
#include <stdexcept>

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>
#include <sodium.h>

namespace story {
namespace {

// Reads the answers' JSON byte by byte. It knows the few forms that they have;
// whatever else stands there is a fault.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_{text}, rest_{text} {}

    bool has(std::string_view literal) const { return rest_.starts_with(literal); }
    void take(std::string_view literal)
    {
        if (!has(literal)) {
            fail(std::string{literal});
        }
        rest_.remove_prefix(literal.size());
    }
    std::int64_t number()
    {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc{}) {
            fail("a number");
        }
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    std::string string()
    {
        take("\"");
        std::string value;
        while (!has("\"")) {
            if (rest_.size() < 2 || static_cast<unsigned char>(rest_[0]) < 0x20) {
                fail("the end of a string");
            }
            if (rest_[0] == '\\') {
                rest_.remove_prefix(1);
            }
            value += rest_[0];
            rest_.remove_prefix(1);
        }
        take("\"");
        return value;
    }
    void end() const
    {
        if (!rest_.empty()) {
            fail("the end");
        }
    }

private:
    [[noreturn]] void fail(const std::string& expected) const
    {
        throw std::runtime_error{"expected " + expected + " before '" + std::string{rest_} +
                                 "' in: " + std::string{text_}};
    }

    std::string_view text_;
    std::string_view rest_;
};

struct Error {
    std::string message;
    std::string code;
};

Error error_of(const http::Answer& answer)
{
    Scanner scanner{answer.body};
    Error error;
    scanner.take("{\"message\":");
    error.message = scanner.string();
    scanner.take(",\"code\":");
    error.code = scanner.string();
    scanner.take("}\n");
    scanner.end();
    return error;
}

bool is_word(const std::string& code)
{
    return !code.empty() && code.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == code.npos;
}

}  // namespace

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

std::vector<std::string> Page::names() const
{
    std::vector<std::string> names;
    for (const auto& item : items) {
        names.push_back(item.mailbox);
    }
    return names;
}

std::string text(const http::Answer& answer)
{
    return std::to_string(answer.status) + " " + answer.body;
}

std::string refusal(const http::Answer& answer)
{
    try {
        const Error error = error_of(answer);
        return std::to_string(answer.status) + " " + error.code + ": " + error.message;
    } catch (const std::exception& error) {
        return text(answer) + " (" + error.what() + ")";
    }
}

boost::test_tools::assertion_result is_refused(const http::Answer& answer, int status,
                                               const std::vector<std::string>& words)
{
    const std::string said = refusal(answer);
    boost::test_tools::assertion_result result{answer.status == status && breach(answer).empty()};
    for (const auto& word : words) {
        result = result && said.find(word) != said.npos;
    }
    if (!result) {
        std::string expected = std::to_string(status);
        for (const auto& word : words) {
            expected += " '" + word + "'";
        }
        result.message() << "expected " << expected << ", came: " << said << ' ' << breach(answer);
    }
    return result;
}

Page page(const http::Answer& answer)
{
    if (answer.status != 200) {
        throw std::runtime_error{"no page: " + text(answer)};
    }
    Scanner scanner{answer.body};
    Page page{};
    scanner.take("{\"total_count\":");
    page.total_count = scanner.number();
    scanner.take(",\"items\":[");
    while (!scanner.has("]")) {
        if (!page.items.empty()) {
            scanner.take(",");
        }
        Item item{};
        scanner.take("{\"size_bytes\":");
        item.size_bytes = scanner.number();
        scanner.take(",\"created_at\":");
        item.created_at = scanner.string();
        scanner.take(",\"mailbox\":");
        item.mailbox = scanner.string();
        scanner.take("}");
        page.items.push_back(item);
    }
    scanner.take("]}\n");
    scanner.end();
    return page;
}

std::string breach(const http::Answer& answer, http::Expect expect)
{
    const auto is_only = [&answer](std::string_view name, std::string_view value) {
        const auto values = answer.all(name);
        return values.size() == 1 && values[0] == value;
    };
    if (answer.status == 0) {
        return "no answer";
    }
    if (!is_only("Content-Type", "application/json")) {
        return "Content-Type is not exactly one application/json: " + answer.header("Content-Type");
    }
    if (!is_only("Cache-Control", "no-store")) {
        return "Cache-Control is not exactly one no-store";
    }
    if (answer.all("X-Request-Id").size() != 1 || answer.header("X-Request-Id").empty()) {
        return "X-Request-Id is not exactly one";
    }
    if (expect == http::Expect::no_body) {
        return answer.body.empty() && answer.all("Content-Length").size() == 1
                   ? ""
                   : "a body, or no Content-Length, where HEAD was asked";
    }
    if (!is_only("Content-Length", std::to_string(answer.body.size()))) {
        return "Content-Length is not exactly one " + std::to_string(answer.body.size());
    }
    if (!answer.body.starts_with('{') || !answer.body.ends_with("}\n")) {
        return "the body is not an object and one newline: " + answer.body;
    }
    if (answer.status == 200) {
        return "";
    }
    if (answer.status < 400) {
        return "a status that is neither 200 nor an error";
    }
    try {
        const Error error = error_of(answer);
        return error.message.empty() || !is_word(error.code) ? "an error without message or code: " +
                                                                   answer.body
                                                             : "";
    } catch (const std::exception& error) {
        return error.what();
    }
}

bool is_hash_of(const std::string& stored, const std::string& password)
{
    static const int initialised = ::sodium_init();
    constexpr std::string_view kScheme = "{ARGON2ID}";
    return initialised >= 0 && stored.starts_with(kScheme) &&
           ::crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), password.data(),
                                      password.size()) == 0;
}

std::int64_t seconds(const std::string& date)
{
    constexpr char kForm[] = "%a, %d %b %Y %H:%M:%S GMT";
    std::tm time{};
    const char* end = ::strptime(date.c_str(), kForm, &time);
    const std::time_t value = ::timegm(&time);
    char again[64] = "";
    std::strftime(again, sizeof again, kForm, &time);
    if (end == nullptr || *end != '\0' || date != again) {
        throw std::runtime_error{"not a date as the contract has it: " + date};
    }
    return value;
}

std::string unique(std::string_view prefix)
{
    static const std::string run = std::to_string(std::random_device{}() % 100000);
    static int count = 0;
    return std::string{prefix} + std::to_string(++count) + "-" + run;
}

std::string add_key(const stack::Stack& house, const process::Arguments& arguments)
{
    process::Arguments all{"key", "add"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const auto ended = house.mailboxctl(all);
    if (ended.exit != 0 || !ended.out.ends_with('\n')) {
        throw std::runtime_error{process::quoted(all) + ": " + ended.out + ended.err};
    }
    return ended.out.substr(0, ended.out.size() - 1);
}

Tenant add_tenant(const stack::Stack& house)
{
    Tenant tenant{unique("account"), unique("domain") + ".example.org", ""};
    for (const auto& arguments :
         {process::Arguments{"account", "add", tenant.account},
          process::Arguments{"domain", "add", tenant.domain, "--account", tenant.account,
                             "--no-postmaster"}}) {
        const auto ended = house.mailboxctl(arguments);
        if (ended.exit != 0) {
            throw std::runtime_error{process::quoted(arguments) + ": " + ended.out + ended.err};
        }
    }
    tenant.key = add_key(house, {"--account", tenant.account});
    return tenant;
}

std::string configuration(const stack::Stack& house, const Settings& settings)
{
    std::ifstream original{house.setting("MAILBOXD_CONF")};
    std::string text;
    for (std::string line; std::getline(original, line);) {
        const bool is_replaced = std::any_of(settings.begin(), settings.end(), [&](const auto& setting) {
            return line.starts_with(setting.first + " ");
        });
        text += is_replaced ? "" : line + "\n";
    }
    for (const auto& [name, value] : settings) {
        text += name + " = " + value + "\n";
    }
    return text;
}

Story::Story(stack::Stack& its_house)
    : house{its_house}, log{house.log()}, log_begin{log.mark()}
{
}

// A story may suspend its tenants; here they are needed again.
void Story::teardown()
{
    std::set<std::string> present;
    for (const auto& row : house.sql("SELECT d.name, d.mailboxes, COUNT(m.id) FROM domain d"
                                     " LEFT JOIN mailbox m ON m.domain_id = d.id"
                                     " GROUP BY d.id, d.name, d.mailboxes")) {
        BOOST_TEST(row.at(1) == row.at(2), "the counter of " << row.at(0) << " is " << row.at(1)
                                                             << ", its rows are " << row.at(2));
        present.insert(row.at(0));
    }
    for (const auto& tenant : tenants) {
        if (!present.contains(tenant.domain)) {
            continue;
        }
        house.sql("UPDATE account SET state = 'active' WHERE name = '" + tenant.account + "'");
        const std::string rows =
            house.value("SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
                        " WHERE d.name = '" + tenant.domain + "'");
        BOOST_TEST(text(list(tenant, "?limit=0")) ==
                   "200 {\"total_count\":" + rows + ",\"items\":[]}\n");
    }
    const auto id = boost::unit_test::framework::current_test_case().p_id;
    if (!boost::unit_test::results_collector.results(id).passed()) {
        for (const auto& line : log.lines_since(log_begin)) {
            BOOST_TEST_MESSAGE("mailboxd.log: " << line);
        }
    }
}

Tenant Story::tenant()
{
    tenants.push_back(add_tenant(house));
    return tenants.back();
}

Tenant Story::neighbour(const Tenant& tenant)
{
    Tenant other{tenant.account, unique("domain") + ".example.org", tenant.key};
    const auto ended = house.mailboxctl(
        {"domain", "add", other.domain, "--account", other.account, "--no-postmaster"});
    BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    tenants.push_back(other);
    return other;
}

http::Answer Story::send(const http::Request& request) const
{
    auto answer = house.server().send(request);
    const auto expect = request.method == "HEAD" ? http::Expect::no_body : http::Expect::body;
    const auto found = breach(answer, expect);
    BOOST_TEST(found.empty(), request.method << ' ' << request.target.substr(0, 200) << ": " << found);
    return answer;
}

http::Answer Story::send_bytes(std::string_view bytes) const
{
    auto answer = house.server().send_bytes(bytes);
    const auto found = breach(answer);
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
    return house.value("SELECT m.password FROM mailbox m JOIN domain d ON d.id = m.domain_id"
                       " WHERE d.name = " + stack::quote(tenant.domain) +
                       " AND m.local_part = " + stack::quote(name));
}

std::string Story::snapshot() const
{
    std::string sums;
    for (const auto& row : house.sql("CHECKSUM TABLE account, domain, api_key, mailbox, mailbox_usage,"
                                     " deleted_mailbox, session_end, audit_log")) {
        sums += row.at(0) + "=" + row.at(1) + "\n";
    }
    return sums;
}

namespace {

stack::Stack& mended(stack::Stack& house)
{
    house.up();
    return house;
}

}  // namespace

Breaking::Breaking() : Story{mended(stack::breakable())} {}

void Breaking::teardown()
{
    mended(house);
    Story::teardown();
}

void Breaking::configure(const Settings& settings) const
{
    const auto text = configuration(house, settings);
    std::ofstream{house.setting("MAILBOXD_CONF")} << text;
}

Breaking::Hold::Hold(const Breaking& story, const Tenant& tenant)
    : house_{story.house}, session_{story.house.session()}
{
    session_.execute("START TRANSACTION");
    session_.execute("UPDATE domain SET state = state WHERE name = " + stack::quote(tenant.domain));
}

void Breaking::Hold::await(int waiting) const
{
    const auto is_so = [&] {
        return house_.value("SELECT COUNT(*) FROM information_schema.innodb_trx"
                            " WHERE trx_state = 'LOCK WAIT'") == std::to_string(waiting);
    };
    // InnoDB gives what it said last time to whoever asks again within 100 ms.
    if (!process::eventually(is_so, std::chrono::seconds{4}, std::chrono::milliseconds{150})) {
        throw std::runtime_error{"there are no " + std::to_string(waiting) + " changes that wait"};
    }
}

void Breaking::Hold::release()
{
    session_.execute("ROLLBACK");
}

}  // namespace story
