#include "mailboxctl/source_tables.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "db/accounts.h"

namespace source_tables {

const std::string& Row::operator[](std::string_view column) const
{
    static const std::string none;
    const auto& cell = table_->cell(number_, column);
    return cell ? *cell : none;
}

bool Row::is_set(std::string_view column, bool otherwise) const
{
    const auto& text = (*this)[column];
    if (text.empty()) return otherwise;
    if (text.find_first_not_of("+-0123456789.") == std::string::npos)
        return text.find_first_of("123456789") != std::string::npos;
    return text == "y" || text == "Y";
}

Table::Table(std::vector<std::string> columns) : columns_{std::move(columns)}
{
    for (std::size_t i = 0; i < columns_.size(); ++i) places_.emplace(columns_[i], i);
}

bool Table::has(std::string_view column) const
{
    return places_.contains(column);
}

std::vector<Row> Table::rows() const
{
    std::vector<Row> all;
    all.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) all.push_back(row(i));
    return all;
}

void Table::add(std::vector<Cell>& cells)
{
    for (auto& cell : cells) {
        if (cell) cell = as_utf8(*std::move(cell));
        cells_.push_back(std::move(cell));
    }
}

const Cell& Table::cell(std::size_t row, std::string_view column) const
{
    static const Cell none;
    const auto place = places_.find(column);
    return place == places_.end() ? none : cells_[row * columns_.size() + place->second];
}

const Table& Tables::operator[](std::string_view name) const
{
    static const Table none;
    const auto found = loaded.find(name);
    return found == loaded.end() ? none : found->second;
}

Selection::Selection(const std::string& source, const Wanted& wanted,
                     const std::vector<std::string>& columns)
{
    const auto select = [&](std::string_view name) {
        const bool is_there =
            std::any_of(columns.begin(), columns.end(), [&](const std::string& each) {
                return strings::equals_ignoring_case(each, name);
            });
        if (is_there) names_.emplace_back(name);
        return is_there;
    };
    for (const auto name : wanted.required) {
        if (!select(name))
            throw admin::Refused(source + ": the table " + std::string{wanted.table}
                                 + " has no column " + std::string{name}
                                 + "; is this another system's database, or an older release?");
    }
    for (const auto name : wanted.optional) select(name);
}

const Wanted* find(const std::vector<Wanted>& all, std::string_view table)
{
    const auto found = std::find_if(all.begin(), all.end(), [&](const Wanted& each) {
        return strings::equals_ignoring_case(each.table, table);
    });
    return found == all.end() ? nullptr : &*found;
}

void expect_all(const std::string& source, const std::vector<Wanted>& all, const Tables& tables)
{
    for (const auto& each : all) {
        if (each.presence == Wanted::Presence::must_be && !tables.loaded.contains(each.table))
            throw admin::Refused(source + " has no table " + std::string{each.table}
                                 + "; is this another system's database, or a part of one?");
    }
}

std::string as_utf8(std::string text)
{
    if (strings::is_utf8(text)) return text;
    // 0x80 to 0x9F of Windows-1252; the five that it leaves free stand for themselves.
    static const std::array<char16_t, 32> kSpecial{
        0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
    std::string all;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const unsigned code = byte >= 0x80 && byte < 0xA0 ? kSpecial[byte - 0x80U] : byte;
        if (code < 0x80) {
            all += c;
        } else if (code < 0x800) {
            all += static_cast<char>(0xC0U | (code >> 6U));
            all += static_cast<char>(0x80U | (code & 0x3FU));
        } else {
            all += static_cast<char>(0xE0U | (code >> 12U));
            all += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
            all += static_cast<char>(0x80U | (code & 0x3FU));
        }
    }
    return all;
}

}  // namespace source_tables
