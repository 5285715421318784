// clients_story.cc - published client programs, run as the users of the original API ran them.

#include "system/harness/story.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
namespace ut = boost::unit_test;
using process::Arguments;

namespace {

constexpr char kCreated[] = "{\"message\":\"Created 1 mailboxes\"}\n";

struct Client : story::Story {
    std::string url(const std::string& path) const
    {
        return stack.setting("API_URL") + "/v2" + path;
    }

    // Runs one of the original's samples with our address.
    process::Ended curl(const story::Tenant& who, Arguments arguments) const
    {
        arguments.insert(arguments.begin(),
                         {"curl", "--noproxy", "*", "-s", "-k", "--user", "api:" + who.key});
        return process::run(arguments);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(clients)

BOOST_FIXTURE_TEST_CASE(curl_as_the_samples_have_it, Client,
                        *story::shows("bodies: multipart") * story::shows("bodies: urlencoded")
                            * story::shows("paths: bare name or full address, raw or encoded"))
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(
        curl(who, {url(who.mailboxes()), "-F", "mailbox=" + alice, "-F", "password=supasecret"}).out
        == kCreated);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "supasecret"));
    BOOST_TEST(
        curl(who, {url(who.mailboxes()), "-d", "mailbox=bob", "-d", "password=supasecret"}).out
        == kCreated);

    const auto page = [](const process::Ended& ended) {
        return answers::page({200, "", {}, ended.out}).names();
    };
    const std::vector both{alice, who.address("bob")};
    BOOST_TEST(page(curl(who, {"-G", url(who.mailboxes())})) == both,
               boost::test_tools::per_element());
    BOOST_TEST(page(curl(who, {"-G", url(who.mailboxes()), "-d", "limit=1", "-d", "skip=1"}))
                   == std::vector{who.address("bob")},
               boost::test_tools::per_element());
    // -X GET with -d puts the parameters into the body.
    BOOST_TEST(page(curl(who, {"-X", "GET", url(who.mailboxes()), "-d", "limit=1"}))
                   == std::vector{alice},
               boost::test_tools::per_element());

    BOOST_TEST(curl(who, {"-X", "PUT", url(who.mailbox("alice")), "-F", "password=abc123"}).out
               == "{\"message\":\"Password changed\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "abc123"));
    BOOST_TEST(curl(who, {"-X", "PUT", url(who.mailbox("bob")), "-d", "password=abc123"}).out
               == "{\"message\":\"Password changed\"}\n");
    BOOST_TEST(curl(who, {"-X", "DELETE", url(who.mailbox("alice"))}).out
               == "{\"message\":\"Mailbox has been deleted\",\"spec\":\"" + alice + "\"}\n");
    // Scripts send an empty -F or -d with every request.
    BOOST_TEST(curl(who, {"-X", "DELETE", url(who.mailbox("bob")), "-d", ""}).exit == 0);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
}

BOOST_FIXTURE_TEST_CASE(curl_that_waits_for_100_continue, Client)
{
    const auto who = tenant();
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-H", "Expect: 100-continue", "-F", "mailbox=alice",
                          "-F", "password=supasecret"})
                   .out
               == kCreated);
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-H", "Transfer-Encoding: chunked", "-d",
                          "mailbox=bob", "-d", "password=supasecret"})
                   .out
               == kCreated);
    BOOST_TEST(curl(who, {"--http1.0", url(who.mailboxes()), "-d", "mailbox=carol", "-d",
                          "password=supasecret"})
                   .out
               == kCreated);
}

