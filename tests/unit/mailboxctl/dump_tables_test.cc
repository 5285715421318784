// dump_tables_test.cc - dumps of a database: what is read of them, and what is refused.

#include "mailboxctl/dump_tables.h"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "db/accounts.h"

namespace {

using source_tables::Cell;
using source_tables::Wanted;

const std::vector<Wanted> kWanted{{"mailbox", {"username", "password"}, {"quota", "note"}}};
const std::string kCreate =
    "CREATE TABLE `mailbox` (\n  `id` int(11) NOT NULL,\n  `username` varchar(255) DEFAULT 'a,b)',\n"
    "  `password` varchar(255) COMMENT 'it''s (here)',\n  `quota` decimal(10,2),\n"
    "  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`username`,`password`)\n) ENGINE=InnoDB;\n";
const std::string kEnd = "-- Dump completed on 2026-11-29 12:00:00\n";

// A file that is removed by the destructor.
class Dump {
public:
    explicit Dump(const std::string& text)
        : path_{std::filesystem::temp_directory_path()
                / ("mailboxd_test_dump." + std::to_string(::getpid()))}
    {
        std::ofstream{path_, std::ios::binary} << text;
    }
    ~Dump() { std::filesystem::remove(path_); }
    Dump(const Dump&) = delete;
    Dump& operator=(const Dump&) = delete;
    const std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

source_tables::Tables read(const std::string& text)
{
    const Dump dump{text};
    import_file::File file{dump.path()};
    return dump_tables::read(file, kWanted);
}

// The values of the first row, with ~ for NULL.
std::string first(const std::string& text)
{
    const auto tables = read(text);
    const auto& table = tables["mailbox"];
    BOOST_TEST_REQUIRE(table.size() > 0U);
    std::string all;
    for (const auto* column : {"username", "password", "quota"})
        all += table.cell(0, column).value_or("~") + "|";
    return all;
}

std::string row(const std::string& values)
{
    return first(kCreate + "INSERT INTO `mailbox` VALUES (" + values + ");\n" + kEnd);
}

std::string refusal(const std::string& text)
{
    try {
        read(text);
        return "";
    } catch (const admin::Refused& refused) {
        const std::string what = refused.what();
        return what.substr(what.find(std::to_string(::getpid()))
                           + std::to_string(::getpid()).size());
    }
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(dump_tables_reader)

BOOST_AUTO_TEST_CASE(literals_of_each_kind)
{
    const std::vector<std::pair<std::string, std::string>> rows{
        {"1,'alice','{X}y',5", "alice|{X}y|5|"},
        {"-1, 'o\\'hara' , 'a\\\\b' ,-1.50", "o'hara|a\\b|-1.50|"},
        {"1,'o''hara','a\\nb\\tc\\0',NULL", std::string{"o'hara|a\nb\tc\0|~|", 16}},
        {"1,'a);(','-- no comment',+7", "a);(|-- no comment|7|"},
        {"1,'/* no comment */','#',1e-3", "/* no comment */|#|1e-3|"},
        {"1,0x616263,X'64',0", "abc|d|0|"},
        {"1,_binary 'abc',_utf8mb4'd',b'101'", "abc|d|5|"},
        {"1,_latin1 0x61,N'b',true", "a|b|1|"},
        {"1,'a' 'b','',false", "ab||0|"},
        {"1,'\\%\\_\\Z','\\\"',null", "%_\x1a|\"|~|"},
        {"1,/* a comment */'a','b',1", "a|b|1|"},
        {"1,'M\xfcller','\x80',1", "M\xc3\xbcller|\xe2\x82\xac|1|"},  // latin1 becomes UTF-8
        {"1,'M\xc3\xbcller','',1", "M\xc3\xbcller||1|"},
    };
    for (const auto& [values, wanted] : rows) BOOST_TEST(row(values) == wanted, values);
}

BOOST_AUTO_TEST_CASE(statements_of_each_program)
{
    // Several rows, --complete-insert with other columns, --skip-extended-insert, REPLACE.
    const auto tables = read(
        kCreate
        + "INSERT INTO `mailbox` VALUES (1,'a','x',1),\n(2,'b','y',2);\n"
          "INSERT  IGNORE INTO `db`.`mailbox` (`password`, `username`,`id`) VALUES ('z','c',3);\n"
          "REPLACE INTO mailbox VALUES (4,'d','w',4) ON DUPLICATE KEY UPDATE quota='x;y';\n"
          "INSERT INTO `other` VALUES (1,2,3),(4,5,'6');\n"
          "UPDATE x SET y = 'INSERT INTO `mailbox` VALUES (9);' WHERE z = \"a;b\";\n"
        + kEnd);
    const auto& table = tables["mailbox"];
    BOOST_TEST_REQUIRE(table.size() == 4U);
    BOOST_TEST(table.row(2)["username"] == "c");
    BOOST_TEST(table.row(2)["password"] == "z");
    BOOST_TEST(!table.cell(2, "quota"));
    BOOST_TEST(table.row(3)["username"] == "d");
    BOOST_TEST(!table.has("note"));
    BOOST_TEST(tables.others.at("other") == 2);
}

BOOST_AUTO_TEST_CASE(triggers_views_and_comments_are_skipped)
{
    const std::string text =
        "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n# remark 'a\n"
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n"
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `postfix` /*!40100 DEFAULT CHARACTER SET x */;\n"
        "USE `postfix`;\nSET NAMES utf8mb4;\n"
        "CREATE ALGORITHM=UNDEFINED VIEW `v` AS select ';' AS `x`;\n"
        + kCreate
        + "DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON mailbox FOR EACH ROW BEGIN\n"
          "INSERT INTO mailbox VALUES (now(),1,2,3);\nEND ;;\nDELIMITER ;\n"
          "INSERT INTO `mailbox` VALUES (1,'a','b',3);\n"
          "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n";
    BOOST_TEST(first(text) == "a|b|3|");
}

BOOST_AUTO_TEST_CASE(a_dump_of_sqlite)
{
    // A backslash means itself there.
    const std::string text =
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
        "CREATE TABLE mailbox (username varchar(255) NOT NULL, \"password\" text, [quota] int,"
        " PRIMARY KEY (username));\n"
        "INSERT INTO mailbox VALUES('a\\','it''s',X'35');\n"
        "CREATE TRIGGER t AFTER INSERT ON mailbox BEGIN\n INSERT INTO log VALUES(now());\nEND;\n";
    BOOST_TEST(first(text + "COMMIT;\n") == "a\\|it's|5|");
    BOOST_TEST(has(refusal(text), "was cut off"));
    BOOST_TEST(has(refusal(text + "INSERT INTO mailbox VALUES(replace('a','b',char(10)),1,2);"),
                   "begins with 'replace', which is not read; give the SQLite file itself"));
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_refused_with_its_line)
{
    const auto rows = [](const std::string& values) {
        return kCreate + "INSERT INTO `mailbox` VALUES " + values + ";\n" + kEnd;
    };
    const std::vector<std::pair<std::string, std::string>> dumps{
        {rows("(1,'a','b')"), ", line 9: a row of mailbox has 3 values, but there are 4 columns"},
        {rows("(1,'a',now(),1)"), ", line 9: the value is an expression that begins with 'now'"},
        {rows("(1,'a','b',1)(2,'c','d',1)"), "no comma or semicolon after a row"},
        {rows("(1,'a' OR 1,'b',1)"), "no comma or bracket after a value"},
        {rows("(1,,'b',1)"), "there is no value"},
        {rows("(1,'a','b',-)"), "there is no value"},
        {rows("(1,0x616,'b',1)"), "odd number of digits"},
        {rows("(1,X'6g','b',1)"), "something else than pairs of digits"},
        {"INSERT INTO `mailbox` VALUES (1,'a','b',1);\n" + kEnd, "--no-create-info"},
        {kCreate + "INSERT INTO `mailbox` SELECT 1;\n" + kEnd, "has no VALUES"},
        {kCreate + kCreate + kEnd, "the table mailbox stands in this dump twice"},
        {"SET NAMES gbk;\n" + kCreate + kEnd, "in the character set gbk"},
        {"/*!40101 SET NAMES sjis */;\n" + kCreate + kEnd, "in the character set sjis"},
        {"/*!40101 SET SQL_MODE='NO_BACKSLASH_ESCAPES' */;\n" + kEnd, "NO_BACKSLASH_ESCAPES"},
        {"--\n-- PostgreSQL database dump\n--\n", "a dump of PostgreSQL"},
        {"COPY public.mailbox (username) FROM stdin;\n", "a dump of PostgreSQL"},
        {"address,hash\n", "cut off"},
        {"<html>\n", "is this a dump of a database?"},
        {"CREATE TABLE `other` (`id` int);\n" + kEnd, "has no table mailbox"},
        {"CREATE TABLE mailbox (`username` int);\n" + kEnd, "has no column password"},
        {"\x1f\x8b\x08 compressed", "is compressed"},
    };
    for (const auto& [text, part] : dumps)
        BOOST_TEST(has(refusal(text), part), refusal(text) + " instead of " + part);
}

// Wherever a dump ends too early, it is refused: an import of a part would leave mailboxes out.
BOOST_AUTO_TEST_CASE(a_dump_that_was_cut_off_at_any_byte)
{
    const auto text = kCreate
                      + "INSERT INTO `mailbox` VALUES (1,'a\\'','b',1),\n(2,_binary 'c',0x64,2);\n"
                      + "/*!40000 ALTER TABLE `mailbox` ENABLE KEYS */;\n";
    BOOST_TEST(refusal(text + kEnd) == "");
    for (std::size_t size = 0; size < text.size(); ++size) {
        const auto found = refusal(text.substr(0, size));
        BOOST_TEST(has(found, "cut off"), "after " << size << " bytes: " << found);
    }
    // The first of two dumps in a file is complete, the second is not.
    BOOST_TEST(has(refusal(text + kEnd + "CREATE TABLE `x` (`id` int);\n"), "cut off"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
