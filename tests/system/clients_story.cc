// clients_story.cc - programs that others have written, as the original's users ran them.

#include "story.h"

#include <fstream>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
namespace ut = boost::unit_test;
using process::Arguments;

namespace {

constexpr char kCreated[] = "{\"message\":\"Created 1 mailboxes\"}\n";

struct Client : story::Story {
    std::string url(const std::string& path) const { return house.setting("API_URL") + "/v2" + path; }

    // The original's samples, with our address.
    process::Ended curl(const story::Tenant& who, Arguments arguments) const
    {
        arguments.insert(arguments.begin(), {"curl", "--noproxy", "*", "-s", "-k", "--user", "api:" + who.key});
        return process::run(arguments);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(clients)

BOOST_FIXTURE_TEST_CASE(curl_as_the_samples_have_it, Client,
                        *story::shows("bodies: multipart") * story::shows("bodies: urlencoded") *
                            story::shows("paths: bare name or full address, raw or encoded"))
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-F", "mailbox=" + alice, "-F", "password=supasecret"}).out ==
               kCreated);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "supasecret"));
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-d", "mailbox=bob", "-d", "password=supasecret"}).out == kCreated);

    const auto page = [](const process::Ended& ended) {
        return answers::page({200, "", {}, ended.out}).names();
    };
    const std::vector both{alice, who.address("bob")};
    BOOST_TEST(page(curl(who, {"-G", url(who.mailboxes())})) == both, boost::test_tools::per_element());
    BOOST_TEST(page(curl(who, {"-G", url(who.mailboxes()), "-d", "limit=1", "-d", "skip=1"})) ==
                   std::vector{who.address("bob")},
               boost::test_tools::per_element());
    // -X GET with -d puts them into the body.
    BOOST_TEST(page(curl(who, {"-X", "GET", url(who.mailboxes()), "-d", "limit=1"})) == std::vector{alice},
               boost::test_tools::per_element());

    BOOST_TEST(curl(who, {"-X", "PUT", url(who.mailbox("alice")), "-F", "password=abc123"}).out ==
               "{\"message\":\"Password changed\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "abc123"));
    BOOST_TEST(curl(who, {"-X", "PUT", url(who.mailbox("bob")), "-d", "password=abc123"}).out ==
               "{\"message\":\"Password changed\"}\n");
    BOOST_TEST(curl(who, {"-X", "DELETE", url(who.mailbox("alice"))}).out ==
               "{\"message\":\"Mailbox has been deleted\",\"spec\":\"" + alice + "\"}\n");
    // An empty -F or -d on everything, as scripts do it.
    BOOST_TEST(curl(who, {"-X", "DELETE", url(who.mailbox("bob")), "-d", ""}).exit == 0);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
}

BOOST_FIXTURE_TEST_CASE(curl_that_waits_for_100_continue, Client)
{
    const auto who = tenant();
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-H", "Expect: 100-continue", "-F", "mailbox=alice", "-F",
                          "password=supasecret"})
                   .out == kCreated);
    BOOST_TEST(curl(who, {url(who.mailboxes()), "-H", "Transfer-Encoding: chunked", "-d", "mailbox=bob", "-d",
                          "password=supasecret"})
                   .out == kCreated);
    BOOST_TEST(curl(who, {"--http1.0", url(who.mailboxes()), "-d", "mailbox=carol", "-d", "password=supasecret"}).out ==
               kCreated);
}

namespace {

// mailgun-js, in a directory of its own for the whole run. Without npm, or its
// registry, the story is skipped and says why.
class MailgunJs {
public:
    static const MailgunJs& installed()
    {
        static const MailgunJs one;
        return one;
    }

    ~MailgunJs() { fs::remove_all(directory_); }
    const fs::path& directory() const { return directory_; }
    const std::string& problem() const { return problem_; }

private:
    MailgunJs() : directory_{"/tmp/mailboxd-story-mailgun-js-" + story::unique("")}
    {
        fs::create_directories(directory_);
        try {
            const auto ended = process::run({"npm", "install", "--prefix", directory_, "--no-audit", "--no-fund",
                                             "--ignore-scripts", "mailgun-js@0.22.0"});
            problem_ = ended.exit == 0 ? "" : "npm install mailgun-js: " + ended.err;
        } catch (const std::exception& error) {
            problem_ = error.what();
        }
    }

    fs::path directory_;
    std::string problem_;
};

boost::test_tools::assertion_result has_mailgun_js(ut::test_unit_id)
{
    const auto& problem = MailgunJs::installed().problem();
    boost::test_tools::assertion_result result{problem.empty()};
    result.message() << problem;
    return result;
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
                        *ut::precondition(has_mailgun_js) * story::shows("bodies: JSON") *
                            story::shows("answers: Content-Type is exactly application/json"))
{
    const auto who = tenant();
    const auto script = MailgunJs::installed().directory() / "story.cjs";
    std::ofstream{script} << kScript;
    const auto port = std::to_string(house.server().port());
    const auto ended = process::run({"node", script, who.key, who.domain, port});
    BOOST_TEST(ended.out == "{\"message\":\"Created 1 mailboxes\"}\n"
                            "{\"message\":\"Created 2 mailboxes\"}\n"
                            "{\"total_count\":3,\"items\":[\"bob\"]}\n"
                            "{\"total_count\":3,\"items\":[\"alice\",\"bob\",\"carol\"]}\n"
                            "{\"message\":\"Password changed\"}\n"
                            "409 Mailbox already exists: " + who.address("alice") + "\n"
                            "400 'password' parameter is missing\n"
                            "{\"message\":\"Mailbox has been deleted\",\"spec\":\"" + who.address("alice") + "\"}\n"
                            "404 Mailbox not found: " + who.address("alice") + "\n");
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST(ended.err.empty(), ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