namespace {

// Returns the folder of the packages in tests/npm. If they are not installed, the stories that need
// them are skipped and say so.
std::string node_modules()
{
    const char* const folder = std::getenv("TEST_NODE_MODULES");
    return folder != nullptr ? folder : "build/npm/node_modules";
}

boost::test_tools::assertion_result has_node_modules(ut::test_unit_id)
{
    boost::test_tools::assertion_result result{fs::is_directory(node_modules())};
    result.message() << "there is no " << node_modules() << "; `make npm` installs it";
    return result;
}

// Runs a Node.js script, with the API's address in its environment.
process::Ended node(const stack::Stack& stack, const story::Tenant& who, const char* script)
{
    const auto file = stack.directory() / "story.cjs";
    std::ofstream{file} << script;
    return process::run({"env", "NODE_PATH=" + node_modules(), "NO_PROXY=*", "node", file, who.key,
                         who.domain, std::to_string(stack.server().port())});
}

constexpr char kScript[] = R"(
const [key, domain, port] = process.argv.slice(2);
const mailgun = require('mailgun-js')({
    apiKey: key, domain, host: '127.0.0.1', port, protocol: 'http:', endpoint: '/v2'});
const calls = [
    ['post', `/${domain}/mailboxes`, {mailbox: `alice@${domain}`, password: 'supasecret'}],
    ['post', `/${domain}/mailboxes`, [{mailbox: 'bob', password: 'supasecret'},
                                      {mailbox: 'carol', password: 'supasecret'}]],
    ['get', `/${domain}/mailboxes`, {limit: 1, skip: 1}],
    ['get', `/${domain}/mailboxes`, undefined],
    ['put', `/${domain}/mailboxes/alice`, {password: 'abc123'}],
    ['post', `/${domain}/mailboxes`, {mailbox: 'alice', password: 'supasecret'}],
    ['post', `/${domain}/mailboxes`, {mailbox: 'dave'}],
    ['delete', `/${domain}/mailboxes/alice@${domain}`, undefined],
    ['delete', `/${domain}/mailboxes/alice`, undefined],
];
(async () => {
    for (const [method, path, data] of calls) {
        try {
            const body = await mailgun[method](path, data);
            if (body.items) body.items = body.items.map(item => item.mailbox.split('@')[0]);
            console.log(JSON.stringify(body));
        } catch (error) {
            console.log(error.statusCode, error.message);
        }
    }
})();
)";

}  // namespace

BOOST_FIXTURE_TEST_CASE(mailgun_js, Client,
                        *ut::precondition(has_node_modules) * story::shows("bodies: JSON")
                            * story::shows("answers: Content-Type is exactly application/json"))
{
    const auto who = tenant();
    const auto ended = node(stack, who, kScript);
    BOOST_TEST(ended.out
               == "{\"message\":\"Created 1 mailboxes\"}\n"
                  "{\"message\":\"Created 2 mailboxes\"}\n"
                  "{\"total_count\":3,\"items\":[\"bob\"]}\n"
                  "{\"total_count\":3,\"items\":[\"alice\",\"bob\",\"carol\"]}\n"
                  "{\"message\":\"Password changed\"}\n"
                  "409 Mailbox already exists: "
                      + who.address("alice")
                      + "\n"
                        "400 'password' parameter is missing\n"
                        "{\"message\":\"Mailbox has been deleted\",\"spec\":\""
                      + who.address("alice")
                      + "\"}\n"
                        "404 Mailbox not found: "
                      + who.address("alice") + "\n");
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST(ended.err.empty(), ended.err);
}

namespace {

constexpr char kMailgun[] = R"(
const Mailgun = require('mailgun.js');
const [key, domain, port] = process.argv.slice(2);
const client = new Mailgun(require('form-data')).client({username: 'api', key, url: `http://127.0.0.1:${port}`});
const credentials = client.domains.domainCredentials;
const calls = [
    () => credentials.create(domain, {login: `alice@${domain}`, password: 'supasecret'}),
    () => credentials.create(domain, {login: 'bob', password: 'supasecret'}),
    () => credentials.list(domain),
    () => credentials.list(domain, {limit: 1, skip: 1}),
    () => credentials.update(domain, 'alice', {password: 'abc123'}),
    () => credentials.create(domain, {login: 'alice', password: 'supasecret'}),
    () => credentials.update(domain, 'nobody', {password: 'abc123'}),
    () => credentials.destroy(domain, `alice@${domain}`),
    () => credentials.destroy(domain, 'alice'),
    () => client.domains.list({limit: 10}),
    () => client.domains.get(domain),
    () => client.domains.get('nobody.example.org'),
];
(async () => {
    for (const call of calls) {
        try {
            const answer = await call();
            if (answer.items) answer.items = answer.items.map(item => `${item.login} ${item.mailbox} ${item.size_bytes} ${isNaN(new Date(item.created_at))}`);
            const told = ({name, state, is_disabled, wildcard, spam_action, type}) => [name, state, is_disabled, wildcard, spam_action, type].join(' ');
            console.log(Array.isArray(answer) ? answer.map(told).join() : answer.name ? told(answer) : JSON.stringify(answer));
        } catch (error) {
            console.log(error.status, error.details);
        }
    }
})();
)";

}  // namespace

BOOST_TEST_DECORATOR(*story::shows("credentials: GET") * story::shows("credentials: POST")
                     * story::shows("credentials: PUT") * story::shows("credentials: DELETE")
                     * story::shows("domains: GET of all") * story::shows("domains: GET of one")
                     * ut::precondition(has_node_modules))
