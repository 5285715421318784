#include "bench/figures.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace figures {
namespace {

bool is_terminal()
{
    static const bool is = ::isatty(STDERR_FILENO) == 1;
    return is;
}

void clear_progress()
{
    if (is_terminal()) std::fputs("\r\033[K", stderr);
}

std::string number(double value)
{
    char text[32];
    const int digits = std::abs(value) >= 100 ? 0 : std::abs(value) >= 10 ? 1 : 2;
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string padded(std::string text, std::size_t width)
{
    if (text.size() < width) text.resize(width, ' ');
    return text;
}

const char* word(Direction direction)
{
    return direction == Direction::at_least ? "at least" : "at most";
}

}  // namespace

double percentile(std::vector<double> values, double share)
{
    const auto last = static_cast<double>(values.size() - 1);
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(std::lround(share * last));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

void Table::add(Figure figure)
{
    clear_progress();
    if (figures_.empty())
        std::printf("%s %s %s %s\n", padded("figure", 66).c_str(), padded("value", 9).c_str(),
                    padded("goal", 15).c_str(), "least … greatest of the rounds");
    const auto [least, greatest] = std::minmax_element(figure.rounds.begin(), figure.rounds.end());
    const auto value = number(figure.value()) + (figure.unit.empty() ? "" : " " + figure.unit);
    std::printf("%s %s %s %s … %s (%zu)%s\n", padded(figure.name, 66).c_str(),
                padded(value, 9).c_str(),
                padded(std::string{word(figure.direction)} + " " + number(figure.goal), 15).c_str(),
                number(*least).c_str(), number(*greatest).c_str(), figure.rounds.size(),
                figure.is_met() ? "" : "   SHORT");
    std::fflush(stdout);
    figures_.push_back(std::move(figure));
}

void Table::note(const std::string& text)
{
    clear_progress();
    std::printf("    %s\n", text.c_str());
    std::fflush(stdout);
}

std::string Table::json() const
{
    std::string text = "[\n";
    for (const auto& figure : figures_) {
        const auto [least, greatest] =
            std::minmax_element(figure.rounds.begin(), figure.rounds.end());
        char line[512];
        std::snprintf(
            line, sizeof line,
            R"(  {"figure": "%s", "value": %.6g, "goal": %g, "direction": "%s", "rounds": %zu, "min": %.6g, "max": %.6g})",
            figure.name.c_str(), figure.value(), figure.goal, word(figure.direction),
            figure.rounds.size(), *least, *greatest);
        text += line;
        text += &figure == &figures_.back() ? "\n" : ",\n";
    }
    return text + "]\n";
}

void progress(const std::string& text)
{
    if (!is_terminal()) return;
    clear_progress();
    std::fprintf(stderr, "… %s", text.c_str());
}

}  // namespace figures
