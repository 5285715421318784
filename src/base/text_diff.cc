#include "base/text_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace text_diff {
namespace {

using Lines = std::vector<std::string_view>;

// Each line has its line end. The last one may lack it.
Lines lines_of(std::string_view text)
{
    Lines lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto length = end == std::string_view::npos ? text.size() : end + 1;
        lines.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return lines;
}

// The lines [begin, end) of one text are replaced by the lines [new_begin, new_end) of the other.
struct Change {
    std::size_t begin, end, new_begin, new_end;
    bool is_insertion() const { return begin == end; }
};

// The lengths of the longest common subsequences of the two ends, from line i and from line j on.
class Lengths {
public:
    Lengths(const Lines& before, const Lines& after)
        : width_{after.size() + 1}, all_((before.size() + 1) * width_)
    {
        for (auto i = before.size(); i-- > 0;) {
            for (auto j = after.size(); j-- > 0;)
                at(i, j) = before[i] == after[j] ? at(i + 1, j + 1) + 1
                                                 : std::max(at(i + 1, j), at(i, j + 1));
        }
    }
    std::uint32_t& at(std::size_t i, std::size_t j) { return all_[i * width_ + j]; }

private:
    std::size_t width_;
    std::vector<std::uint32_t> all_;
};

// Configuration files have some hundred lines, so quadratic time is enough.
std::vector<Change> changes(const Lines& before, const Lines& after)
{
    Lengths lengths{before, after};
    std::vector<Change> all;
    std::size_t i = 0, j = 0;
    while (i < before.size() || j < after.size()) {
        if (i < before.size() && j < after.size() && before[i] == after[j]) {
            ++i, ++j;
            continue;
        }
        Change change{i, i, j, j};
        while ((i < before.size() || j < after.size())
               && !(i < before.size() && j < after.size() && before[i] == after[j])) {
            const bool goes_on_before =
                j == after.size()
                || (i < before.size() && lengths.at(i + 1, j) >= lengths.at(i, j + 1));
            if (goes_on_before) ++i;
            else ++j;
        }
        change.end = i;
        change.new_end = j;
        all.push_back(change);
    }
    return all;
}

std::string joined(const Lines& lines, std::size_t begin, std::size_t end)
{
    std::string text;
    for (auto i = begin; i < end; ++i) text += lines[i];
    return text;
}

// --- the unified format ---------------------------------------------------------------

void add_lines(std::string& text, char mark, const Lines& lines, std::size_t begin, std::size_t end)
{
    for (auto i = begin; i < end; ++i) {
        text += mark;
        text += lines[i];
        if (!lines[i].ends_with('\n')) text += "\n\\ No newline at end of file\n";
    }
}

std::string range(std::size_t begin, std::size_t end)
{
    // A range without lines names the line before it.
    const auto first = begin == end ? begin : begin + 1;
    return std::to_string(first) + (end - begin == 1 ? "" : "," + std::to_string(end - begin));
}

// Prints the changes [first, last), whose contexts touch.
std::string hunk(const Lines& before, const Lines& after, const Change* first, const Change* last,
                 std::size_t context)
{
    const auto begin = first->begin - std::min(first->begin, context);
    const auto end = std::min(before.size(), (last - 1)->end + context);
    const auto new_begin = first->new_begin - (first->begin - begin);
    const auto new_end = (last - 1)->new_end + (end - (last - 1)->end);
    std::string text = "@@ -" + range(begin, end) + " +" + range(new_begin, new_end) + " @@\n";
    auto at = begin;
    for (const auto* change = first; change != last; ++change) {
        add_lines(text, ' ', before, at, change->begin);
        add_lines(text, '-', before, change->begin, change->end);
        add_lines(text, '+', after, change->new_begin, change->new_end);
        at = change->end;
    }
    add_lines(text, ' ', before, at, end);
    return text;
}

}  // namespace

std::string unified(std::string_view before, std::string_view after, const std::string& name_before,
                    const std::string& name_after, std::size_t context)
{
    const auto old_lines = lines_of(before), new_lines = lines_of(after);
    const auto all = changes(old_lines, new_lines);
    if (all.empty()) return {};
    auto text = "--- " + name_before + "\n+++ " + name_after + "\n";
    for (std::size_t i = 0; i < all.size();) {
        auto last = i + 1;
        while (last < all.size() && all[last].begin - all[last - 1].end <= 2 * context) ++last;
        text += hunk(old_lines, new_lines, all.data() + i, all.data() + last, context);
        i = last;
    }
    return text;
}

// --- merging --------------------------------------------------------------------------

namespace {

// An insertion beside a replacement is no conflict: something that was appended after our lines
// stays when our lines go.
bool is_conflict(const Change& left, const Change& right)
{
    if (left.is_insertion() && right.is_insertion()) return left.begin == right.begin;
    return left.begin < right.end && right.begin < left.end;
}

}  // namespace

std::optional<std::string> merged(std::string_view base, std::string_view left,
                                  std::string_view right)
{
    const auto lines = lines_of(base), of_left = lines_of(left), of_right = lines_of(right);
    const auto by_left = changes(lines, of_left), by_right = changes(lines, of_right);
    struct Piece {
        Change change;
        std::string text;
        bool is_left;
    };
    std::vector<Piece> pieces;
    for (const auto& change : by_left)
        pieces.push_back({change, joined(of_left, change.new_begin, change.new_end), true});
    for (const auto& change : by_right) {
        auto text = joined(of_right, change.new_begin, change.new_end);
        bool is_same = false;
        for (const auto& other : by_left) {
            const bool is_here = other.begin == change.begin && other.end == change.end;
            is_same =
                is_same || (is_here && joined(of_left, other.new_begin, other.new_end) == text);
            if (!(is_here && is_same) && is_conflict(other, change)) return std::nullopt;
        }
        if (!is_same) pieces.push_back({change, std::move(text), false});
    }
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
        return std::pair{a.change.begin, a.change.end} < std::pair{b.change.begin, b.change.end};
    });
    std::string text;
    std::size_t at = 0;
    for (const auto& piece : pieces) {
        if (piece.change.begin > at) text += joined(lines, at, piece.change.begin);
        if (!piece.text.empty() && !text.empty() && text.back() != '\n') text += '\n';
        text += piece.text;
        at = std::max(at, piece.change.end);
    }
    return text + joined(lines, at, lines.size());
}

}  // namespace text_diff
