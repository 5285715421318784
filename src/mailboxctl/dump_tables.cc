#include "mailboxctl/dump_tables.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/strings.h"
#include "db/accounts.h"

namespace dump_tables {
namespace {

using import_file::File;
using source_tables::Cell;
using source_tables::Selection;
using source_tables::Table;
using source_tables::Tables;
using source_tables::Wanted;

bool is_blank(int byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

bool is_of_word(int byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
           || (byte >= '0' && byte <= '9') || byte == '_' || byte == '$' || byte >= 0x80;
}

int digit_of(int byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

// The bytes of the dump, with the number of the line.
class Bytes {
public:
    explicit Bytes(File& file) : file_{file} {}

    int get()
    {
        const int byte = file_.get();
        if (byte == '\n') ++line_;
        return byte;
    }
    int peek() { return file_.peek(); }
    [[noreturn]] void refuse(const std::string& reason)
    {
        if (peek() == File::kEnd) refuse_end();  // which is why the reason was found
        throw admin::Refused(file_.name() + ", line " + std::to_string(line_) + ": " + reason);
    }
    [[noreturn]] void refuse_end() const
    {
        throw admin::Refused(file_.name() + " was cut off: it ends in line " + std::to_string(line_)
                             + ", in the middle of a statement");
    }
    // The next byte, which must be there.
    int must_get()
    {
        const int byte = get();
        if (byte == File::kEnd) refuse_end();
        return byte;
    }
    std::string rest_of_line()
    {
        std::string text;
        for (int byte = get(); byte != File::kEnd && byte != '\n'; byte = get())
            text += static_cast<char>(byte);
        return text;
    }
    const std::string& name() const { return file_.name(); }

private:
    File& file_;
    std::int64_t line_ = 1;
};

// A dump's words, names and values.
class Lexer {
public:
    explicit Lexer(File& file) : bytes_{file} {}

    // Skips blanks and comments, and looks into comments for what they say of the dump. Returns the
    // byte that follows, without reading it.
    int skip()
    {
        for (;;) {
            const int byte = bytes_.peek();
            if (is_blank(byte)) {
                bytes_.get();
            } else if (byte == '#') {
                bytes_.rest_of_line();
            } else if (byte == '-' || byte == '/') {
                bytes_.get();
                if (bytes_.peek() == '-' && byte == '-') {
                    note_line(bytes_.rest_of_line());
                } else if (bytes_.peek() == '*' && byte == '/') {
                    bytes_.get();
                    skip_comment();
                } else {
                    pending_minus_ = byte == '-';
                    return byte;
                }
            } else {
                return byte;
            }
        }
    }

    std::string word()
    {
        std::string text;
        while (is_of_word(bytes_.peek())) text += static_cast<char>(bytes_.get());
        return text;
    }
    // Returns a name in lower case, without quotes. `database.table` is the table.
    std::string name()
    {
        auto text = part_of_name();
        while (skip() == '.') {
            bytes_.get();
            skip();
            text = part_of_name();
        }
        return text;
    }
    bool is_quoted_name() { return skip() == '`' || bytes_.peek() == '"' || bytes_.peek() == '['; }

    // Reads a literal. `keeps`: whether it is needed.
    Cell value(bool keeps);

    // Skips the rest of a statement, with the semicolon.
    void skip_statement()
    {
        for (;;) {
            skip();
            pending_minus_ = false;
            const int byte = bytes_.must_get();
            if (byte == ';') return;
            if (byte == '\'' || byte == '"' || byte == '`') skip_quoted(byte);
        }
    }
    // Skips to the comma or bracket that ends an element of a list, and returns it.
    int skip_element()
    {
        for (int depth = 0;;) {
            skip();
            const int byte = bytes_.must_get();
            if (byte == '\'' || byte == '"' || byte == '`') skip_quoted(byte);
            if (depth == 0 && (byte == ',' || byte == ')')) return byte;
            if (byte == '(') ++depth;
            if (byte == ')') --depth;
        }
    }
    void expect(char wanted)
    {
        if (skip() == File::kEnd) bytes_.refuse_end();
        if (bytes_.get() != wanted)
            bytes_.refuse(std::string{"there is no "} + wanted + " where it must be");
    }
    int next() { return bytes_.must_get(); }
    Bytes& bytes() { return bytes_; }

    bool is_complete = false;  // the last lines of a dump were seen
    bool is_sqlite = false;

private:
    std::string part_of_name()
    {
        const int byte = skip();
        if (byte != '`' && byte != '"' && byte != '[') return strings::lower_case(word());
        bytes_.get();
        const int end = byte == '[' ? ']' : byte;
        std::string text;
        for (;;) {
            const int next = bytes_.must_get();
            if (next == end) {
                if (bytes_.peek() != end || end == ']') return strings::lower_case(text);
                bytes_.get();
            }
            text += static_cast<char>(next);
        }
    }

    void note_line(std::string_view text)
    {
        if (text.starts_with("- Dump completed")) is_complete = true;
        if (text.find("PostgreSQL database dump") != std::string_view::npos)
            bytes_.refuse("this is a dump of PostgreSQL, which is not read");
    }

    // What /*! … */ has, the server runs.
    void skip_comment()
    {
        std::string text;
        int last = 0;
        for (;;) {
            const int byte = bytes_.must_get();
            if (last == '*' && byte == '/') break;
            constexpr std::size_t kLongest = 4096;  // a view's text may be long
            if (text.size() < kLongest) text += static_cast<char>(byte);
            last = byte;
        }
        if (text.starts_with('!') || text.starts_with("M!")) note_setting(text);
    }

public:
    void note_setting(std::string_view text)
    {
        // The settings from before the dump are restored after the last table.
        if (text.find("=@OLD_") != std::string_view::npos) is_complete = true;
        if (text.find("NO_BACKSLASH_ESCAPES") != std::string_view::npos)
            bytes_.refuse("the dump was made with NO_BACKSLASH_ESCAPES, which is not read");
        const auto lower = strings::lower_case(text);
        const auto at = lower.find("names ");
        if (at == std::string::npos || lower.find("set ") == std::string::npos) return;
        const auto words = strings::words(std::string_view{lower}.substr(at + 6), " '\";*");
        static constexpr std::array<std::string_view, 6> kRead{"utf8",   "utf8mb3", "utf8mb4",
                                                               "latin1", "ascii",   "binary"};
        if (words.empty() || words.front().starts_with('@')) return;
        if (std::find(kRead.begin(), kRead.end(), words.front()) == kRead.end())
            bytes_.refuse("the dump is in the character set " + words.front()
                          + ", which is not read; dump with --default-character-set=utf8mb4");
    }

private:
    void skip_quoted(int quote)
    {
        for (;;) {
            const int byte = bytes_.must_get();
            if (byte == '\\' && quote != '`' && !is_sqlite) bytes_.must_get();
            else if (byte == quote) return;  // a doubled quote is two texts, which is the same here
        }
    }

    std::string quoted(bool keeps);
    std::string hexadecimal_in_quotes();
    std::string hexadecimal_after_0x();
    std::string number(std::string text);
    Cell value_of_word(bool keeps);

    Bytes bytes_;
    bool pending_minus_ = false;  // a minus sign was read that begins no comment
};

int escaped(int byte)
{
    switch (byte) {
    case '0': return 0;
    case 'b': return '\b';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'Z': return 26;
    default: return byte;
    }
}

// The text after its first quote, which has been read.
std::string Lexer::quoted(bool keeps)
{
    std::string text;
    for (;;) {
        int byte = bytes_.must_get();
        if (byte == '\'') {
            if (bytes_.peek() != '\'') return text;
            bytes_.get();
        } else if (byte == '\\' && !is_sqlite) {
            byte = escaped(bytes_.must_get());
        }
        if (keeps) text += static_cast<char>(byte);
    }
}

std::string Lexer::hexadecimal_in_quotes()
{
    std::string text;
    for (;;) {
        const int first = bytes_.must_get();
        if (first == '\'') return text;
        const int high = digit_of(first), low = digit_of(bytes_.must_get());
        if (high < 0 || low < 0) bytes_.refuse("X'…' holds something else than pairs of digits");
        text += static_cast<char>(high * 16 + low);
    }
}

std::string Lexer::hexadecimal_after_0x()
{
    std::string text;
    while (digit_of(bytes_.peek()) >= 0) {
        const int high = digit_of(bytes_.get()), low = digit_of(bytes_.peek());
        if (low < 0) bytes_.refuse("0x… has an odd number of digits");
        bytes_.get();
        text += static_cast<char>(high * 16 + low);
    }
    if (text.empty()) bytes_.refuse("0x has no digits");
    return text;
}

std::string Lexer::number(std::string text)
{
    for (;;) {
        const int byte = bytes_.peek();
        const bool is_sign = (byte == '+' || byte == '-') && !text.empty()
                             && (text.back() == 'e' || text.back() == 'E');
        if (!(byte >= '0' && byte <= '9') && byte != '.' && byte != 'e' && byte != 'E' && !is_sign)
            break;
        text += static_cast<char>(bytes_.get());
    }
    if (text.find_first_of("0123456789") == std::string::npos)
        bytes_.refuse("there is no value where one must be");
    return text;
}

Cell Lexer::value_of_word(bool keeps)
{
    const auto text = strings::lower_case(word());
    const bool has_quote = bytes_.peek() == '\'';
    if (has_quote && (text == "x" || text == "b" || text == "n")) {
        bytes_.get();
        if (text == "x") return hexadecimal_in_quotes();
        if (text == "n") return quoted(keeps);
        std::uint64_t bits = 0;
        for (const char c : quoted(true)) bits = bits * 2 + (c == '1' ? 1 : 0);
        return std::to_string(bits);
    }
    if (text == "null") return std::nullopt;
    if (text == "true") return "1";
    if (text == "false") return "0";
    if (text.starts_with('_')) {  // a character set, as in _binary 'text'
        const int byte = skip();
        if (byte == '\'' || byte == '0' || byte == 'x' || byte == 'X') return value(keeps);
    }
    bytes_.refuse("the value is an expression that begins with '" + text + "', which is not read"
                  + (is_sqlite ? "; give the SQLite file itself instead of its dump" : ""));
}

Cell Lexer::value(bool keeps)
{
    pending_minus_ = false;
    const int byte = skip();
    if (byte == File::kEnd) bytes_.refuse_end();
    if (pending_minus_) return number("-");
    if (byte == '\'') {
        bytes_.get();
        auto text = quoted(keeps);
        while (skip() == '\'') {  // texts that follow each other are one
            bytes_.get();
            text += quoted(keeps);
        }
        return text;
    }
    if (byte == '+') {
        bytes_.get();
        return number("");
    }
    if (byte >= '0' && byte <= '9') {
        bytes_.get();
        if (byte == '0' && (bytes_.peek() == 'x' || bytes_.peek() == 'X')) {
            bytes_.get();
            return hexadecimal_after_0x();
        }
        return number(std::string(1, static_cast<char>(byte)));
    }
    if (is_of_word(byte)) return value_of_word(keeps);
    bytes_.refuse("there is no value where one must be");
}

class Reader {
public:
    Reader(File& file, const std::vector<Wanted>& wanted) : lexer_{file}, wanted_{wanted} {}

    Tables read()
    {
        for (;;) {
            const int byte = lexer_.skip();
            if (byte == File::kEnd) break;
            if (byte == ';') {
                lexer_.next();
                continue;
            }
            statement(strings::lower_case(lexer_.word()));
        }
        if (!lexer_.is_complete) {
            throw admin::Refused(
                lexer_.bytes().name()
                + " does not end as a complete dump does, with '-- Dump completed': it was cut off,"
                  " or made with --compact or --skip-comments. Make it again without these");
        }
        source_tables::expect_all(lexer_.bytes().name(), wanted_, tables_);
        return std::move(tables_);
    }

private:
    void statement(const std::string& verb)
    {
        if (verb == "create") return create();
        if (verb == "insert" || verb == "replace") return insert();
        if (verb == "delimiter") return skip_delimited();
        if (verb == "set") {
            const auto text = lexer_.bytes().rest_of_line();
            lexer_.note_setting("set " + text);
            if (text.find(';') != std::string::npos) return;
        } else if (verb == "pragma") {
            lexer_.is_sqlite = true;
        } else if (verb == "copy") {
            lexer_.bytes().refuse("this is a dump of PostgreSQL, which is not read");
        } else if (verb == "commit" && lexer_.is_sqlite) {
            lexer_.is_complete = true;
        } else if (verb.empty()) {
            lexer_.bytes().refuse("there is no statement; is this a dump of a database?");
        }
        lexer_.skip_statement();
    }

    void skip_delimited()
    {
        auto& bytes = lexer_.bytes();
        if (strings::trimmed(bytes.rest_of_line()) == ";") return;
        for (;;) {
            if (bytes.peek() == File::kEnd) bytes.refuse_end();
            const auto words = strings::words(bytes.rest_of_line());
            if (words.size() == 2 && strings::equals_ignoring_case(words[0], "delimiter")
                && words[1] == ";")
                return;
        }
    }

    // Reads words up to the name of a table. Returns an empty name for another statement.
    std::string table_after(std::string_view last)
    {
        for (;;) {
            if (lexer_.is_quoted_name()) return {};
            const auto word = strings::lower_case(lexer_.word());
            if (word == last) break;
            is_trigger_ = is_trigger_ || word == "trigger";
            if (word.empty() || is_trigger_ || word == "view" || word == "database") return {};
        }
        if (lexer_.is_quoted_name()) return lexer_.name();
        auto name = lexer_.name();
        if (name == "if" && last == "table") {
            for (const auto* each : {"not", "exists"}) {
                lexer_.skip();
                if (strings::lower_case(lexer_.word()) != each) return {};
            }
            name = lexer_.name();
        }
        return name;
    }

    // SQLite's statement, whose body has semicolons.
    void skip_trigger()
    {
        auto& bytes = lexer_.bytes();
        for (;;) {
            if (bytes.peek() == File::kEnd) bytes.refuse_end();
            const auto line = strings::lower_case(strings::trimmed(bytes.rest_of_line()));
            if (line == "end;" || line.ends_with(" end;") || line.ends_with(";end;")) return;
        }
    }

    void create()
    {
        lexer_.is_complete = false;
        is_trigger_ = false;
        const auto table = table_after("table");
        if (is_trigger_ && lexer_.is_sqlite) return skip_trigger();
        if (table.empty()) return lexer_.skip_statement();
        if (source_tables::find(wanted_, table) != nullptr && created_.contains(table))
            lexer_.bytes().refuse("the table " + table
                                  + " stands in this dump twice; dump one database alone");
        std::vector<std::string> columns;
        if (lexer_.skip() != '(') return lexer_.skip_statement();  // LIKE, AS SELECT
        lexer_.next();
        for (int end = ','; end == ',';) {
            const bool is_quoted = lexer_.is_quoted_name();
            auto name = lexer_.name();
            static constexpr std::array<std::string_view, 10> kOther{
                "primary",  "key",     "unique",  "index", "constraint",
                "fulltext", "spatial", "foreign", "check", "period"};
            if (is_quoted || std::find(kOther.begin(), kOther.end(), name) == kOther.end())
                columns.push_back(std::move(name));
            end = lexer_.skip_element();
        }
        lexer_.skip_statement();
        if (const auto* const wanted = source_tables::find(wanted_, table)) {
            table_for(*wanted, columns);
        } else {
            tables_.others.emplace(table, 0);
        }
        created_.insert_or_assign(table, std::move(columns));
    }

    std::vector<std::string> columns_of(const std::string& table, bool is_wanted)
    {
        std::vector<std::string> columns;
        if (lexer_.skip() == '(') {
            lexer_.next();
            do {
                columns.push_back(lexer_.name());
                lexer_.skip();
            } while (lexer_.next() == ',');
        } else if (const auto found = created_.find(table); found != created_.end()) {
            columns = found->second;
        } else if (is_wanted) {
            lexer_.bytes().refuse("the columns of the table " + table
                                  + " are not known; dump without --no-create-info");
        }
        return columns;
    }

    Table& table_for(const Wanted& wanted, const std::vector<std::string>& columns)
    {
        const Selection selection{lexer_.bytes().name(), wanted, columns};
        return tables_.loaded.emplace(wanted.table, Table{selection.names()}).first->second;
    }

    // Of each column of the table, its place in the row of an INSERT; empty if that leaves it out.
    using Places = std::vector<std::optional<std::size_t>>;
    static Places places_of(const Table& table, const std::vector<std::string>& columns)
    {
        Places places;
        for (const auto& name : table.columns()) {
            const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& each) {
                return strings::equals_ignoring_case(each, name);
            });
            places.push_back(found == columns.end() ? std::nullopt
                                                    : std::optional{static_cast<std::size_t>(
                                                        found - columns.begin())});
        }
        return places;
    }

    void insert()
    {
        const auto name = table_after("into");
        if (name.empty()) lexer_.bytes().refuse("INSERT names no table");
        const auto* const wanted = source_tables::find(wanted_, name);
        const auto columns = columns_of(name, wanted != nullptr);
        lexer_.skip();
        if (const auto word = strings::lower_case(lexer_.word()); word != "values") {
            if (wanted == nullptr) return lexer_.skip_statement();
            lexer_.bytes().refuse("INSERT INTO " + name + " has no VALUES");
        }
        auto* const table = wanted == nullptr ? nullptr : &table_for(*wanted, columns);
        const auto places = table == nullptr ? Places{} : places_of(*table, columns);
        for (int end = ','; end == ',';) {
            row({name, columns.size(), table, places});
            lexer_.skip();
            end = lexer_.next();
            if (end == ',' || end == ';') continue;
            if (end != 'O' && end != 'o')
                lexer_.bytes().refuse("there is no comma or semicolon after a row");
            lexer_.skip_statement();  // ON DUPLICATE KEY
        }
    }

    // Where the rows of an INSERT go.
    struct Into {
        const std::string& name;
        std::size_t columns;  // 0: not known
        Table* table;         // null: only counted
        const Places& places;
    };

    void row(const Into& into)
    {
        lexer_.expect('(');
        std::vector<Cell> cells;
        int end = ',';
        while (end == ',') {
            cells.push_back(lexer_.value(into.table != nullptr));
            lexer_.skip();
            end = lexer_.next();
        }
        if (end != ')') lexer_.bytes().refuse("there is no comma or bracket after a value");
        if (into.columns != 0 && cells.size() != into.columns)
            lexer_.bytes().refuse("a row of " + into.name + " has " + std::to_string(cells.size())
                                  + " values, but there are " + std::to_string(into.columns)
                                  + " columns");
        lexer_.is_complete = false;
        if (into.table == nullptr) {
            ++tables_.others[into.name];
            return;
        }
        std::vector<Cell> kept;
        for (const auto place : into.places)
            kept.push_back(place ? std::move(cells[*place]) : std::nullopt);
        into.table->add(kept);
    }

    Lexer lexer_;
    const std::vector<Wanted>& wanted_;
    Tables tables_;
    std::map<std::string, std::vector<std::string>> created_;  // the columns of each table
    bool is_trigger_ = false;
};

}  // namespace

Tables read(File& file, const std::vector<Wanted>& wanted)
{
    file.rewind();
    return Reader{file, wanted}.read();
}

}  // namespace dump_tables
