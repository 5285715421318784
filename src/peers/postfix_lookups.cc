#include "peers/postfix_lookups.h"

#include <algorithm>
#include <vector>

namespace postfix_lookups {
namespace {

struct Lookup {
    std::string statement;
    std::string letters{};  // s, u or d for each question mark
};

// mysql_table(5): `%s` is the key, `%u` the part before its last @, `%d` the part after it, and
// `%%` is %. In our files the first three are quoted alone, so they can be replaced by bound
// values.
Lookup lookup_of(std::string_view query)
{
    Lookup lookup;
    for (std::size_t i = 0; i < query.size(); ++i) {
        const auto rest = query.substr(i);
        if (rest.starts_with("'%s'") || rest.starts_with("'%u'") || rest.starts_with("'%d'")) {
            lookup.statement += '?';
            lookup.letters += rest[2];
            i += 3;
        } else {
            lookup.statement += query[i];
            if (rest.starts_with("%%")) ++i;
        }
    }
    return lookup;
}

const Lookup& lookup(std::string_view table)
{
    static const auto all = [] {
        std::map<std::string_view, Lookup> made;
        for (const auto& [name, query] : kQueries) made.emplace(name, lookup_of(query));
        return made;
    }();
    return all.at(table);
}

}  // namespace

// No address of ours has a character beyond ASCII. In Postfix's queries, CONVERT makes a question
// mark of one. MySQL 9 refuses to convert a bound value, so it is done here.
std::optional<std::string> find(db::Connection& connection, std::string_view table,
                                std::string_view asked)
{
    std::string key{asked};
    std::replace_if(
        key.begin(), key.end(), [](char c) { return (c & 0x80) != 0; }, '?');
    const auto at = key.rfind('@');
    const auto& [statement, letters] = lookup(table);
    std::vector<db::Value> values;
    const std::string_view whole{key};
    for (const char letter : letters)
        values.emplace_back(letter == 's'   ? whole
                            : letter == 'u' ? whole.substr(0, at)
                                            : whole.substr(at + 1));
    // Postfix takes NULL for no row.
    return connection.query_text(statement, values)
        .first<std::optional<std::string>>()
        .value_or(std::nullopt);
}

}  // namespace postfix_lookups
