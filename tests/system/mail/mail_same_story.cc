// mail_same_story.cc - the stack's mail servers have the configuration that the guide gives new
// ones, except for ports and paths.

#include "system/harness/mail.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

using Settings = std::map<std::string, std::string>;

// Settings in which the stack differs, with reasons.
const std::set<std::string> kPaths{
    "queue_directory",     "data_directory",        "mail_spool_directory", "alias_maps",
    "multi_instance_name", "multi_instance_enable", "maillog_file",         "maillog_file_prefixes",
    "syslog_name",         "config_directory",      "smtpd_tls_cert_file",  "smtpd_tls_key_file"};
const std::set<std::string> kAddresses{"inet_interfaces", "inet_protocols", "myhostname"};
const std::set<std::string> kNothingLeaves{"default_transport", "relay_transport",
                                           "smtpd_peername_lookup", "notify_classes"};
const std::set<std::string> kTimes{"queue_run_delay", "minimal_backoff_time",
                                   "maximal_backoff_time"};

struct Both : mail::Story {
    // Makes a configuration with the guide's commands, from Debian's own files.
    Both()
    {
        fs::create_directories(folder / "etc");
        for (const std::string name : {"main.cf", "master.cf"}) {
            for (const std::string& from :
                 {"/usr/share/postfix/" + name + ".debian", "/usr/share/postfix/" + name + ".dist",
                  "/etc/postfix/" + name + ".proto"}) {
                if (!fs::exists(from)) continue;
                fs::copy_file(from, folder / "etc" / name);
                break;
            }
        }
        std::ofstream{folder / "postfix-db-password"} << stack.secret("mailboxd_postfix");
        const auto ended =
            process::run(mail::as_root({"env", "SOURCES=" + fs::current_path().string(), "bash",
                                        "tests/system/guide/on-postfix.sh", folder, "root"}));
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.out << ended.err);
    }
    void teardown()
    {
        process::run(mail::as_root({"rm", "-rf", folder}));
        mail::Story::teardown();
    }

    // Returns the text with paths replaced by names.
    std::string as_template(std::string text, const std::string& conf,
                            const std::string& files) const
    {
        const std::pair<std::string, std::string> places[] = {
            {files, "FILES"},
            {conf, "CONF"},
            {stack.directory() / "dovecot/run/mailboxd-quota-status", "QUOTA_STATUS"},
            {"/run/dovecot/mailboxd-quota-status", "QUOTA_STATUS"},
            {stack.setting("MAILBOXCTL"), "MAILBOXCTL"},
            {"/usr/sbin/mailboxctl", "MAILBOXCTL"},
            {stack.setting("MAILBOXD_CONF"), "MAILBOXD_CONF"},
            {"/etc/mailboxd/mailboxd.conf", "MAILBOXD_CONF"},
            {"user=vmail", "user=STORE_USER"},
            {"user=" + (::geteuid() == 0 ? std::string{"nobody"} : stack.setting("DB_ADMIN_USER"))
                 + " argv=MAILBOXCTL --config",
             "user=STORE_USER argv=MAILBOXCTL --config"},
            {stack.directory() / "dovecot/run/postfix", "SASL"},
            {"private/auth", "SASL"},
            {"127.0.0.1:" + stack.setting("SUBMISSIONS_PORT"), "submissions"},
            {"127.0.0.1:" + stack.setting("SUBMISSION_PORT"), "submission"},
            {"127.0.0.1:" + stack.setting("SMTP_PORT"), "smtp"},
            {"127.0.0.1]:" + stack.setting("FORWARD_PORT"), "127.0.0.1]:10027"},
            {"127.0.0.1:" + stack.setting("FORWARD_PORT"), "127.0.0.1:10027"},
            {"127.0.0.1:" + stack.setting("SRS_PORT"), "127.0.0.1:10001"},
            {"127.0.0.1:" + stack.setting("SRS_REVERSE_PORT"), "127.0.0.1:10002"},
            {"smtpd_tls_security_level=may", "smtpd_tls_security_level=encrypt"},
            {"smtpd_tls_security_level = may", "smtpd_tls_security_level = encrypt"},
        };
        for (const auto& [path, name] : places) {
            for (auto at = text.find(path); at != std::string::npos;
                 at = text.find(path, at + name.size()))
                text.replace(at, path.size(), name);
        }
        return text;
    }

    std::map<std::string, std::string> of(const std::string& option, bool is_stack,
                                          char separator) const
    {
        const auto conf = is_stack ? stack.setting("POSTFIX_CONF") : (folder / "etc").string();
        const auto ended = process::run({"postconf", "-c", conf, option});
        BOOST_TEST(ended.err == "");
        std::istringstream lines{
            as_template(ended.out, conf, is_stack ? conf : conf + "/mailboxd")};
        Settings found;
        for (std::string line; std::getline(lines, line);) {
            line = std::regex_replace(line, std::regex{" +"}, " ");
            const auto at = separator == '=' ? line.find(" =") : line.find(' ', line.find(' ') + 1);
            BOOST_TEST(found.emplace(line.substr(0, at), line.substr(at)).second,
                       line << " is there twice");
        }
        BOOST_TEST(found.size() > 10U);
        return found;
    }

    void compare(const std::string& option, char separator,
                 const std::set<std::string>& exceptions) const
    {
        auto in_stack = of(option, true, separator), guide = of(option, false, separator);
        for (const auto& name : exceptions) {
            in_stack.erase(name);
            guide.erase(name);
        }
        for (const auto& [name, value] : guide) {
            BOOST_TEST(in_stack[name] == value, option << " " << name << " is '" << in_stack[name]
                                                       << "' in the stack and '" << value
                                                       << "' by the guide");
            in_stack.erase(name);
        }
        for (const auto& [name, value] : in_stack)
            BOOST_ERROR(option + " " + name + " is in the stack only:" + value);
    }

    fs::path folder = stack.directory() / story::unique("same");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_same, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(postfix_is_as_in_the_guide, Both)
{
    std::set<std::string> all;
    for (const auto* some : {&kPaths, &kAddresses, &kNothingLeaves, &kTimes})
        all.insert(some->begin(), some->end());
    compare("-n", '=', all);
    compare("-M", ' ', {});
    compare("-P", '=', {});
}

BOOST_AUTO_TEST_SUITE_END()
