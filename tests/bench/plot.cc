#include "bench/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace plot {
namespace {

constexpr double kWidth = 760, kHeight = 440;
constexpr double kLeft = 76, kRight = 24, kTop = 84, kBottom = 60;
constexpr double kInnerWidth = kWidth - kLeft - kRight, kInnerHeight = kHeight - kTop - kBottom;
// Colours that everyone can distinguish, on paper too (Okabe and Ito).
constexpr std::array kColours{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"};

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string escaped(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        if (c == '&') out += "&amp;";
        else if (c == '<') out += "&lt;";
        else out += c;
    }
    return out;
}

class Drawing {
public:
    explicit Drawing(const std::string& title)
    {
        text_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(kWidth)
                + "\" height=\"" + number(kHeight) + "\" viewBox=\"0 0 " + number(kWidth) + " "
                + number(kHeight)
                + "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
                + "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
        write(kLeft, 30, title, "font-size=\"16\" font-weight=\"bold\"");
    }
    void write(double x, double y, const std::string& text, const std::string& attributes = "")
    {
        text_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + attributes + ">"
                 + escaped(text) + "</text>\n";
    }
    void line(double x1, double y1, double x2, double y2, const char* colour)
    {
        text_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2)
                 + "\" y2=\"" + number(y2) + "\" stroke=\"" + colour + "\"/>\n";
    }
    void box(double x, double y, double width, double height, const char* colour)
    {
        text_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width)
                 + "\" height=\"" + number(height) + "\" fill=\"" + colour + "\"/>\n";
    }
    void polyline(const std::vector<std::pair<double, double>>& points, const char* colour)
    {
        text_ += std::string{"<polyline fill=\"none\" stroke-width=\"2\" stroke=\""} + colour
                 + "\" points=\"";
        for (const auto& [x, y] : points) text_ += number(x) + "," + number(y) + " ";
        text_ += "\"/>\n";
    }
    void dot(double x, double y, const char* colour)
    {
        text_ += "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"3\" fill=\""
                 + colour + "\"/>\n";
    }
    void legend(const std::vector<std::string>& names)
    {
        double x = kLeft;
        for (std::size_t i = 0; i < names.size(); ++i) {
            box(x, 45, 12, 12, kColours.at(i % kColours.size()));
            write(x + 17, 55.5, names[i]);
            x += 36 + 6.6 * static_cast<double>(names[i].size());
        }
    }
    void vertical_axis(const std::string& title, double top)
    {
        const double step = step_for(top);
        for (int i = 0; i <= std::lround(top / step); ++i) {
            const double value = i * step;
            const double y = kTop + kInnerHeight * (1 - value / top);
            line(kLeft, y, kWidth - kRight, y, value == 0 ? "#222" : "#ddd");
            write(kLeft - 8, y + 4, number(value), "text-anchor=\"end\"");
        }
        write(0, 0, title,
              "text-anchor=\"middle\" transform=\"translate(18," + number(kTop + kInnerHeight / 2)
                  + ") rotate(-90)\"");
    }
    void horizontal_title(const std::string& title)
    {
        write(kLeft + kInnerWidth / 2, kHeight - 14, title, "text-anchor=\"middle\"");
    }
    std::string done() const { return text_ + "</svg>\n"; }

    // Returns the next larger round number.
    static double top_for(double greatest)
    {
        const double step = step_for(greatest);
        return std::ceil(greatest / step) * step;
    }

private:
    static double step_for(double top)
    {
        const double rough = top / 5;
        const double power = std::pow(10, std::floor(std::log10(rough)));
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (rough <= factor * power) return factor * power;
        }
        return 10 * power;
    }
    std::string text_;
};

}  // namespace

std::string lines(const std::string& title, const Axis& horizontal, const Axis& vertical,
                  const std::vector<Series>& series)
{
    const auto place = [&](double x) {
        return horizontal.scale == Scale::logarithmic ? std::log10(x) : x;
    };
    double least = HUGE_VAL, greatest = -HUGE_VAL, top = 0;
    std::vector<std::string> names;
    for (const auto& [name, points] : series) {
        names.push_back(name);
        for (const auto& [x, y] : points) {
            least = std::min(least, place(x));
            greatest = std::max(greatest, place(x));
            top = std::max(top, y);
        }
    }
    top = Drawing::top_for(top);
    const auto across = [&](double x) {
        return kLeft + kInnerWidth * (place(x) - least) / (greatest - least);
    };
    Drawing drawing{title};
    drawing.legend(names);
    drawing.vertical_axis(vertical.title, top);
    for (const auto& [x, text] : horizontal.marks) {
        drawing.line(across(x), kTop + kInnerHeight, across(x), kTop + kInnerHeight + 5, "#222");
        drawing.write(across(x), kTop + kInnerHeight + 19, text, "text-anchor=\"middle\"");
    }
    drawing.horizontal_title(horizontal.title);
    for (std::size_t i = 0; i < series.size(); ++i) {
        const char* const colour = kColours.at(i % kColours.size());
        std::vector<std::pair<double, double>> points;
        for (const auto& [x, y] : series[i].points)
            points.emplace_back(across(x), kTop + kInnerHeight * (1 - y / top));
        drawing.polyline(points, colour);
        if (points.size() > 20) continue;
        for (const auto& [x, y] : points) drawing.dot(x, y, colour);
    }
    return drawing.done();
}

std::string bars(const std::string& title, const std::string& vertical,
                 const std::vector<std::string>& legends, const std::vector<Group>& groups)
{
    double top = 0;
    for (const auto& group : groups) {
        for (const auto& bar : group.bars) top = std::max(top, bar.height);
    }
    top = Drawing::top_for(top);
    Drawing drawing{title};
    drawing.legend(legends);
    drawing.vertical_axis(vertical, top);
    const double room = kInnerWidth / static_cast<double>(groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const double begin = kLeft + room * (static_cast<double>(g) + 0.1);
        const double width = room * 0.8 / static_cast<double>(groups[g].bars.size());
        for (std::size_t i = 0; i < groups[g].bars.size(); ++i) {
            const auto& [height, label] = groups[g].bars[i];
            const double x = begin + width * static_cast<double>(i);
            const double y = kTop + kInnerHeight * (1 - height / top);
            drawing.box(x + 2, y, width - 4, kTop + kInnerHeight - y,
                        kColours.at(i % kColours.size()));
            drawing.write(x + width / 2, y - 5, label, "text-anchor=\"middle\" font-size=\"10\"");
        }
        drawing.write(kLeft + room * (static_cast<double>(g) + 0.5), kTop + kInnerHeight + 19,
                      groups[g].name, "text-anchor=\"middle\"");
    }
    return drawing.done();
}

}  // namespace plot
