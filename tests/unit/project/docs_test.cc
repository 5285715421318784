// docs_test.cc - the man pages and the operator's guide leave nothing out and invent nothing:
// options, commands, settings with default, unit and range, routes, statuses and codes, and each
// line of the log that asks for action.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/config.h"
#include "mailboxctl/command_list.h"
#include "mailboxd/routes.h"
#include "support/sources.h"
#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

using Names = std::set<std::string>;

std::string contents(const std::string& file)
{
    return sources::contents(sources::directory() / file);
}

std::vector<std::string> lines(const std::string& text)
{
    std::vector<std::string> all;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
}

// Of each match the whole of it and its groups; empty: the group took no part.
std::vector<std::vector<std::string>> matches(const std::string& text, const std::regex& pattern)
{
    std::vector<std::vector<std::string>> all;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        all.emplace_back(match->begin(), match->end());
    return all;
}

std::string output_of(const std::string& command)
{
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
    if (!pipe) throw std::runtime_error{"popen"};
    std::string text;
    for (int byte = std::fgetc(pipe.get()); byte != EOF; byte = std::fgetc(pipe.get()))
        text += static_cast<char>(byte);
    return text;
}

// All sources, or those of nginx, in one text.
std::string all_of(const std::string& folder)
{
    std::string text;
    for (const auto& file : std::filesystem::directory_iterator{sources::directory() / folder})
        text += sources::contents(file);
    return text;
}

// `Fl -account Ar NAME` of a page reads --account NAME.
std::string as_read(const std::string& macros)
{
    std::istringstream words{macros};
    std::string text;
    std::string before;
    for (std::string word; words >> word; before = word) {
        if (word == "Fl" || word == "Ar" || word == "Ic" || word == "Dv") continue;
        text += (text.empty() || word == "," ? "" : " ") + (before == "Fl" ? "-" + word : word);
    }
    return text;
}

// A part of a page, from a heading to the next one or from an entry of a list to the next one.
struct Part {
    std::string name;
    std::vector<std::string> items;  // the entries of the lists in it
    std::string text;
};

std::vector<Part> parts(const std::string& page, const std::string& macro)
{
    std::vector<Part> all;
    for (const auto& line : lines(contents("man/" + page))) {
        const bool is_end =
            line.starts_with(".Sh ") || line.starts_with(".Ss ") || line.starts_with(macro);
        if (is_end)
            all.push_back(
                {line.starts_with(macro) ? as_read(line.substr(macro.size())) : "", {}, ""});
        if (all.empty()) continue;
        if (line.starts_with(".It ")) all.back().items.push_back(as_read(line.substr(4)));
        all.back().text += line + "\n";
    }
    std::erase_if(all, [](const Part& part) { return part.name.empty(); });
    return all;
}

// --- settings -------------------------------------------------------------------------

Names settings_of_the_program()
{
    Names names;
    const auto source = sources::on_one_line(contents("src/base/config.cc"));
    const auto begin = source.find("all{");
    for (const auto& match : matches(source.substr(begin, source.find("};", begin) - begin),
                                     std::regex{R"re([{ ]\{"([a-z0-9_]+)", )re"}))
        names.insert(match[1]);
    return names;
}

std::string text(const std::string& value)
{
    return value.empty() ? "none" : value;
}
std::string text(std::integral auto value)
{
    return std::to_string(value);
}
std::string text(std::chrono::seconds value)
{
    return std::to_string(value.count()) + " seconds";
}
std::string text(std::chrono::days value)
{
    return std::to_string(value.count()) + " days";
}

