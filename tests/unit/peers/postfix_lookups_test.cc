// postfix_lookups_test.cc - the queries of sql/postfix as this program has them. What Postfix
// itself finds with them the stories show.

#include "peers/postfix_lookups.h"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>

#include "db/lifecycle.h"
#include "support/database.h"
#include "support/sources.h"

using mailbox::State;

namespace {

struct House : database::Tenant {
    House() { store.create(grant(), {mailbox("alice")}, actor); }

    // `nothing`, or the value.
    std::string find(std::string_view table, const std::string& wanted)
    {
        return postfix_lookups::find(connection, table, wanted).value_or("nothing");
    }
    std::string at(const std::string& name) const { return name + "@" + domain.name(); }
    db::Connection connection = database.connect();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(postfixes)

BOOST_AUTO_TEST_CASE(all_of_them_are_there)
{
    std::size_t tables = 0;
    for (const auto& file :
         std::filesystem::directory_iterator{sources::directory() / "sql" / "postfix"}) {
        const auto text = sources::contents(file.path());
        const auto at = text.find("\nquery = ");
        if (at == std::string::npos) continue;
        ++tables;
        const auto name = file.path().stem().string().substr(std::string{"mailboxd-"}.size());
        BOOST_TEST_REQUIRE(postfix_lookups::kQueries.contains(name), name);
        // A lost connection is replaced at once, and each sets its session.
        BOOST_TEST(text.find("\nhosts = unix:@DB_SOCKET@ unix:@DB_SOCKET@\n") != std::string::npos,
                   name);
        BOOST_TEST(
            text.find("\noption_file = @FILES@/mailboxd-session.cnf\noption_group = mailboxd\n")
                != std::string::npos,
            name);
        BOOST_TEST(text.substr(at + 9) == std::string{postfix_lookups::kQueries.at(name)} + "\n",
                   name);
    }
    BOOST_TEST(postfix_lookups::kQueries.size() == tables);
}

// What fills the files would put a password into a comment of a file that everybody may read.
BOOST_AUTO_TEST_CASE(no_comment_has_a_place_to_be_filled)
{
    const std::regex place{"@[A-Z_]+@"};
    for (const char* folder : {"postfix", "dovecot", "dovecot-2.4"}) {
        for (const auto& file :
             std::filesystem::directory_iterator{sources::directory() / "sql" / folder}) {
            std::istringstream lines{sources::contents(file.path())};
            for (std::string line; std::getline(lines, line);) {
                const auto comment = line.find('#');
                if (comment == std::string::npos) continue;
                BOOST_TEST(!std::regex_search(line.begin() + static_cast<std::ptrdiff_t>(comment),
                                              line.end(), place),
                           file.path() << ": " << line);
            }
        }
    }
}

BOOST_FIXTURE_TEST_CASE(what_a_report_shows, House)
{
    const auto id = storage_id("alice");
    const auto line = "Final-Recipient: rfc822; " + id + "@" + domain.name();
    BOOST_TEST(find("bounces", line) == "REPLACE Final-Recipient: rfc822; alice@" + domain.name());
    store.remove(grant(), address("alice"), actor);
    BOOST_TEST(find("bounces", line) == "REPLACE Final-Recipient: rfc822; alice@" + domain.name());
    BOOST_TEST(find("bounces", "x 0123456789abcdef0123456789abcdef@it's")
               == "REPLACE x erased-mailbox@it's");
    BOOST_TEST(find("bounces", "nothing@" + domain.name()) == "nothing");
}

BOOST_FIXTURE_TEST_CASE(a_sender_from_outside, House)
{
    BOOST_TEST(find("outsiders", at("alice+tag")).starts_with("550 5.7.1 "));
    for (const auto& sender : {at("bob"), at("alice "), std::string{"alice@elsewhere.example"},
                               at(storage_id("alice"))}) {
        BOOST_TEST(find("outsiders", sender) == "nothing", sender);
    }
}

BOOST_FIXTURE_TEST_CASE(an_address, House)
{
    const auto inside = storage_id("alice") + "@" + domain.name();
    BOOST_TEST(find("addresses", at("alice")) == inside);
    BOOST_TEST(find("addresses", at("alice+tag")) == inside);
    BOOST_TEST(find("addresses", at("alice+caf\xC3\xA9")) == inside);
    for (const std::string name :
         {"bob", "alice ", "alic_", "' or '1'='1", "+tag", "", "alic\xC3\xA9"}) {
        BOOST_TEST(find("addresses", at(name)) == "nothing", name);
    }
    BOOST_TEST(find("addresses", at(storage_id("alice"))) == "nothing");
    BOOST_TEST(find("addresses", "alice@elsewhere.example") == "nothing");
}

BOOST_FIXTURE_TEST_CASE(a_domain, House)
{
    BOOST_TEST(find("domains", domain.name()) == domain.name());
    BOOST_TEST(find("domains", "elsewhere.example") == "nothing");
}

BOOST_FIXTURE_TEST_CASE(what_speaks_against_a_recipient, House)
{
    BOOST_TEST(find("recipients", at("alice")) == "DUNNO");
    life::Changes{connection}.set_quota(address("alice"), 1);
    BOOST_TEST(find("recipients", at("alice+tag")) == "mailboxd_quota");
    life::Changes{connection}.set_state(address("alice"), State::no_login);
    BOOST_TEST(find("recipients", at("alice")) == "mailboxd_quota");
    life::Changes{connection}.set_state(address("alice"), State::disabled);
    BOOST_TEST(find("recipients", at("alice"))
               == "450 4.2.1 This mailbox takes no mail at present");
    BOOST_TEST(find("recipients", at("bob")) == "nothing");
}

BOOST_AUTO_TEST_SUITE_END()
