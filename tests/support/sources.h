// sources.h - the project's own files, for tests that read them. TEST_SOURCE_DIR says where they
// are; else here.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace sources {

inline std::filesystem::path directory()
{
    const char* const given = std::getenv("TEST_SOURCE_DIR");
    return given == nullptr ? "." : given;
}

inline std::string contents(const std::filesystem::path& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>{file}, {}};
}

// The operator's guide in one text: docs/guide.md, then the pages of its table of contents, in that
// order. scripts/lib/guide.sh reads it in the same way.
inline std::string guide()
{
    const auto docs = directory() / "docs";
    const auto first = contents(docs / "guide.md");
    const std::regex entry{R"(^[0-9]+\. \[[^\]]*\]\(([a-z-]+\.md)\))", std::regex::multiline};
    auto text = first;
    for (std::sregex_iterator match{first.begin(), first.end(), entry}, end; match != end; ++match)
        text += "\n" + contents(docs / match->str(1));
    return text;
}

// All files below a folder of the project that have this extension, such as ".cc", in a fixed
// order.
inline std::vector<std::filesystem::path> files(const std::filesystem::path& folder,
                                                const std::string& extension)
{
    std::vector<std::filesystem::path> found;
    for (const auto& file : std::filesystem::recursive_directory_iterator{directory() / folder}) {
        if (file.path().extension() == extension) found.push_back(file.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

// Code without its line ends: blanks are single, none follows an opening bracket, and adjacent
// literals are one. So a test that looks for a call does not depend on where the formatter breaks
// it.
inline std::string on_one_line(const std::string& code)
{
    std::string line;
    for (const char c : code) {
        const bool is_blank = c == ' ' || c == '\n' || c == '\t';
        if (is_blank
            && (line.empty() || line.back() == ' ' || line.back() == '(' || line.back() == '{'))
            continue;
        line += is_blank ? ' ' : c;
        if (line.ends_with("\" \"") && !line.ends_with("\\\" \"")) line.erase(line.size() - 3);
    }
    return line;
}

// The contents of all C++ files below a folder, one after the other.
inline std::string code(const std::filesystem::path& folder)
{
    std::string text;
    for (const auto* extension : {".h", ".cc"}) {
        for (const auto& file : files(folder, extension)) text += contents(file);
    }
    return text;
}

}  // namespace sources
