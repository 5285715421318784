// mail_stack_story.cc - after a stack is stopped, its data is left, and no process or listener.

#include "system/harness/mail.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

// Returns the processes of these sessions as `ps` lists them, with their names. Processes that have
// ended and were not waited for are left out.
std::vector<std::string> processes(const std::set<std::string>& sessions)
{
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        std::string text;
        std::getline(std::ifstream{entry.path() / "stat"}, text,
                     '\0');  // fails if it is no process or has ended
        std::istringstream fields{text.substr(text.rfind(')') + 1)};
        std::string state;
        std::string parent;
        std::string group;
        std::string session;
        fields >> state >> parent >> group >> session;
        if (sessions.contains(session) && state != "Z" && state != "X") {
            found.push_back(text.substr(0, text.find(')') + 1));
        }
    }
    return found;
}

// Returns the listeners as `ss -l` lists them. A port of loopback is named by its inode, which no
// later socket gets; a unix socket by its path.
std::set<std::string> listeners()
{
    std::set<std::string> all;
    const std::string columns[] = {"/proc/net/tcp", "/proc/net/unix"};
    for (const auto& name : columns) {
        std::ifstream table{name};
        for (std::string line; std::getline(table, line);) {
            std::istringstream fields{line};
            std::vector<std::string> field;
            for (std::string word; fields >> word;) {
                field.push_back(word);
            }
            if (name.ends_with("tcp") && field.size() > 9 && field[3] == "0A") {
                all.insert(field[1].substr(field[1].find(':') + 1) + " " + field[9]);
            } else if (name.ends_with("unix") && field.size() > 7) {
                all.insert(field[7]);
            }
        }
    }
    return all;
}

struct Leftovers : mail::Breaking {
    // The first process of each part leads a session, which contains the part's other processes.
    std::set<std::string> sessions() const
    {
        std::set<std::string> all;
        for (const auto& entry : fs::directory_iterator{stack.directory() / "run"}) {
            if (entry.path().extension() == ".part") {
                std::string leader;
                std::ifstream{entry.path()} >> leader;
                all.insert(leader);
            }
        }
        return all;
    }

    std::set<std::string> sockets_of_ports() const
    {
        std::set<std::string> wanted;
        for (const auto* name : {"SMTP", "SUBMISSION", "SUBMISSIONS", "LMTP", "IMAP", "IMAPS",
                                 "POP3", "POP3S", "DOVEADM"}) {
            std::ostringstream hexadecimal;
            hexadecimal << std::uppercase << std::hex << stack.port(std::string{name} + "_PORT");
            wanted.insert(hexadecimal.str());
        }
        std::set<std::string> found;
        for (const auto& each : listeners()) {
            if (wanted.contains(each.substr(0, each.find(' ')))) {
                found.insert(each);
            }
        }
        BOOST_TEST(found.size() >= wanted.size());
        return found;
    }

    // All files but the data. Postfix's locks are named after ports, which may change.
    std::set<std::string> files() const
    {
        std::set<std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator{stack.directory()}) {
            const auto name = fs::relative(entry.path(), stack.directory()).string();
            if (!name.starts_with("mariadb/data/") && !name.starts_with("mail/")
                && name.find("/inet.") == std::string::npos) {
                all.insert(name);
            }
        }
        return all;
    }

    void take_down_and_look() const
    {
        const auto ours = sessions();
        const auto sockets = sockets_of_ports();
        const bool has_rehash = fs::exists(stack.directory() / "run/rehash.part");
        BOOST_TEST(ours.size() == (has_rehash ? 8U : 7U));
        BOOST_TEST(processes(ours).size() > ours.size());
        stack.down();
        for (const auto& each : processes(ours)) {
            BOOST_ERROR("still there: " << each);
        }
        const auto left = listeners();
        for (const auto& each : sockets) {
            BOOST_TEST(!left.contains(each), each);
        }
        for (const auto& each : left) {
            BOOST_TEST(!each.starts_with(stack.directory().string() + "/"), each);
        }
        BOOST_TEST(sessions().empty());
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_stack, *mail::needs_mail())

// With the rights of the janitor's own database user.
BOOST_FIXTURE_TEST_CASE(the_janitor_writes_metrics, mail::Story)
{
    const auto who = tenant();
    const auto file = stack.directory() / "janitor" / "mailboxd.prom";
    const auto value = [&](const std::string& name) {
        std::ifstream text{file};
        for (std::string line; std::getline(text, line);)
            if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
        return std::string{};
    };
    BOOST_TEST(create(who, "alice").status == 200);
    const auto has_counted = [&] {
        return value("mailboxd_mailboxes") == stack.value("SELECT COUNT(*) FROM mailbox")
               && value("mailboxd_dovecot_up") == "1";
    };
    BOOST_TEST(process::eventually(has_counted, std::chrono::seconds{60}));
}

BOOST_FIXTURE_TEST_CASE(a_stopped_stack_leaves_only_its_data, Leftovers)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    deliver(alice, mail::message("Once"));
    // The stack is stopped while a session and a message are open.
    auto reader = imap(alice);
    auto sender = submission(alice);
    take_down_and_look();
    const auto first = files();

    stack.up();
    deliver(alice, mail::message("Twice"));
    BOOST_TEST(pop3(alice).messages() == 2U);
    take_down_and_look();
    const auto second = files();
    BOOST_TEST(second == first, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