const std::map<std::string, std::function<std::string(const Config&)>> kDefaults{
    {"socket", [](const Config& c) { return text(c.socket); }},
    {"write_socket", [](const Config& c) { return text(c.write_socket); }},
    {"metrics_file", [](const Config& c) { return text(c.metrics_file); }},
    {"metrics_socket", [](const Config& c) { return text(c.metrics_socket); }},
    {"socket_group", [](const Config& c) { return text(c.socket_group); }},
    {"user", [](const Config& c) { return text(c.user); }},
    {"workers", [](const Config& c) { return text(c.workers); }},
    {"write_workers", [](const Config& c) { return text(c.write_workers); }},
    {"backlog", [](const Config& c) { return text(c.backlog); }},
    {"waiting_changes", [](const Config& c) { return text(c.waiting_changes); }},
    {"max_requests", [](const Config& c) { return text(c.max_requests); }},
    {"request_deadline", [](const Config& c) { return text(c.request_deadline); }},
    {"io_timeout", [](const Config& c) { return text(c.io_timeout); }},
    {"stop_grace", [](const Config& c) { return text(c.stop_grace); }},
    {"log_file", [](const Config& c) { return text(c.log_file); }},
    {"log_format",
     [](const Config& c) { return c.log_format == logging::Format::text ? "text" : "json"; }},
    {"db_socket", [](const Config& c) { return text(c.db.socket); }},
    {"db_host", [](const Config& c) { return text(c.db.host); }},
    {"db_port", [](const Config& c) { return text(c.db.port); }},
    {"db_name", [](const Config& c) { return text(c.db.name); }},
    {"db_user", [](const Config& c) { return text(c.db.user); }},
    {"db_password_file", [](const Config& c) { return text(c.db.password_file); }},
    {"ctl_db_user", [](const Config& c) { return text(c.ctl_db.user); }},
    {"ctl_db_password_file", [](const Config& c) { return text(c.ctl_db.password_file); }},
    {"janitor_db_user", [](const Config& c) { return text(c.janitor_db.user); }},
    {"janitor_db_password_file", [](const Config& c) { return text(c.janitor_db.password_file); }},
    {"dovecot_db_user", [](const Config& c) { return text(c.dovecot_db.user); }},
    {"dovecot_db_password_file", [](const Config& c) { return text(c.dovecot_db.password_file); }},
    {"postfix_db_user", [](const Config& c) { return text(c.postfix_db.user); }},
    {"postfix_db_password_file", [](const Config& c) { return text(c.postfix_db.password_file); }},
    {"rehash_db_user", [](const Config& c) { return text(c.rehash_db.user); }},
    {"rehash_db_password_file", [](const Config& c) { return text(c.rehash_db.password_file); }},
    {"db_connect_timeout", [](const Config& c) { return text(c.db_connect_timeout); }},
    {"db_timeout", [](const Config& c) { return text(c.db_timeout); }},
    {"max_body", [](const Config& c) { return text(c.max_body) + " bytes"; }},
    {"max_limit", [](const Config& c) { return text(c.max_limit); }},
    {"kept_pages", [](const Config& c) { return text(c.kept_pages) + " bytes"; }},
    {"min_password", [](const Config& c) { return text(c.min_password) + " characters"; }},
    {"max_password", [](const Config& c) { return text(c.max_password) + " characters"; }},
    {"argon2_memory_kib", [](const Config& c) { return text(c.argon2_memory_kib) + " KiB"; }},
    {"argon2_passes", [](const Config& c) { return text(c.argon2_passes); }},
    {"mail_host", [](const Config& c) { return text(c.mail_host); }},
    {"store", [](const Config& c) { return text(c.store); }},
    {"store_user", [](const Config& c) { return text(c.store_user); }},
    {"doveadm", [](const Config& c) { return text(c.doveadm); }},
    {"doveadm_key_file", [](const Config& c) { return text(c.doveadm_key_file); }},
    {"deleted_for", [](const Config& c) { return text(c.deleted_for); }},
    {"audited_for", [](const Config& c) { return text(c.audited_for); }},
    {"domain_quota", [](const Config& c) { return text(c.domain_quota) + " bytes"; }},
    {"rehash_socket", [](const Config& c) { return text(c.rehash_socket); }},
    {"send_limit", [](const Config& c) { return text(c.send_limit) + " recipients"; }},
    {"forward_limit", [](const Config& c) { return text(c.forward_limit) + " messages"; }},
    {"postfix", [](const Config& c) { return text(c.postfix); }},
    {"tls_urls", [](const Config& c) { return text(c.tls_urls.empty() ? "" : c.tls_urls[0]); }},
    {"tls_ca_file", [](const Config& c) { return text(c.tls_ca_file); }},
};

// What the program says of a value that cannot be right: `1 to 1000` where it wants a number, else
// nothing.
std::string range_of(const std::string& setting)
{
    const support::Directory directory;
    try {
        Config::read(directory.write("mailboxd.conf", setting + " = x\n"));
    } catch (const Config::Problems& problems) {
        std::smatch match;
        const std::string sentence{problems.what()};
        if (std::regex_search(sentence, match, std::regex{"whole number from ([0-9]+ to [0-9]+)"}))
            return match.str(1);
    }
    return {};
}

