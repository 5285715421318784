// nginx_files_story.cc - the files that an operator includes in nginx's configuration: nginx
// accepts every combination, they have the documented effects, and other sites answer as before.

#include "system/harness/story.h"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <tuple>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& path)
{
    std::ifstream file{path};
    BOOST_TEST_REQUIRE(!file.fail(), path);
    return {std::istreambuf_iterator<char>{file}, {}};
}

// Replaces every occurrence; fails if there is none.
void replace(std::string& text, const std::string& from, const std::string& to)
{
    std::size_t at = text.find(from);
    BOOST_TEST_REQUIRE(at != std::string::npos, from);
    for (; at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

const std::string kInstalled = "/usr/share/mailboxd/nginx";

// A folder with the project's nginx files as an operator has them, for the service of the shared
// stack.
struct Files : story::Story {
    Files()
    {
        fs::create_directories(folder / "tmp");
        fs::create_directories(folder / "www");
        for (const auto& entry : fs::directory_iterator{"nginx"}) {
            auto text = contents(entry.path());
            if (entry.path().filename() == "mailboxd-http.conf") {
                replace(text, "/run/mailboxd/mailboxd.sock", stack.setting("FASTCGI_SOCKET"));
                replace(text, "/run/mailboxd/mailboxd-write.sock",
                        stack.setting("FASTCGI_WRITE_SOCKET"));
            }
            write(entry.path().filename(), text);
        }
    }
    ~Files() { fs::remove_all(folder); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    void write(const std::string& name, const std::string& text) const
    {
        std::ofstream{folder / name} << text;
    }
    void edit(const std::string& name, const std::string& from, const std::string& to) const
    {
        auto text = contents(folder / name);
        replace(text, from, to);
        write(name, text);
    }
    std::string include(const std::string& name) const
    {
        return "include " + (folder / name).string() + ";\n";
    }
    std::string socket(const std::string& name) const
    {
        return (folder / (name + ".sock")).string();
    }

    // Returns the configuration around the sites, as in Debian's nginx.
    std::string configuration(const std::string& http) const
    {
        const std::string here = folder.string();
        std::string text = ::geteuid() == 0 ? "user www-data;\n" : "";
        text +=
            "daemon off;\nworker_processes 1;\npid " + here + "/nginx.pid;\nerror_log " + here
            + "/error.log warn;\n"
              "events { worker_connections 512; }\nhttp {\n"
              "types { text/html html; text/plain txt; }\ndefault_type application/octet-stream;\ngzip on;\n";
        for (const char* kind : {"client_body", "fastcgi", "proxy", "uwsgi", "scgi"}) {
            text += kind + std::string{"_temp_path "} + here + "/tmp/" + kind + ";\n";
        }
        return text + "access_log " + here + "/access.log;\n" + http + "}\n";
    }

    process::Ended test(const std::string& http) const
    {
        write("nginx.conf", configuration(http));
        return process::run({"nginx", "-t", "-e", (folder / "error.log").string(), "-c",
                             (folder / "nginx.conf").string()});
    }

    fs::path folder = [this] {
        auto path = stack.directory() / story::unique("nginx");
        fs::create_directory(path);
        return path;
    }();
};

// An nginx that runs while this object exists and listens on sockets in the folder.
class Nginx {
public:
    Nginx(const Files& files, const std::string& http)
        : files_{files}, program_{prepared(files, http)}
    {
        // nginx writes its process id when it listens. The check is written out, because a macro
        // would build its message in any case.
        if (!process::eventually([&] { return fs::exists(files.folder / "nginx.pid"); })) {
            BOOST_FAIL("nginx does not listen: " << contents(files.folder / "error.log"));
        }
    }
    ~Nginx()
    {
        ::kill(program_.pid(), SIGTERM);
        program_.end();
    }
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;

    // Returns the whole answer without the parts that differ each time.
    std::string send(const std::string& socket, const std::string& bytes) const
    {
        static const std::regex changing{"\r\n(Date|X-Request-Id): [^\r]*"};
        http::Connection connection{files_.socket(socket)};
        connection.send(bytes);
        return std::regex_replace(connection.receive_all(), changing, "");
    }

    static std::string request(const std::string& method, const std::string& target,
                               const std::string& key = "", const std::string& headers = "",
                               const std::string& body = "")
    {
        return method + " " + target + " HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n"
               + (key.empty() ? "" : "Authorization: " + http::basic(key) + "\r\n") + headers
               + (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n")
               + "\r\n" + body;
    }

private:
    static process::Arguments prepared(const Files& files, const std::string& http)
    {
        files.write("nginx.conf", files.configuration(http));
        return {"nginx", "-e", (files.folder / "error.log").string(), "-c",
                (files.folder / "nginx.conf").string()};
    }

    const Files& files_;
    process::Child program_;
};

bool is_from_1_25_1()
{
    const auto version = process::run({"nginx", "-v"}).err;
    std::smatch match;
    BOOST_TEST_REQUIRE(
        std::regex_search(version, match, std::regex{"nginx/(\\d+)\\.(\\d+)\\.(\\d+)"}), version);
    const auto number = [&](std::size_t i) { return std::stoi(match[i]); };
    return std::tuple{number(1), number(2), number(3)} >= std::tuple{1, 25, 1};
}

void is_clean(const process::Ended& ended)
{
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST(ended.err.find("[warn]") == std::string::npos);
    BOOST_TEST(ended.err.find("[emerg]") == std::string::npos);
    if (ended.exit != 0 || ended.err.find("[warn]") != std::string::npos) {
        BOOST_TEST_MESSAGE(ended.err);
        BOOST_ERROR(ended.err);
    }
}

// Adapts the site's file to the installed nginx with the command in the file itself.
void prepare_site(const Files& files)
{
    auto site = contents(files.folder / "mailboxd-site.conf");
    replace(site, kInstalled, files.folder);
    files.write("mailboxd-site.conf", site);
    if (!is_from_1_25_1()) {
        std::smatch command;
        BOOST_TEST_REQUIRE(std::regex_search(site, command, std::regex{"#     (sed -i .*)\n"}));
        BOOST_TEST(process::run({"sh", "-c", "cd \"$0\" && " + command.str(1), files.folder}).exit
                   == 0);
    }
    files.edit("mailboxd-site.conf", ":443 ssl", ":8443 ssl");
    files.edit("mailboxd-site.conf", " 443 ssl",
               " 8443 ssl");  // an ordinary user may not use port 443
    const auto key = (files.folder / "key.pem").string();
    const auto certificate = (files.folder / "certificate.pem").string();
    BOOST_TEST(process::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                             "/CN=api.example.org", "-keyout", key, "-out", certificate})
                   .exit
               == 0);
    files.edit("mailboxd-site.conf", "/etc/letsencrypt/live/api.example.org/fullchain.pem",
               certificate);
    files.edit("mailboxd-site.conf", "/etc/letsencrypt/live/api.example.org/privkey.pem", key);
    files.edit("mailboxd-site.conf", "/var/log/nginx", files.folder);
    files.edit("mailboxd-site.conf", "/etc/nginx/mailboxd-proxy.conf",
               files.folder / "mailboxd-proxy.conf");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nginx_files)

BOOST_FIXTURE_TEST_CASE(nginx_takes_a_site_of_its_own, Files)
{
    prepare_site(*this);
    const auto site = contents(folder / "mailboxd-site.conf");
    for (const bool has_limits : {true, false}) {
        for (const bool has_proxy : {true, false}) {
            for (const bool has_others : {true, false}) {
                auto text = site;
                if (!has_limits) {
                    replace(text, include("mailboxd-limits.conf"), "\n");
                }
                if (has_proxy) {
                    replace(text, "#include", "include");
                }
                write("site", text);
                const std::string others =
                    "server { listen 8081; server_name a; set $mailboxd_mail_host a;\n"
                    + include("mailboxd-autoconfig.conf")
                    + "}\nserver { listen 8081; server_name b; root /var/www; }\n";
                BOOST_TEST_CONTEXT("limits " << has_limits << ", proxy " << has_proxy << ", others "
                                             << has_others)
                {
                    is_clean(test(include("site") + (has_others ? others : "")));
                }
            }
        }
    }
}

BOOST_FIXTURE_TEST_CASE(nginx_takes_an_existing_server, Files)
{
    for (const char* service : {"mailboxd-location.conf", "mailboxd-server.conf"}) {
        for (const bool has_limits : {true, false}) {
            for (const bool has_proxy : {true, false}) {
                for (const bool has_health : {true, false}) {
                    std::string text = include("mailboxd-http.conf")
                                       + "server { listen 8081; server_name b; root /var/www;\n"
                                       + include(service);
                    text += has_limits ? include("mailboxd-limits.conf") : "";
                    text += has_proxy ? include("mailboxd-proxy.conf") : "";
                    text += "}\n";
                    text += has_health ? "server { listen 127.0.0.1:8079;\n"
                                             + include("mailboxd-health.conf") + "}\n"
                                       : "";
                    BOOST_TEST_CONTEXT(service << ", limits " << has_limits << ", proxy "
                                               << has_proxy << ", health " << has_health)
                    {
                        is_clean(test(text));
                    }
                }
            }
        }
    }
}

// Both ways have the same settings for the service.
BOOST_AUTO_TEST_CASE(both_ways_to_the_service_agree)
{
    const auto server = contents("nginx/mailboxd-server.conf");
    const auto location = contents("nginx/mailboxd-location.conf");
    static const std::regex said{"\n *((?:fastcgi_|client_max_body|client_body_b|return )[^\n]*)"};
    const auto of = [](const std::string& text) {
        std::set<std::string> all;
        for (std::sregex_iterator each{text.begin(), text.end(), said}, end; each != end; ++each) {
            all.insert(each->str(1));
        }
        return all;
    };
    const auto in_server = of(server);
    for (const auto& line : of(location)) {
        BOOST_TEST(in_server.contains(line), "only in mailboxd-location.conf: " << line);
    }
    for (const auto& line : in_server) {
        BOOST_TEST((line.starts_with("return ") || of(location).contains(line)),
                   "only in mailboxd-server.conf: " << line);
    }
}

namespace {

struct Beside : Files {
    Beside()
    {
        for (const auto& [name, text] : {std::pair{"index.html", "a site\n"},
                                         {"missing.html", "not here\n"},
                                         {"long.txt", "long\n"}}) {
            write(std::string{"www/"} + name, text + std::string(name[0] == 'l' ? 5000 : 0, 'x'));
        }
    }

    // Returns two sites. A careless file of ours would change their settings, or http's.
    std::string sites(const std::string& in_http, const std::string& in_server,
                      const std::string& behind) const
    {
        const std::string each =
            "root " + (folder / "www").string()
            + ";\n"
              "location /app { return 200 \"app $request_method $remote_addr $server_protocol\\n\"; }\n"
              "location /down { return 503; }\n"
              "location /bad { return 400; }\n"
              "location ~ \"^/admin/mailboxes\" { return 200 \"the site's own\\n\"; }\n"
              "location /upload { client_max_body_size 200k; return 200 \"taken\\n\"; }\n"
              "location /fcgi/ { fastcgi_pass unix:/nonexistent; }\n";
        return "charset utf-8;\ngzip_types text/plain;\nadd_header X-Site here always;\nerror_page 404 /missing.html;\n"
               "client_max_body_size 100k;\n"
               + in_http + "server { listen unix:" + socket("first") + ";\n" + each + in_server
               + "}\n"
                 "server { listen unix:"
               + socket("second") + ";\n" + each + "}\n" + behind;
    }
};

const char* const kTargets[] = {"/",
                                "/nothing",
                                "/app",
                                "/down",
                                "/bad",
                                "/long.txt",
                                "/admin/mailboxes",
                                "/admin/mailboxes/x",
                                "/mailboxes",
                                "/x/y/mailboxes",
                                "/healthz",
                                "/readyz",
                                "/fcgi/x",
                                "/.mailboxd/404",
                                "/.mailboxd/",
                                "/v3/",
                                "/v4/example.org/mailboxes",
                                "/domains",
                                "/domains/x/credentials",
                                "/openapi.json",
                                "/mail/config-v1.1.xml",
                                "/../etc/passwd"};

}  // namespace

BOOST_FIXTURE_TEST_CASE(other_sites_answer_as_before, Beside)
{
    std::vector<std::string> requests;
    for (const char* target : kTargets) {
        for (const char* method : {"GET", "HEAD", "POST", "PATCH", "TRACE"}) {
            requests.push_back(Nginx::request(
                method, target, "", "Accept-Encoding: gzip\r\nX-Forwarded-For: 192.0.2.7\r\n"));
        }
    }
    requests.push_back(Nginx::request("POST", "/app", "", "", std::string(90'000, 'x')));
    requests.push_back(Nginx::request("POST", "/app", "", "", std::string(110'000, 'x')));
    requests.push_back(Nginx::request("POST", "/upload", "", "", std::string(150'000, 'x')));
    requests.emplace_back("no HTTP at all\r\n\r\n");
    requests.emplace_back("GET / HTTP/3.0\r\n\r\n");
    requests.push_back(Nginx::request("GET", "/" + std::string(40'000, 'x')));
    std::vector<std::string> before;
    {
        const Nginx alone{*this, sites("", "", "")};
        for (const auto& request : requests) {
            before.push_back(alone.send("first", request));
            before.push_back(alone.send("second", request));
        }
    }
    const std::string behind =
        "server { listen unix:" + socket("api") + ";\n" + include("mailboxd-server.conf")
        + include("mailboxd-limits.conf") + include("mailboxd-proxy.conf") + "}\n"
        + "server { listen unix:" + socket("auto") + "; set $mailboxd_mail_host x;\n"
        + include("mailboxd-autoconfig.conf") + "}\n" + "server { listen unix:" + socket("health")
        + ";\n" + include("mailboxd-health.conf") + "}\n";
    const Nginx together{
        *this, sites(include("mailboxd-http.conf"), include("mailboxd-location.conf"), behind)};
    auto expected = before.begin();
    for (const auto& request : requests) {
        // Error pages are internal to our server, so clients cannot request them.
        const bool is_ours = request.find(" /.mailboxd/") != std::string::npos;
        const auto first = together.send("first", request);
        BOOST_TEST((is_ours ? first.starts_with("HTTP/1.1 40") : first == *expected),
                   request.substr(0, 60));
        ++expected;
        BOOST_TEST(together.send("second", request) == *expected++, request.substr(0, 60));
    }
}

// In a server with other locations the API answers as in a server of its own.
BOOST_FIXTURE_TEST_CASE(in_an_existing_server, Beside)
{
    const auto who = tenant();
    const std::string behind =
        "server { listen unix:" + socket("api") + ";\n" + include("mailboxd-server.conf") + "}\n";
    const Nginx nginx{
        *this, sites(include("mailboxd-http.conf"), include("mailboxd-location.conf"), behind)};
    const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
    const std::string requests[] = {
        Nginx::request("GET", who.mailboxes("/v3"), who.key),
        Nginx::request("GET", who.mailboxes(), who.key, "Accept-Encoding: gzip\r\n"),
        Nginx::request("HEAD", who.mailboxes("/v2"), who.key),
        Nginx::request("GET", who.mailboxes("/v3")),
        Nginx::request("GET", "/v3/nobody.example.org/mailboxes", who.key),
        Nginx::request("GET", "/v3/nobody/mailboxes", who.key),
        Nginx::request("GET", "/v3/domains/" + who.domain + "/credentials", who.key),
        Nginx::request("PATCH", "/domains/" + who.domain + "/credentials/alice", who.key),
        Nginx::request("GET", "/v4/domains", who.key),
        Nginx::request("GET", "/v3/domains/" + who.domain, who.key),
        Nginx::request("PATCH", who.mailboxes(), who.key),
        Nginx::request("PUT", who.mailbox("alice"), who.key, form, "password=Through-the-glass"),
        Nginx::request("DELETE", who.mailbox("a%2Fb"), who.key),
        Nginx::request("POST", who.mailboxes(), who.key, form, std::string(70'000, 'x')),
        Nginx::request("POST", who.mailboxes(), who.key, form, "mailbox=-&password=x"),
    };
    for (const auto& request : requests) {
        const auto answer = nginx.send("first", request);
        BOOST_TEST(answer == nginx.send("api", request), request.substr(0, 80));
        BOOST_TEST(answer.find("\r\nContent-Type: application/json\r\n") != std::string::npos,
                   answer);
    }
    BOOST_TEST(nginx
                   .send("first", Nginx::request("POST", who.mailboxes(), who.key, form,
                                                 "mailbox=alice&password=Through-the-glass"))
                   .find("Created 1 mailboxes")
               != std::string::npos);
    BOOST_TEST(
        nginx.send("api", Nginx::request("GET", who.mailboxes(), who.key)).find("\"total_count\":1")
        != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(limits_of_a_key_and_of_an_address, Files)
{
    const auto who = tenant();
    const auto other = tenant();
    edit("mailboxd-http.conf", "rate=50r/s", "rate=1r/m");
    edit("mailboxd-http.conf", "rate=1000r/s", "rate=1r/m");
    edit("mailboxd-limits.conf", "burst=100 ", "burst=10 ");
    edit("mailboxd-limits.conf", "burst=1000 ", "burst=30 ");
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("api")
                                 + ";\n" + include("mailboxd-server.conf")
                                 + include("mailboxd-limits.conf") + include("mailboxd-proxy.conf")
                                 + "}\n"};
    const auto ask = [&](const std::string& key, const std::string& address) {
        return nginx.send("api", Nginx::request("GET", who.mailboxes(), key,
                                                "X-Forwarded-For: " + address + "\r\n"));
    };
    // The same key in several spellings of the header.
    const auto written = [&](int i) {
        return "Authorization: " + std::string{i % 2 == 0 ? "Basic" : "bASIC"}
               + std::string(static_cast<std::size_t>(i + 1), ' ') + http::basic(who.key).substr(6)
               + "\r\n";
    };
    int refused = 0;
    for (int i = 0; i < 15; ++i) {
        const auto answer =
            nginx.send("api", Nginx::request("GET", who.mailboxes(), "",
                                             "X-Forwarded-For: 192.0.2.1\r\n" + written(i)));
        if (answer.starts_with("HTTP/1.1 429 ")) {
            ++refused;
            BOOST_TEST(
                answer.find(
                    "{\"message\":\"Too many requests; try again later\",\"code\":\"too_many_requests\"}\n")
                != std::string::npos);
            BOOST_TEST(answer.find("\r\nRetry-After: 1\r\n") != std::string::npos);
        }
    }
    BOOST_TEST(refused >= 3);
    BOOST_TEST(refused <= 4);
    // A key's limit holds for all addresses, and does not affect other keys at the same address.
    BOOST_TEST(ask(who.key, "192.0.2.2").starts_with("HTTP/1.1 429 "));
    BOOST_TEST(ask(other.key, "192.0.2.1").starts_with("HTTP/1.1 404 "));
    // Many different keys reach the address's limit, which affects only that address.
    refused = 0;
    for (int i = 0; i < 40; ++i) {
        refused +=
            ask("wrong" + std::to_string(i), "192.0.2.3").starts_with("HTTP/1.1 429 ") ? 1 : 0;
    }
    BOOST_TEST(refused >= 8);
    BOOST_TEST(refused <= 9);
    BOOST_TEST(ask(other.key, "192.0.2.4").starts_with("HTTP/1.1 404 "));
}

namespace {

// One or more header lines that might be accepted as the key's.
struct Spelling {
    std::string why;
    std::string lines;
};

std::string shown(unsigned char byte)
{
    constexpr char kDigits[] = "0123456789abcdef";
    return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

// Returns the header with every byte between its parts, with some bytes doubled, and with other
// deviations that a base64 decoder or an HTTP parser might accept.
std::vector<Spelling> spellings(const std::string& key)
{
    const auto encoded = http::basic(key).substr(6);
    const auto line = [](const std::string& value) { return "Authorization: " + value + "\r\n"; };
    std::vector<Spelling> all;
    const auto add = [&](const std::string& why, const std::string& lines) {
        all.push_back({why, lines});
    };
    for (int code = 1; code < 256; ++code) {
        const auto byte = static_cast<char>(code);
        if (byte == '\n') continue;  // ends the line
        const std::string one(1, byte);
        const auto name = shown(static_cast<unsigned char>(byte));
        add("in place of the space " + name, line("Basic" + one + encoded));
        add("after the space " + name, line("Basic " + one + encoded));
        add("before the space " + name, line("Basic" + one + " " + encoded));
        add("between spaces " + name, line("Basic " + one + " " + encoded));
        add("before the scheme " + name, line(one + "Basic " + encoded));
        add("behind " + name, line("Basic " + encoded + one));
        add("behind a space " + name, line("Basic " + encoded + " " + one));
        add("within the key " + name,
            line("Basic " + encoded.substr(0, 40) + one + encoded.substr(40)));
        add("after the header's name " + name,
            "Authorization" + one + ": Basic " + encoded + "\r\n");
        add("after the colon " + name, "Authorization:" + one + "Basic " + encoded + "\r\n");
    }
    for (const char* scheme : {"Basic", "basic", "BASIC", "bAsIc", "Basic:", "Basic,", "Basic;",
                               "\"Basic\"", "Bearer", "Basi", "Basics", ""}) {
        for (const char* space : {" ", "  ", "    ", "\t", " \t", "\t ", " \t ", "\t\t", ""}) {
            for (const char* behind : {"", " ", "\t", " \t", "\t ", "=", "==", " =", ",", ", x=y",
                                       " x", "\r", "\v", "\f"}) {
                add(std::string{scheme} + "/" + space + "/" + behind,
                    line(scheme + std::string{space} + encoded + behind));
            }
        }
    }
    std::string url_safe = encoded;
    for (auto& c : url_safe) {
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    add("base64 for URLs", line("Basic " + url_safe));
    add("no blank after the colon", "Authorization:Basic " + encoded + "\r\n");
    add("a header's name in capitals", "AUTHORIZATION: Basic " + encoded + "\r\n");
    add("and in small letters", "authorization: Basic " + encoded + "\r\n");
    add("an underscore", "Authorization_: Basic " + encoded + "\r\n");
    add("a folded line", "Authorization: Basic\r\n " + encoded + "\r\n");
    add("a folded line with a tab", "Authorization: Basic\r\n\t" + encoded + "\r\n");
    add("a line feed alone", "Authorization: Basic " + encoded + "\n");
    add("for a proxy", "Proxy-Authorization: Basic " + encoded + "\r\n");
    add("twice", line("Basic " + encoded) + line("Basic " + encoded));
    add("behind another key", line("Basic YXBpOng=") + line("Basic " + encoded));
    add("before another key", line("Basic " + encoded) + line("Basic YXBpOng="));
    add("behind an empty one", line("") + line("Basic " + encoded));
    add("the key of a list", line("Basic YXBpOng=, Basic " + encoded));
    for (const std::string& pair :
         {"api:" + key + "\n", "api:" + key + " ", " api:" + key, "API:" + key,
          "api:" + key + std::string(1, '\0'), "api: " + key, "::" + key}) {
        add("another pair", line("Basic " + http::base64(pair)));
    }
    return all;
}

bool is(int status, const std::string& answer)
{
    return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

}  // namespace

// If nginx did not count a spelling that the service accepts, a client could avoid the limit.
BOOST_FIXTURE_TEST_CASE(every_accepted_header_is_counted, Files)
{
    const auto who = tenant();
    edit("mailboxd-http.conf", "rate=50r/s", "rate=1r/m");
    edit("mailboxd-http.conf", "rate=1000r/s", "rate=100000r/s");
    edit("mailboxd-limits.conf", "burst=1000 ", "burst=60000 ");
    edit("mailboxd-limits.conf", "burst=100 ", "burst=1 ");
    const std::string api = include("mailboxd-server.conf") + include("mailboxd-limits.conf");
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("api")
                                 + ";\n" + api + "}\n" + "server { listen unix:" + socket("free")
                                 + ";\n" + include("mailboxd-server.conf") + "}\n"
                                 + "server { listen unix:" + socket("two") + " http2;\n" + api
                                 + "}\n"};
    const auto ask = [&](const std::string& socket, const std::string& lines) {
        return nginx.send(socket, "GET " + who.mailboxes()
                                      + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines
                                      + "\r\n");
    };
    const auto right = "Authorization: " + http::basic(who.key) + "\r\n";
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(is(200, ask("api", right)));
    }
    BOOST_TEST(is(429, ask("api", right)));
    int let_in = 0;
    for (const auto& [why, lines] : spellings(who.key)) {
        const bool is_let_in = is(200, ask("free", lines));
        let_in += is_let_in ? 1 : 0;
        const auto limited = ask("api", lines);
        BOOST_TEST((is_let_in ? is(429, limited) : !is(200, limited)),
                   why << ": " << limited.substr(0, 60));
    }
    BOOST_TEST(let_in >= 30);  // for example several blanks, and schemes in capitals

    // HTTP/2 has no lines, so values arrive unchanged.
    for (const char* value : {"Basic ", "basic ", "Basic  ", "Basic \t", "Basic\t", "Basic \t "}) {
        for (const char* behind : {"", " ", "\t", " \t "}) {
            const auto ended = process::run(
                {"curl", "-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}",
                 "--http2-prior-knowledge", "--max-time", "20", "--unix-socket", socket("two"),
                 "-H", "Authorization: " + (value + http::basic(who.key).substr(6)) + behind,
                 "http://x" + who.mailboxes()});
            BOOST_TEST((ended.out == "2 429" || ended.out == "2 401"),
                       "'" << value << "' '" << behind << "': " << ended.out);
        }
    }
}

// Over HTTP/2, nginx closes the connection without an answer if a header exceeds nginx's limits. So
// our limits are lower.
BOOST_FIXTURE_TEST_CASE(long_headers_are_answered_over_http_2, Files)
{
    const auto who = tenant();
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("one")
                                 + ";\nlisten unix:" + socket("two") + " http2;\n"
                                 + include("mailboxd-server.conf") + "}\n"};
    std::string noise;  // random text that Huffman coding does not shorten
    for (std::uint32_t state = 1; noise.size() < 70'000;) {
        state = state * 1664525U + 1013904223U;
        noise += static_cast<char>('!' + (state >> 24) % 94);
    }
    const auto ask = [&](const char* version, const std::string& socket_name,
                         const std::string& headers, const std::string& target,
                         const std::string& body) {
        write("headers", "Authorization: " + http::basic(who.key) + "\n" + headers);
        write("body", body);
        process::Arguments arguments{"curl",
                                     "-s",
                                     "-w",
                                     " %{http_code}",
                                     version,
                                     "--max-time",
                                     "20",
                                     "--unix-socket",
                                     socket(socket_name),
                                     "-H",
                                     "@" + (folder / "headers").string()};
        if (!body.empty())
            arguments.insert(arguments.end(), {"--data-binary", "@" + (folder / "body").string()});
        arguments.push_back("http://x" + target);
        return process::run(arguments).out;
    };
    std::string many;
    for (int i = 0; i < 45; ++i)
        many += "X-" + std::to_string(i) + ": "
                + noise.substr(static_cast<std::size_t>(i) * 1000, 1000) + "\n";
    const std::string too_large =
        "{\"message\":\"The headers of the request are too large\",\"code\":\"headers_too_large\"}\n 400";
    const std::string too_long =
        "{\"message\":\"The address of the request is too long\",\"code\":\"uri_too_long\"}\n 414";
    const std::string none = "{\"total_count\":0,\"items\":[]}\n 200";
    for (const auto& [version, socket_name] :
         {std::pair{"--http1.1", "one"}, {"--http2-prior-knowledge", "two"}}) {
        BOOST_TEST_CONTEXT(version)
        {
            BOOST_TEST(ask(version, socket_name, "X: " + noise.substr(0, 40'000) + "\n",
                           who.mailboxes(), "")
                       == too_large);
            BOOST_TEST(ask(version, socket_name, "X: " + noise.substr(0, 60'000) + "\n",
                           who.mailboxes(), "")
                       == too_large);
            BOOST_TEST(ask(version, socket_name, many, who.mailboxes(), "") == too_large);
            BOOST_TEST(ask(version, socket_name, "X: " + noise.substr(0, 20'000) + "\n",
                           who.mailboxes(), "")
                       == none);
            BOOST_TEST(
                ask(version, socket_name, "", who.mailboxes() + "?x=" + std::string(7'000, 'x'), "")
                == none);
            BOOST_TEST(
                ask(version, socket_name, "", who.mailboxes() + "?x=" + std::string(9'000, 'x'), "")
                == too_long);
            BOOST_TEST(ask(version, socket_name, "",
                           who.mailboxes() + "?x=" + std::string(60'000, 'x'), "")
                       == too_long);
            // The body does not count towards the size of the headers.
            BOOST_TEST(
                ask(version, socket_name, "", who.mailboxes(), "x=" + std::string(60'000, 'x'))
                == "{\"message\":\"'mailbox' parameter is missing\",\"code\":\"mailbox_missing\"}\n 400");
        }
    }
}

// A client with an IPv6 address has at least 2^64 of them, so the network counts. IPv4 addresses
// count whole, in every notation.
BOOST_FIXTURE_TEST_CASE(an_address_of_ipv6_counts_by_its_network, Files)
{
    const auto who = tenant();
    edit("mailboxd-http.conf", "rate=50r/s", "rate=100000r/s");
    edit("mailboxd-http.conf", "rate=1000r/s", "rate=1r/m");
    edit("mailboxd-limits.conf", "burst=1000 ", "burst=1 ");
    edit("mailboxd-limits.conf", "burst=100 ", "burst=60000 ");
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("api")
                                 + ";\n" + include("mailboxd-server.conf")
                                 + include("mailboxd-limits.conf") + include("mailboxd-proxy.conf")
                                 + "}\n"};
    struct Network {
        std::vector<std::string> addresses;  // three that count as one
        std::string another;                 // one that counts separately
    };
    const Network kNetworks[] = {
        {{"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"},
         "2001:db8:0:2::1"},
        {{"2001:db8:a:a0a::a", "2001:db8:a:a0a:a0a:a0a:a0a:a0a", "2001:db8:a:a0a::"},
         "2001:db8:a:a0b::a"},  // its bytes are line feeds
        {{"::1:0:0:0:1", "0:0:0:1::", "::1:1:1:1:1"}, "0:0:0:2::1"},
        {{"192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"}, "192.0.2.2"},
        {{"::ffff:192.0.2.3", "::ffff:c000:203", "192.0.2.3"}, "::ffff:192.0.2.4"},
        {{"64:ff9b::c000:205", "192.0.2.5", "::ffff:192.0.2.5"}, "64:ff9b::192.0.2.6"},
        {{"10.10.10.10", "::ffff:10.10.10.10", "::ffff:a0a:a0a"},
         "10.10.10.11"},  // line feeds again
    };
    const auto ask = [&](const std::string& address) {
        return nginx.send("api", Nginx::request("GET", who.mailboxes(), who.key,
                                                "X-Forwarded-For: " + address + "\r\n"));
    };
    for (const auto& network : kNetworks) {
        BOOST_TEST_CONTEXT(network.addresses[0])
        {
            BOOST_TEST(is(200, ask(network.addresses[0])));
            BOOST_TEST(is(200, ask(network.addresses[1])));
            BOOST_TEST(is(429, ask(network.addresses[2])));
            BOOST_TEST(is(200, ask(network.another)));
        }
    }
}

// Even if someone sends very many different keys, a client without previous requests is accepted.
BOOST_FIXTURE_TEST_CASE(a_full_zone_of_keys_refuses_nobody, Files)
{
    const auto who = tenant();
    edit("mailboxd-http.conf", "zone=mailboxd_key:10m  ", "zone=mailboxd_key:32k  ");
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("api")
                                 + ";\n" + include("mailboxd-server.conf")
                                 + include("mailboxd-limits.conf") + "}\n"};
    for (int i = 0; i < 200; ++i) {
        const auto number = std::to_string(1000 + i);
        const std::string keys[] = {number, std::string(49, 'k') + number,
                                    number + std::string(400, 'k')};
        for (const auto& key : keys) {
            const auto answer = nginx.send("api", Nginx::request("GET", who.mailboxes(), key));
            BOOST_TEST_REQUIRE(answer.starts_with("HTTP/1.1 401 "),
                               "key " << i << " of " << key.size() << " bytes: " << answer);
        }
    }
    BOOST_TEST(contents(folder / "error.log").empty());
}

// The access log has the client's method, also for requests that nginx answers itself.
BOOST_FIXTURE_TEST_CASE(the_method_in_the_access_log, Files)
{
    const auto who = tenant();
    const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:" + socket("api")
                                 + ";\naccess_log " + (folder / "api.log").string() + " mailboxd;\n"
                                 + include("mailboxd-server.conf") + "}\n"};
    nginx.send("api", Nginx::request("TRACE", who.mailboxes(), who.key));
    nginx.send("api",
               Nginx::request("PUT", who.mailbox("alice"), who.key, "", std::string(70'000, 'x')));
    const auto has = [&](const std::string& text) {
        return contents(folder / "api.log").find(text) != std::string::npos;
    };
    BOOST_TEST(process::eventually([&] { return has("\"TRACE /") && has("\"PUT /"); }),
               contents(folder / "api.log"));
}

// The address that the last trusted proxy has seen, whatever the client sent in that header.
BOOST_FIXTURE_TEST_CASE(the_clients_address_behind_a_proxy, Files)
{
    const auto who = tenant();
    for (const bool has_proxy : {true, false}) {
        const auto* const name = has_proxy ? "proxied" : "direct";
        const Nginx nginx{*this, include("mailboxd-http.conf") + "server { listen unix:"
                                     + socket(name) + ";\n" + include("mailboxd-server.conf")
                                     + (has_proxy ? include("mailboxd-proxy.conf") : "") + "}\n"};
        const auto mark = log.mark();
        nginx.send(name,
                   Nginx::request("GET", who.mailboxes(), who.key,
                                  "X-Forwarded-For: 198.51.100.1, 203.0.113.9, 127.0.0.1\r\n"));
        BOOST_TEST(
            !log.expect(mark, {"info request", has_proxy ? "client=203.0.113.9 " : "client=unix: "})
                 .empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
