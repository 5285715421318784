// figures.h - what was measured against what was wanted: one table, one file.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace figures {

enum class Direction { at_least, at_most };

// Of a sorted or unsorted list that is not empty; `share` from 0 to 1.
double percentile(std::vector<double> values, double share);
inline double median(std::vector<double> values)
{
    return percentile(std::move(values), 0.5);
}

enum class Value { median, greatest };

struct Figure {
    std::string name;
    double goal;
    Direction direction;
    std::string unit;  // for people; empty for a ratio
    std::vector<double> rounds;
    Value kind = Value::median;  // what of the rounds is its value
    double value() const { return percentile(rounds, kind == Value::median ? 0.5 : 1); }
    bool is_met() const
    {
        return direction == Direction::at_least ? value() >= goal : value() <= goal;
    }
};

// Prints each line as soon as it is known.
class Table {
public:
    void add(Figure figure);
    // What helps to understand a figure and has no goal of its own.
    static void note(const std::string& text);
    const std::vector<Figure>& figures() const { return figures_; }
    std::string json() const;

private:
    std::vector<Figure> figures_;
};

// On a terminal, how far it is; overwritten by what comes next.
void progress(const std::string& text);

}  // namespace figures
