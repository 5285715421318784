// secrets_story.cc - no log, table, temporary file or answer contains a password.

#include "system/harness/story.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <boost/test/unit_test.hpp>

using story::shows;

namespace {

// Returns every file in the stack's directory that contains these bytes: logs, the database's files
// and all others.
std::vector<std::string> files_with(const stack::Stack& stack, const std::string& bytes)
{
    const auto ended =
        process::run({"grep", "--recursive", "--files-with-matches", "--binary-files=binary",
                      "--fixed-strings", "--devices=skip", "-e", bytes, stack.directory()});
    // grep exits with 1 if no file matches, and with 2 if a file disappears meanwhile, which is
    // fine.
    std::vector<std::string> files;
    std::string_view rest = ended.out;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        files.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return files;
}

// Returns a secret that can be searched for: long, random, of letters that no encoding changes.
std::string canary()
{
    return story::unique("Canary") + "Zq7Xw9Kv3";
}

struct Secrets : story::Story {
    // Sends a request and ignores the status. The answer must not contain the secret.
    void sing(const story::Tenant& who, const std::string& secret, const std::string& method,
              const std::string& target, const http::Body& body, const http::Fields& headers = {})
    {
        const auto answer = call(who.key, method, target, body, headers);
        BOOST_TEST(answer.body.find(secret) == std::string::npos,
                   method << ' ' << body.type << ": it is echoed: " << answer.body);
        ++sung[answer.status];
    }

    void check_nowhere(const std::string& secret) const
    {
        for (const auto& file : files_with(stack, secret)) {
            BOOST_ERROR("it is in " << file);
        }
    }