BOOST_FIXTURE_TEST_CASE(mailgun_js_of_today, story::Story)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    const auto bob = who.address("bob");
    const auto ended = node(stack, who, kMailgun);
    BOOST_TEST(ended.out
               == "{\"status\":200,\"message\":\"Created 1 credentials pair(s)\"}\n"
                  "{\"status\":200,\"message\":\"Created 1 credentials pair(s)\"}\n"
                  "{\"items\":[\""
                      + alice + " " + alice + " 0 false\",\"" + bob + " " + bob
                      + " 0 false\"],\"totalCount\":2}\n"
                        "{\"items\":[\""
                      + bob + " " + bob
                      + " 0 false\"],\"totalCount\":2}\n"
                        "{\"status\":200,\"message\":\"Password changed\"}\n"
                        "409 Mailbox already exists: "
                      + alice
                      + "\n"
                        "404 Mailbox not found: "
                      + who.address("nobody")
                      + "\n"
                        "{\"status\":200,\"message\":\"Credentials have been deleted\",\"spec\":\""
                      + alice
                      + "\"}\n"
                        "404 Mailbox not found: "
                      + alice + "\n" + who.domain + " active false false disabled custom\n"
                      + who.domain
                      + " active false false disabled custom\n"
                        "404 Domain not found: nobody.example.org\n");
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST(ended.err.empty(), ended.err);
    BOOST_TEST(story::is_hash_of(stored_password(who, "bob"), "supasecret"));
}

namespace {

// The key in the first argument is the operator's. A panel creates a customer with a domain and a
// key, uses the key, and removes all of it again.
constexpr char kPanel[] = R"(
const Mailgun = require('mailgun.js');
const [key, domain, port] = process.argv.slice(2);
const login = key => new Mailgun(require('form-data')).client({username: 'api', key, url: `http://127.0.0.1:${port}`});
const client = login(key);
const say = (...words) => console.log(words.join(' '));
const refused = async call => { try { await call(); say('not refused'); } catch (error) { say(error.status, error.details); } };
const date = text => isNaN(new Date(text)) ? 'no date' : 'date';
(async () => {
    const name = 'of-' + domain.replace(/[.]/g, '-');
    const {subaccount} = await client.subaccounts.create(name);
    say(subaccount.name === name, subaccount.status, date(subaccount.created_at), date(subaccount.updated_at));
    await refused(() => client.subaccounts.create(name));
    const list = await client.subaccounts.list({limit: 10, skip: 0, sort: 'asc', enabled: true});
    say(list.total > 0, list.subaccounts.every(each => each.status === 'open'));
    say((await client.subaccounts.get(subaccount.id)).subaccount.name === name);
    say((await client.subaccounts.disable(subaccount.id)).subaccount.status);
    say((await client.subaccounts.enable(subaccount.id)).subaccount.status);
    client.setSubaccount(subaccount.id);
    const own = 'own.' + domain;
    const made = await client.domains.create({name: own, smtp_password: 'correct-horse', wildcard: false, spam_action: 'disabled'});
    say(made.name === own, made.state, made.smtp_login === 'postmaster@' + own, made.sending_dns_records.length);
    await refused(() => client.domains.create({name: own}));
    say((await client.domains.list({limit: 5})).map(each => each.name === own).join());
    say((await client.domains.get(own)).sending_dns_records[0].valid);
    say((await client.domains.update(own, {web_scheme: 'http', wildcard: false})).name === own);
    say((await client.domains.verify(own)).sending_dns_records.length);
    const created = await fetch(`http://127.0.0.1:${port}/v1/keys`, {method: 'POST', body: new URLSearchParams({role: 'admin', description: 'of the panel'}),
        headers: {Authorization: 'Basic ' + Buffer.from('api:' + key).toString('base64'), 'X-Mailgun-On-Behalf-Of': subaccount.id}}).then(answer => answer.json());
    const theirs = login(created.key.secret);
    say((await theirs.domains.domainCredentials.create(own, {login: 'alice', password: 'correct-horse'})).message);
    await refused(() => theirs.domains.get(domain));
    await refused(() => theirs.subaccounts.list());
    await refused(() => theirs.domains.destroy(own));
    await refused(() => client.domains.destroy(own));
    say((await theirs.domains.domainCredentials.destroy(own, 'alice')).message);
    say((await client.domains.destroy(own)).message);
    say((await client.subaccounts.destroy(subaccount.id)).message);
    await refused(() => theirs.domains.list());
    client.resetSubaccount();
    try { await client.subaccounts.get(subaccount.id); } catch (error) { say(error.status); }
})();
)";

}  // namespace

