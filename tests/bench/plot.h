// plot.h - writes plots as SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace plot {

struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;
};

// Values on the horizontal axis are placed at equal distances, whatever they are: its marks are the
// points themselves.
enum class Scale { linear, logarithmic };

struct Axis {
    std::string title;
    Scale scale = Scale::linear;
    std::vector<std::pair<double, std::string>> marks = {};  // empty: chosen automatically
};

std::string lines(const std::string& title, const Axis& horizontal, const Axis& vertical,
                  const std::vector<Series>& series);

// A group of bars. Each bar has its own label above it.
struct Bar {
    double height;
    std::string label;
};
struct Group {
    std::string name;
    std::vector<Bar> bars;  // one for each legend
};
std::string bars(const std::string& title, const std::string& vertical,
                 const std::vector<std::string>& legends, const std::vector<Group>& groups);

}  // namespace plot
