// autoconfig_story.cc - the settings that mail programs request automatically, and the DNS records
// through which they find them.

#include "system/harness/story.h"

#include <map>
#include <regex>
#include <sstream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace {

using Elements = std::multimap<std::string, std::string>;

// Returns a document's texts and attributes by path: "clientConfig/emailProvider/domain",
// "…/emailProvider@id". Reads only the simplest form of XML; anything else throws.
Elements elements(const std::string& document)
{
    static const std::regex token_form{"<\\?xml version=\"1.0\" encoding=\"UTF-8\"\\?>\n"
                                       "|<(/?)([A-Za-z0-9]+)((?: [a-z]+=\"[^\"<&]*\")*)>|([^<&]+)"};
    static const std::regex attribute_form{" ([a-z]+)=\"([^\"]*)\""};
    Elements found;
    std::vector<std::string> path{""};
    std::string text;
    auto rest = document.cbegin();
    for (std::smatch token; rest != document.cend(); rest = token[0].second) {
        if (!std::regex_search(rest, document.cend(), token, token_form,
                               std::regex_constants::match_continuous)) {
            throw std::runtime_error{"not well-formed: " + std::string{rest, document.cend()}};
        }
        const std::string name = token[2];
        if (token[4].matched) {
            text = token[4];
        } else if (name.empty()) {
            continue;
        } else if (token[1].length() == 0) {
            path.push_back(path.back() + "/" + name);
            const std::string attributes = token[3];
            for (std::sregex_iterator each{attributes.begin(), attributes.end(), attribute_form},
                 end;
                 each != end; ++each) {
                found.emplace(path.back() + "@" + each->str(1), each->str(2));
            }
            text.clear();
        } else {
            if (!path.back().ends_with("/" + name)) {
                throw std::runtime_error{"</" + name + "> ends " + path.back()};
            }
            if (text.find_first_not_of(" \n") != std::string::npos) {
                found.emplace(path.back(), text);
            }
            path.pop_back();
            text.clear();
        }
    }
    if (path.size() != 1) {
        throw std::runtime_error{path.back() + " does not end"};
    }
    return found;
}

std::vector<std::string> values(const Elements& elements, const std::string& path)
{
    std::vector<std::string> all;
    for (auto [each, end] = elements.equal_range(path); each != end; ++each) {
        all.push_back(each->second);
    }
    return all;
}

struct Autoconfig : story::Story {
    std::string domain = stack.setting("DOMAIN");

    // Sends a request under this host name: POST if there is a body, otherwise GET.
    http::Answer ask(const std::string& host, const std::string& target,
                     const std::string& body = "") const
    {
        std::string request = (body.empty() ? "GET " : "POST ") + target
                              + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n";
        if (!body.empty()) {
            request +=
                "Content-Type: text/xml\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        }
        return stack.server().send_bytes(request + "\r\n" + body);
    }
};

using Strings = std::vector<std::string>;
constexpr auto kEach = boost::test_tools::per_element();

}  // namespace

BOOST_AUTO_TEST_SUITE(autoconfig)

BOOST_DATA_TEST_CASE_F(Autoconfig, thunderbird,
                       data::make(Strings{
                           "/mail/config-v1.1.xml",
                           "/mail/config-v1.1.xml?emailaddress=alice%40samples.mailgun.org",
                           "/.well-known/autoconfig/mail/config-v1.1.xml"}),
                       target)
{
    const auto answer = ask("autoconfig." + domain, target);
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.header("Content-Type").starts_with("application/xml"));
    const auto told = elements(answer.body);
    const std::string provider = "/clientConfig/emailProvider";
    BOOST_TEST(values(told, "/clientConfig@version") == Strings{"1.1"}, kEach);
    BOOST_TEST(values(told, provider + "@id") == Strings{domain}, kEach);
    BOOST_TEST(values(told, provider + "/domain") == Strings{domain}, kEach);
    const auto of = [&](const std::string& name) { return values(told, provider + name); };
    BOOST_TEST(of("/incomingServer@type") == (Strings{"imap", "pop3"}), kEach);
    BOOST_TEST(of("/incomingServer/hostname") == (Strings{"localhost", "localhost"}), kEach);
    BOOST_TEST(of("/incomingServer/port") == (Strings{"993", "995"}), kEach);
    BOOST_TEST(of("/incomingServer/socketType") == (Strings{"SSL", "SSL"}), kEach);
    BOOST_TEST(of("/incomingServer/username") == (Strings{"%EMAILADDRESS%", "%EMAILADDRESS%"}),
               kEach);
    BOOST_TEST(of("/incomingServer/authentication")
                   == (Strings{"password-cleartext", "password-cleartext"}),
               kEach);
    BOOST_TEST(of("/outgoingServer@type") == (Strings{"smtp", "smtp"}), kEach);
    BOOST_TEST(of("/outgoingServer/hostname") == (Strings{"localhost", "localhost"}), kEach);
    BOOST_TEST(of("/outgoingServer/port") == (Strings{"465", "587"}), kEach);
    BOOST_TEST(of("/outgoingServer/socketType") == (Strings{"SSL", "STARTTLS"}), kEach);
    BOOST_TEST(of("/outgoingServer/username") == (Strings{"%EMAILADDRESS%", "%EMAILADDRESS%"}),
               kEach);
    BOOST_TEST(of("/outgoingServer/authentication")
                   == (Strings{"password-cleartext", "password-cleartext"}),
               kEach);
}