BOOST_TEST_DECORATOR(*ut::precondition(has_node_modules))
BOOST_FIXTURE_TEST_CASE(mailgun_js_provisions, story::Story)
{
    auto who = tenant();
    who.key = story::add_key(stack, {"--operator"});
    const auto ended = node(stack, who, kPanel);
    const auto own = "own." + who.domain;
    auto name = "of-" + who.domain;
    std::replace(name.begin(), name.end(), '.', '-');
    BOOST_TEST(
        ended.out
        == "true open date date\n409 There is an account " + name
               + " already\n"
                 "true true\n"
                 "true\n"
                 "disabled\n"
                 "open\n"
                 "true active true 2\n"
                 "409 There is a domain "
               + own
               + " already\n"
                 "true\n"
                 "unknown\n"
                 "true\n"
                 "2\n"
                 "Created 1 credentials pair(s)\n"
                 "404 Domain not found: "
               + who.domain
               + "\n"
                 "403 This needs a key of the operator.\n"
                 "403 This key may not add or remove domains: the account's max_domains is 0, or the key is for one domain.\n"
                 "409 The domain "
               + own
               + " has 1 mailbox, which would be deleted, too; nothing was changed. Add with_mailboxes=yes to delete all of it\n"
                 "Credentials have been deleted\n"
                 "Domain has been deleted\n"
                 "Subaccount successfully deleted\n"
                 "401 Forbidden\n"
                 "404\n");
    BOOST_TEST(ended.err.empty(), ended.err);
}

namespace {

constexpr char kRoutes[] = R"node(
const Mailgun = require('mailgun.js');
const [key, domain, port] = process.argv.slice(2);
const {routes} = new Mailgun(require('form-data')).client({username: 'api', key, url: `http://127.0.0.1:${port}`});
const say = (...words) => console.log(words.join(' '));
const refused = async call => { try { await call(); say('not refused'); } catch (error) { say(error.status, error.details); } };
const text = route => [route.expression, route.actions.join('|'), route.description, route.priority, /^[0-9a-f]{24}$/.test(route.id)].join(' ');
(async () => {
    const expression = `match_recipient('sales@${domain}')`;
    const made = await routes.create({priority: '5', description: 'orders', expression, action: [`forward('alice@${domain}')`, 'stop()']});
    say(text(made), isNaN(new Date(made.created_at)) ? 'no date' : 'date');
    await refused(() => routes.create({expression, action: [`forward('alice@${domain}')`]}));
    await refused(() => routes.create({expression, action: ["forward('https://example.org')"]}));
    say((await routes.list({limit: 10, skip: 0})).map(text).join());
    say(text(await routes.get(made.id)));
    say(text(await routes.matchAddress(`sales@${domain}`)));
    const changed = await routes.update(made.id, {priority: '6', expression, action: [`forward('bob@${domain}')`]});
    say(text(changed), changed.message);
    const gone = await routes.destroy(made.id);
    say(gone.id === made.id, gone.message);
    await refused(() => routes.get(made.id));
    say((await routes.list()).length);
})();
)node";

}  // namespace

BOOST_TEST_DECORATOR(*ut::precondition(has_node_modules))
BOOST_FIXTURE_TEST_CASE(mailgun_js_makes_routes, story::Story)
{
    const auto who = tenant();
    for (const char* name : {"alice", "bob"}) BOOST_TEST_REQUIRE(create(who, name).status == 200);
    const auto ended = node(stack, who, kRoutes);
    const auto expression = "match_recipient('sales@" + who.domain + "') ";
    const auto route = expression + "forward('" + who.address("alice") + "')|stop() orders 5 true";
    BOOST_TEST(
        ended.out
        == route + " date\n409 There is a route for match_recipient(\"" + who.address("sales")
               + "\") already; change that one, or delete it first\n"
                 "400 'action' parameter must be forward(\"name@domain\") or stop(); URLs, store() and "
                 "anything else are not supported\n"
               + route + "\n" + route + "\n" + route + "\n" + expression + "forward('"
               + who.address("bob")
               + "') orders 6 true Route has been updated\n"
                 "true Route has been deleted\n"
                 "404 Route not found\n"
                 "0\n");
    BOOST_TEST(ended.err.empty(), ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