// --- commands -------------------------------------------------------------------------

std::string heading(const command::Command& command)
{
    std::string text{command.name};
    for (const auto& argument : command.arguments) text += " " + argument;
    return text;
}

// As help has them: `--last NUMBER`, without its default.
Names options_of(const command::Command& command)
{
    Names names;
    const auto described = command.options();
    for (const auto& option : described.options()) {
        auto value = option->semantic()->max_tokens() == 0 ? "" : " " + option->semantic()->name();
        if (const auto rest = value.find(" (="); rest != std::string::npos) value.erase(rest);
        names.insert("--" + option->long_name() + value);
    }
    return names;
}

// Of a front door, as its source has them: `-c , --config FILE`.
Names options_in(const std::string& source)
{
    Names names;
    for (const auto& match : matches(
             sources::on_one_line(contents(source)),
             std::regex{
                 R"re(\("([a-z]+),([a-zA-Z])"(?:, po::value[^"]*value_name\("([A-Z]+)"\))?)re"}))
        names.insert("-" + match[2] + ", --" + match[1] + (match[3].empty() ? "" : " " + match[3]));
    return names;
}

Names items_with(const std::string& page, const std::string& prefix)
{
    Names names;
    for (const auto& line : lines(contents("man/" + page))) {
        if (line.starts_with(".It " + prefix)) names.insert(as_read(line.substr(4)));
    }
    return names;
}

// --- codes ----------------------------------------------------------------------------

