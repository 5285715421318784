// figures.h - measured values and their goals, as a table and a file.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace figures {

enum class Direction { at_least, at_most };

// Of a list that is not empty, in any order; `share` is from 0 to 1.
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
    std::string unit;  // printed after the value; empty for a ratio
    std::vector<double> rounds;
    Value kind = Value::median;  // how the value is computed from the rounds
    double value() const { return percentile(rounds, kind == Value::median ? 0.5 : 1); }
    bool is_met() const
    {
        return direction == Direction::at_least ? value() >= goal : value() <= goal;
    }
};

// Prints each line as soon as its value is known.
class Table {
public:
    void add(Figure figure);
    // Prints an explanation of a figure that has no goal of its own.
    static void note(const std::string& text);
    const std::vector<Figure>& figures() const { return figures_; }
    std::string json() const;

private:
    std::vector<Figure> figures_;
};

// On a terminal, prints the progress; the next output overwrites it.
void progress(const std::string& text);

}  // namespace figures