BOOST_DATA_TEST_CASE_F(Autoconfig, outlook,
                       data::make(Strings{"/autodiscover/autodiscover.xml",
                                          "/Autodiscover/Autodiscover.xml",
                                          "/AutoDiscover/AutoDiscover.xml"}),
                       target)
{
    const auto answer = ask(
        "autodiscover." + domain, target,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
        "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">"
        "<Request><EMailAddress>alice@"
            + domain
            + "</EMailAddress><AcceptableResponseSchema>"
              "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
              "</AcceptableResponseSchema></Request></Autodiscover>");
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.header("Content-Type").starts_with("application/xml"));
    const auto told = elements(answer.body);
    BOOST_TEST(
        values(told, "/Autodiscover@xmlns")
            == Strings{"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"},
        kEach);
    BOOST_TEST(
        values(told, "/Autodiscover/Response@xmlns")
            == Strings{"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"},
        kEach);
    const std::string account = "/Autodiscover/Response/Account";
    BOOST_TEST(values(told, account + "/AccountType") == Strings{"email"}, kEach);
    BOOST_TEST(values(told, account + "/Action") == Strings{"settings"}, kEach);
    const auto of = [&](const std::string& name) {
        return values(told, account + "/Protocol/" + name);
    };
    BOOST_TEST(of("Type") == (Strings{"IMAP", "POP3", "SMTP"}), kEach);
    BOOST_TEST(of("Server") == (Strings{"localhost", "localhost", "localhost"}), kEach);
    BOOST_TEST(of("Port") == (Strings{"993", "995", "465"}), kEach);
    BOOST_TEST(of("SSL") == (Strings{"on", "on", "on"}), kEach);
    // Without a login name, the program uses the address.
    BOOST_TEST(of("LoginName").empty());
    BOOST_TEST(of("SPA") == (Strings{"off", "off", "off"}), kEach);
}

// The answer is for the requested domain, and repeats nothing else of the request.
BOOST_FIXTURE_TEST_CASE(of_any_domain, Autoconfig)
{
    const std::pair<std::string, std::string> expected[] = {
        {"autoconfig.example.net", "example.net"},
        {"AutoConfig.Example.NET:80", "example.net"},
        {"autodiscover.b-2.example.net", "b-2.example.net"},
        {"autoconfig.a_b.example.net", "localhost"},
        {"autoconfig.<b>'\"&amp;.example.net", "localhost"},
    };
    for (const auto& [host, its_domain] : expected) {
        const auto answer = ask(host, "/mail/config-v1.1.xml?emailaddress=<script>");
        BOOST_TEST_CONTEXT(host << ": " << answer.status << " " << answer.body)
        {
            BOOST_TEST(answer.status == 200);
            BOOST_TEST(values(elements(answer.body), "/clientConfig/emailProvider/domain")
                           == Strings{its_domain},
                       kEach);
            BOOST_TEST(answer.body.find("script") == std::string::npos);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(nothing_else_is_there, Autoconfig)
{
    for (const char* target : {"/", "/mail/", "/mail/config-v1.2.xml", "/autodiscover/",
                               "/autodiscover/autodiscover.json", "/samples.mailgun.org/mailboxes",
                               "/x/mail/config-v1.1.xml", "/../etc/passwd"}) {
        const auto answer = ask("autoconfig." + domain, target);
        BOOST_TEST((answer.status == 404 || answer.status == 400), target);
    }
    BOOST_TEST(
        ask("autodiscover." + domain, "/autodiscover/autodiscover.xml", std::string(100'000, 'x'))
            .status
        == 413);
    // Only the host names of mail programs get these answers; the API answers at all others.
    BOOST_TEST(ask(domain, "/mail/config-v1.1.xml").status == 404);
    BOOST_TEST(ask("autoconfig." + domain, "/" + domain + "/mailboxes").status == 404);
}

namespace {

struct Record {
    std::string type;
    std::string value;
};

// Parses a zone file with one complete record on each line.
std::multimap<std::string, Record> records(const std::string& zone)
{
    static const std::regex line_form{"((?:[a-z0-9_-]+\\.)+)\tIN\t([A-Z]+)\t(.+)"};
    std::multimap<std::string, Record> found;
    std::istringstream lines{zone};
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, line_form)) {
            found.emplace(match[1], Record{match[2], match[3]});
        } else {
            BOOST_TEST(line.starts_with("; "), line);
        }
    }
    return found;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_records_of_a_domain, Autoconfig)
{
    const auto who = tenant();
    const auto ended = stack.mailboxctl(
        {"domain", "dns", "D" + who.domain.substr(1), "--host", "Mail.example.net."});
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST(ended.err.empty());
    const auto found = records(ended.out);
    const std::pair<std::string, Record> expected[] = {
        {"", {"MX", "10 mail.example.net."}},
        {"_imaps._tcp.", {"SRV", "0 1 993 mail.example.net."}},
        {"_pop3s._tcp.", {"SRV", "10 1 995 mail.example.net."}},
        {"_submissions._tcp.", {"SRV", "0 1 465 mail.example.net."}},
        {"_submission._tcp.", {"SRV", "10 1 587 mail.example.net."}},
        {"_autodiscover._tcp.", {"SRV", "0 1 443 mail.example.net."}},
        {"autoconfig.", {"CNAME", "mail.example.net."}},
        {"", {"TXT", "\"v=spf1 mx ~all\""}},
        {"_dmarc.", {"TXT", "\"v=DMARC1; p=none; rua=mailto:postmaster@" + who.domain + "\""}},
    };
    BOOST_TEST(found.size() == std::size(expected));
    for (const auto& [name, record] : expected) {
        bool is_there = false;
        for (auto [each, end] = found.equal_range(name + who.domain + "."); each != end; ++each) {
            is_there = is_there
                       || (each->second.type == record.type && each->second.value == record.value);
        }
        BOOST_TEST(is_there, name << " " << record.type << " is not in:\n" << ended.out);
    }
}

BOOST_AUTO_TEST_SUITE_END()