    std::map<int, int> sung;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets)

// Checks the search itself: it must find bytes that are known to be stored.
BOOST_FIXTURE_TEST_CASE(the_search_finds_what_is_stored, Secrets)
{
    const auto who = tenant();
    const std::string name = story::unique("needle");
    create(who, name);
    remove(who, name);
    stack.sql("FLUSH TABLES");
    bool is_in_database = false;
    bool is_in_log = false;
    for (const auto& file : files_with(stack, name)) {
        is_in_database = is_in_database || file.find("/mariadb/") != std::string::npos;
        is_in_log = is_in_log || file.ends_with(".log");
    }
    BOOST_TEST(is_in_database);
    BOOST_TEST(is_in_log);
}

BOOST_FIXTURE_TEST_CASE(a_password_is_nowhere, Secrets,
                        *shows("parameters: password")
                            * shows("parameters: password is never logged, stored or echoed"))
{
    const auto who = tenant();
    const auto secret = canary();
    const auto other = tenant();
    create(who, "taken");
    const auto both = http::Fields{{"mailbox", "alice"}, {"password", secret}};
    const auto its = who.mailboxes();

    // Requests that succeed.
    sing(who, secret, "POST", its, http::form(both));
    sing(who, secret, "PUT", who.mailbox("alice"), http::form({{"password", secret}}));
    sing(who, secret, "PUT", who.mailbox("alice"), http::multipart({{"password", secret}}));
    sing(who, secret, "DELETE", who.mailbox("alice"), {});
    sing(who, secret, "POST", its, http::multipart(both));
    sing(who, secret, "PUT", who.mailbox("alice"), http::json("{\"password\":\"" + secret + "\"}"));
    sing(who, secret, "POST", its,
         http::json("{\"mailbox\":\"carol\",\"password\":\"" + secret + "\"}"));
    sing(who, secret, "POST", its, http::untyped("mailbox=bob&password=" + secret));
    BOOST_TEST(sung[200] >= 5);

    // Requests that are refused, for the password or for another parameter.
    const auto refused = [&](const std::string& mailbox, const std::string& password) {
        sing(who, secret, "POST", its, http::form({{"mailbox", mailbox}, {"password", password}}));
        sing(who, secret, "POST", its,
             http::multipart({{"mailbox", mailbox}, {"password", password}}));
        sing(who, secret, "POST", its,
             http::json("{\"mailbox\":\"" + mailbox + "\",\"password\":\"" + password + "\"}"));
    };
    refused("taken", secret);
    refused("no such+name", secret);
    refused("dave@other.example.org", secret);
    refused("dave", secret + std::string(200, 'x'));
    refused("dave", secret + "\x01");
    refused("dave", secret + "\xFF");
    refused("dave", secret + std::string("\0", 1) + secret);
    sing(who, secret, "PUT", who.mailbox("nobody"), http::form({{"password", secret}}));
    sing(who, secret, "PUT", who.mailbox("ali%zzce"), http::form({{"password", secret}}));
    sing(who, secret, "PUT", other.mailbox("alice"), http::form({{"password", secret}}));
    sing(other, secret, "POST", its, http::form(both));
    sing(who, secret, "POST", "/nowhere", http::form(both));
    sing(who, secret, "PATCH", its, http::form(both));
    sing(who, secret, "TRACE", its, http::form(both));
    sing(who, secret, "GET", its, http::form(both));
    sing(who, secret, "DELETE", who.mailbox("nobody"), http::form(both));
    sing({"", "", "no key"}, secret, "POST", its, http::form(both));

    // The secret in a wrong place.
    sing(who, secret, "POST", its, http::form({{secret, "password"}}));
    sing(who, secret, "POST", its, http::form({{"mailbox", "dave"}, {"passwort", secret}}));
    sing(who, secret, "POST", its,
         http::form({{"mailbox", "dave"}, {"password", secret}, {"password", secret}}));
    sing(who, secret, "POST", its, http::json("{\"" + secret + "\":1}"));
    sing(who, secret, "POST", its,
         {"application/x-www-form-urlencoded; charset=" + secret, "mailbox=dave"});
    sing(who, secret, "POST", its, {"text/" + secret, "mailbox=dave"});
    sing(who, secret, "POST", its, {"multipart/form-data; boundary=" + secret, "mailbox=dave"});
    sing({"", "", secret}, secret, "GET", its, {});
    sing(who, secret, "GET", its, {}, {{"X-Password", secret}, {"Cookie", "password=" + secret}});
    sing(who, secret, "GET", its, {},
         {{"Proxy", secret}, {"Referer", "http://x/?password=" + secret}});
    sing(who, secret, "GET", its, {}, {{"User-Agent", secret}});

    // Malformed bodies.
    const auto multipart = http::multipart(both);
    for (std::size_t cut = 1; cut < multipart.bytes.size(); cut += 7) {
        sing(who, secret, "POST", its,
             {multipart.type, multipart.bytes.substr(0, multipart.bytes.size() - cut)});
    }
    sing(who, secret, "POST", its, {"text/plain", "password=" + secret});
    sing(who, secret, "POST", its, {"application/json", http::form(both).bytes});
    sing(who, secret, "POST", its, {"multipart/form-data", http::form(both).bytes});
    sing(who, secret, "POST", its,
         {"application/json", "{\"mailbox\":\"dave\",\"password\":\"" + secret});
    sing(who, secret, "POST", its,
         {"application/json", "{\"mailbox\":\"dave\",\"password\":\"" + secret + "\\u0000\"}"});
    std::string large = "mailbox=dave&password=" + secret;
    while (large.size() < 200'000) {
        large += "&password=" + secret;
    }
    sing(who, secret, "POST", its, {"application/x-www-form-urlencoded", large});
    sing(who, secret, "POST", its, {"application/x-www-form-urlencoded", large.substr(0, 65'000)});

    check_nowhere(secret);
    check_nowhere(http::base64("api:" + secret));
}

// A password in a URL is refused, and no log has it.
BOOST_FIXTURE_TEST_CASE(a_password_in_a_url_is_in_no_log, Secrets,
                        *shows("parameters: password is never logged, stored or echoed"))
{
    const auto who = tenant();
    const auto secret = canary();
    const std::string last = story::unique("last");
    const auto query = "?password=" + secret;
    const auto body = http::form({{"mailbox", "alice"}, {"password", story::kPassword}});
    sing(who, secret, "GET", who.mailboxes() + query, {});
    sing(who, secret, "POST", who.mailboxes() + query, body);
    sing(who, secret, "PUT", who.mailbox("alice") + query, body);
    sing(who, secret, "DELETE", who.mailbox(last) + query, {});
    BOOST_TEST(sung[400] == 4);
    // nginx writes the log line after it has sent the answer.
    BOOST_TEST(process::eventually([&] {
        const auto files = files_with(stack, last);
        return std::any_of(files.begin(), files.end(),
                           [](const auto& file) { return file.ends_with("/nginx-access.log"); });
    }));
    check_nowhere(secret);
}

// nginx refuses requests that are malformed HTTP; its logs must not quote the secret either.
BOOST_FIXTURE_TEST_CASE(a_password_in_a_broken_request_is_in_no_log, Secrets,
                        *shows("parameters: password is never logged, stored or echoed"))
{
    const auto who = tenant();
    const auto secret = canary();
    const std::string head = "POST " + who.mailboxes() + " HTTP/1.1\r\nHost: x\r\nAuthorization: "
                             + http::basic(who.key) + "\r\n";
    const std::string body = "mailbox=dave&password=" + secret;
    const std::string length = "Content-Length: ";
    const std::string broken[] = {
        head + length + "5\r\n\r\n" + body,                     // longer than announced
        head + length + "+37\r\n\r\n" + body,                   // not a number
        head + length + "5\r\n" + length + "6\r\n\r\n" + body,  // two lengths
        head + length + "5\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
        head + "Transfer-Encoding: gzip\r\n\r\n" + body,
        head + "Transfer-Encoding: chunked\r\n\r\n" + body,  // not chunked
        head + "\r\n" + body,                                // no length announced
        head + "password " + secret + "\r\n\r\n",
        head + "Authorization: " + secret + "\r\n\r\n",
        head + "Connection: close\r\nX-" + secret + "\x01: 1\r\n\r\n",
        body + "\r\n\r\n",  // a body without a head
    };
    for (const auto& bytes : broken) {
        http::Connection connection{stack.server().port()};
        connection.send(bytes);
        connection.finish();
        const auto stream = connection.receive_all();
        BOOST_TEST(stream.find(secret) == std::string::npos, stream);
    }
    // Shorter than announced; then the client disconnects.
    for (const bool is_chunked : {false, true}) {
        http::Connection connection{stack.server().port()};
        connection.send(
            head
            + (is_chunked ? "Transfer-Encoding: chunked\r\n\r\n1000\r\n" : length + "1000\r\n\r\n")
            + body);
        connection.finish();
        connection.receive_all();
    }
    check_nowhere(secret);
}

// While a body arrives, it is never written to disk, in whatever pieces it comes.
BOOST_FIXTURE_TEST_CASE(a_password_is_never_on_disk, Secrets,
                        *shows("parameters: password is never logged, stored or echoed"))
{
    const auto who = tenant();
    const auto secret = canary();
    std::string body = "mailbox=alice&password=" + secret + "&x=";
    body += std::string(65'000 - body.size(), 'x');
    std::string chunks;
    for (const char c : body) {
        chunks += std::string{"1\r\n"} + c + "\r\n";
    }
    http::Connection connection{stack.server().port()};
    connection.send("POST " + who.mailboxes()
                    + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
                    + http::basic(who.key) + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
    // nginx has received all this and waits for the last chunk. A temporary file would be deleted
    // but still open.
    BOOST_TEST_REQUIRE(process::eventually([&] { return connection.is_taken(); }));
    BOOST_TEST(list(who).status == 200);
    check_nowhere(secret);
    const auto master = stack.part("nginx");
    for (const auto worker : process::children(master)) {
        for (const auto& file : process::open_files(worker)) {
            BOOST_TEST(file.find("/nginx/tmp/") == std::string::npos, file);
        }
    }
    connection.send("0\r\n\r\n");
    BOOST_TEST(connection.receive().status == 200);
    check_nowhere(secret);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), secret));
}

BOOST_FIXTURE_TEST_CASE(passwords_are_stored_as_argon2id, Secrets,
                        *shows("parameters: password is never logged, stored or echoed"))
{
    const auto who = tenant();
    create(who, "alice", "correct horse battery");
    create(who, "bob", "correct horse battery");
    const auto alice = stored_password(who, "alice");
    const auto bob = stored_password(who, "bob");
    BOOST_TEST(alice.starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"));
    BOOST_TEST(story::is_hash_of(alice, "correct horse battery"));
    BOOST_TEST(!story::is_hash_of(alice, "correct horse"));
    BOOST_TEST(alice != bob, "two that are equal must not look so");
}

BOOST_FIXTURE_TEST_CASE(an_api_key_is_nowhere, Secrets)
{
    const auto who = tenant();
    create(who, "alice");
    auto mistyped = who.key;
    mistyped.back() = mistyped.back() == 'a' ? 'b' : 'a';
    call(mistyped, "GET", who.mailboxes());
    call(who.key, "GET", "/nowhere");
    call(who.key, "GET", "/absent.example.org/mailboxes");
    // Two Authorization headers, which nginx refuses and logs at some levels.
    call(who.key, "GET", who.mailboxes(), {}, {{"Authorization", http::basic(who.key)}});
    stack.mailboxctl({"key", "list"});
    check_nowhere(who.key);
    check_nowhere(who.key.substr(14, 32));
    check_nowhere(http::base64("api:" + who.key));
}

// No process of the stack may write a core file, because it would contain secrets.
BOOST_FIXTURE_TEST_CASE(no_process_leaves_a_core, Secrets)
{
    auto all = stack.workers();
    all.push_back(stack.master());
    for (const auto pid : all) {
        std::ifstream limits{"/proc/" + std::to_string(pid) + "/limits"};
        std::string line;
        bool is_found = false;
        while (std::getline(limits, line)) {
            if (line.starts_with("Max core file size")) {
                is_found = true;
                BOOST_TEST(line.find(" 0 ") != std::string::npos, line);
            }
        }
        BOOST_TEST(is_found);
    }
}

BOOST_AUTO_TEST_SUITE_END()