// `400 bad_limit` and so on: what the sources and nginx's snippets can answer.
Names codes_of_the_program()
{
    Names codes;
    const auto source = sources::on_one_line(sources::code("src"));
    for (const auto& match : matches(
             source,
             std::regex{R"re(\bError\(([0-9]{3}), (?:[^,;]*\? "([a-z_]+)" : )?"([a-z_]+)")re"})) {
        codes.insert(match[1] + " " + match[3]);
        if (!match[2].empty()) codes.insert(match[1] + " " + match[2]);
    }
    for (const auto& match : matches(
             source, std::regex{R"re(\b(?:refused|refusal)\(([0-9]{3}), [^;]*, "([a-z_]+)")re"}))
        codes.insert(match[1] + " " + match[2]);
    for (const auto& match : matches(
             source,
             std::regex{
                 R"re(\.status = ([0-9]{3}), \.body = answers::error\("[^"]*", "([a-z_]+)"\))re"}))
        codes.insert(match[1] + " " + match[2]);
    // Refusals of db/, whose status the service derives from the code.
    for (const auto& match : matches(source, std::regex{R"re(\bRefused\("([a-z_]+)", )re"})) {
        const std::string code = match[1];
        const std::string others = code.starts_with("bad_") ? "400 " : "409 ";
        codes.insert((code.ends_with("_not_found") ? "404 " : others) + code);
    }
    for (const auto& match :
         matches(all_of("nginx"),
                 std::regex{R"re(return ([0-9]{3}) '\{"message":"[^"]*","code":"([a-z_]+)")re"}))
        codes.insert(match[1] + " " + match[2]);
    return codes;
}

Names codes_of_the_page()
{
    Names codes;
    std::vector<std::string> statuses;
    for (const auto& line : lines(contents("man/mailboxd-api.7"))) {
        if (std::regex_search(line, std::regex{R"(^\.It [0-9]{3} )"})) {
            statuses.clear();
            for (const auto& match : matches(line, std::regex{"\\b[0-9]{3}\\b"}))
                statuses.push_back(match[0]);
        }
        if (!line.starts_with(".It Dv ")) continue;
        for (const auto& status : statuses) codes.insert(status + " " + line.substr(7));
    }
    return codes;
}

struct Page : support::Row {
    std::string name;
};
const Page kPages[] = {{"mailboxd.8", "mailboxd.8"},
                       {"mailboxctl.8", "mailboxctl.8"},
                       {"mailboxd.conf.5", "mailboxd.conf.5"},
                       {"mailboxd-api.7", "mailboxd-api.7"}};

void compare(const Names& said, const Names& is, const std::string& where)
{
    for (const auto& name : is) BOOST_TEST(said.contains(name), where << " does not have " << name);
    for (const auto& name : said)
        BOOST_TEST(is.contains(name), where << " has " << name << ", which there is not");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(docs)

BOOST_DATA_TEST_CASE(a_page_is_formatted_without_a_complaint, data::make(kPages), row)
{
    const auto file = (sources::directory() / "man" / row.name).string();
    const auto complaints = output_of("mandoc -T lint -W warning '" + file + "' 2>&1");
    BOOST_TEST(complaints.empty(), complaints);
}

BOOST_AUTO_TEST_CASE(each_setting_with_default_unit_and_range)
{
    const support::Directory directory;
    const auto config = Config::read(directory.write("mailboxd.conf", "# nothing is set\n"));
    const auto settings = settings_of_the_program();
    BOOST_TEST(settings.size() > 30U);
    Names described;
    for (const auto& part : parts("mailboxd.conf.5", ".It Ic ")) {
        BOOST_TEST(described.insert(part.name).second, part.name << " is there twice");
        const auto known = kDefaults.find(part.name);
        if (known == kDefaults.end()) {
            BOOST_ERROR(part.name + " has no line in kDefaults");
            continue;
        }
        const auto value = "\nDefault: " + known->second(config);
        BOOST_TEST((part.text.find(value + ".\n") != std::string::npos
                    || part.text.find(value + ";") != std::string::npos),
                   part.name << " has to say:" << value);
        const auto range = range_of(part.name);
        BOOST_TEST(part.text.find(range) != std::string::npos,
                   part.name << " has to say: " << range);
    }
    compare(described, settings, "mailboxd.conf.5");
}

BOOST_AUTO_TEST_CASE(each_command_with_its_options)
{
    Names described;
    std::map<std::string, Names> options;
    for (const auto& part : parts("mailboxctl.8", ".Ss ")) {
        described.insert(part.name);
        for (const auto& item : part.items) {
            if (item.starts_with("--")) options[part.name].insert(item);
        }
    }
    Names is;
    for (const auto& command : command::all()) {
        is.insert(heading(command));
        compare(options[heading(command)], options_of(command),
                "mailboxctl.8, " + heading(command) + ",");
    }
    BOOST_TEST(is.size() > 25U);
    compare(described, is, "mailboxctl.8");
}

BOOST_AUTO_TEST_CASE(each_option_of_the_programs)
{
    const auto service = options_in("src/mailboxd/main.cc");
    BOOST_TEST(service.size() == 4U);
    compare(items_with("mailboxd.8", "Fl "), service, "mailboxd.8");
    auto tool = options_in("src/mailboxctl/main.cc");
    BOOST_TEST(tool.size() == 2U);
    tool.insert("-V, --version");
    Names common;
    for (const auto& item : items_with("mailboxctl.8", "Fl ")) {
        if (!item.starts_with("--")) common.insert(item);
    }
    compare(common, tool, "mailboxctl.8");
}

BOOST_AUTO_TEST_CASE(each_route_status_and_code)
{
    Names served;
    for (const auto& path : routes::all()) {
        for (const auto& method : path.methods)
            served.insert(std::string{method.name} + " " + std::string{path.pattern});
    }
    BOOST_TEST(served.size() > 10U);
    Names described;
    for (const auto& part : parts("mailboxd-api.7", ".It ")) {
        if (std::regex_search(part.name, std::regex{"^[A-Z]+ /"})) described.insert(part.name);
    }
    compare(described, served, "mailboxd-api.7");

    for (const auto target : {routes::kAlive, routes::kReady})
        BOOST_TEST(contents("man/mailboxd-api.7").find("\n.It " + std::string{target} + "\n")
                       != std::string::npos,
                   target);
    const auto codes = codes_of_the_program();
    BOOST_TEST(codes.size() > 25U);
    compare(codes_of_the_page(), codes, "mailboxd-api.7");
    // Whether each is at its statuses there is what the stories' answers show
    // (tests/npm/openapi.js).
    Names words;
    for (const auto& code : codes) words.insert(code.substr(4));
    // Those of health, and of the document itself, are not the API's.
    for (const auto* of_others : {"database_absent", "database_empty", "database_read_only",
                                  "not_reached", "pool_full", "condition_failed"})
        words.erase(of_others);
    Names examples;
    for (const auto& match :
         matches(contents("nginx/mailboxd-openapi.json"), std::regex{R"re("code": "([a-z_]+)")re"}))
        examples.insert(match[1]);
    compare(examples, words, "mailboxd-openapi.json");
    const auto page = codes_of_the_page();
    for (const auto& match :
         matches(contents("tests/contract.txt"), std::regex{"\nstatus: ([0-9]{3}) "})) {
        const auto is_there = std::any_of(
            page.begin(), page.end(), [&](const auto& code) { return code.starts_with(match[1]); });
        BOOST_TEST(is_there, "mailboxd-api.7 does not have the status " << match[1]);
    }
}

// A block of commands that nobody runs would be one that nobody knows to work.
BOOST_AUTO_TEST_CASE(each_block_of_the_guide_is_run_somewhere)
{
    const Names places{"package", "source", "root",   "stack", "restore", "beside",
                       "panel",   "rehash", "moving", "setup", "cluster"};
    Names used;
    bool is_inside = false;
    for (const auto& line : lines(sources::guide())) {
        if (!line.starts_with("```")) continue;
        is_inside = !is_inside;
        if (!is_inside) continue;
        std::istringstream words{line.substr(3)};
        std::string word;
        words >> word;
        BOOST_TEST(word == "sh", line << " is no block of commands");
        std::size_t count = 0;
        for (; words >> word; ++count) {
            BOOST_TEST(places.contains(word), line << " names a place that there is not");
            used.insert(word);
        }
        BOOST_TEST(count > 0U, line << " does not say where it is run");
    }
    BOOST_TEST(!is_inside);
    BOOST_TEST(used == places, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_line_of_the_log_that_asks_for_action)
{
    Names is;
    for (const auto& match :
         matches(sources::on_one_line(sources::code("src")),
                 std::regex{R"re(logging::(warning|error|fatal)\("([a-z-]+)"\))re"}))
        is.insert(match[1] + " " + match[2]);
    BOOST_TEST(is.size() > 10U);
    Names described;
    for (const auto& match :
         matches(sources::guide(), std::regex{"\n\\| `((?:warning|error|fatal) [a-z-]+)` \\|"}))
        described.insert(match[1]);
    compare(described, is, "docs/troubleshooting.md");
}

// Links are relative to their page. A path in backquotes that begins with a folder of the project
// is relative to the checkout.
BOOST_AUTO_TEST_CASE(each_path_that_a_page_names_exists)
{
    const auto root = sources::directory();
    auto pages = sources::files("docs", ".md");
    const auto documents = pages;
    for (const auto* name : {"README.md", "CHANGES.md"}) pages.push_back(root / name);
    Names linked;
    for (const auto& page : pages) {
        const auto text = sources::contents(page);
        for (const auto& match : matches(text, std::regex{"\\]\\(([a-zA-Z/_-]+\\.md)\\)"})) {
            const auto file = page.parent_path() / match[1];
            BOOST_TEST(std::filesystem::exists(file), page << " links to " << match[1]);
            linked.insert(file.filename().string());
        }
        for (const auto& match : matches(
                 text, std::regex{"`((?:src|tests|scripts|docs|man|nginx|conf|systemd|sql|debian)/"
                                  "[A-Za-z0-9_./-]*)`"}))
            BOOST_TEST(std::filesystem::exists(root / match[1]), page << " names " << match[1]);
    }
    for (const auto& page : documents)
        BOOST_TEST(linked.contains(page.filename().string()), "no page links to " << page);
}

// SECURITY.md names the tests that show what it promises.
BOOST_AUTO_TEST_CASE(each_test_that_a_promise_rests_on_is_there)
{
    Names is;
    for (const auto& file : sources::files("tests", ".cc")) {
        const auto text = sources::on_one_line(sources::contents(file));
        const auto suites = matches(text, std::regex{"BOOST_AUTO_TEST_SUITE\\(([a-z_0-9]+)"});
        for (const auto& match : matches(
                 text,
                 std::regex{
                     "BOOST_(AUTO|FIXTURE|DATA)_TEST_CASE(_F)?\\(([A-Za-z:<>]+, )?([a-z_0-9]+)"}))
            for (const auto& suite : suites) is.insert(suite[1] + "/" + match[4]);
    }
    std::size_t count = 0;
    for (const auto& match :
         matches(contents("SECURITY.md"), std::regex{"`([a-z_0-9]+/[a-z_0-9]+)`"})) {
        BOOST_TEST(is.contains(match[1]), match[1] << " is no test");
        ++count;
    }
    BOOST_TEST(count > 20U);
}

BOOST_AUTO_TEST_SUITE_END()
