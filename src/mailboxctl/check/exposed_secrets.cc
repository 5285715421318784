#include "mailboxctl/check/exposed_secrets.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

namespace check {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortest = 8;
constexpr std::int64_t kLargest = 1 << 20;
constexpr std::size_t kMostFiles = 2000;
// Configuration is not nested deeper, and the mail store may be beside it.
constexpr int kDepth = 2;

struct Text {
    bool is_exposed = false;
    std::string text;
};

std::optional<Text> read(const std::string& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kLargest)
        return std::nullopt;
    std::ifstream file{path, std::ios::binary};
    if (!file) return std::nullopt;
    return Text{(status.st_mode & S_IROTH) != 0, {std::istreambuf_iterator<char>{file}, {}}};
}

std::set<std::string> files_in(const std::string& folder)
{
    std::set<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator
             each{folder, fs::directory_options::skip_permission_denied, error},
         end;
         !error && each != end; each.increment(error)) {
        if (each.depth() >= kDepth) each.disable_recursion_pending();
        if (each->is_regular_file(error)) files.insert(each->path());
    }
    return files;
}

// Returns the end of the path that begins with the slash at `begin`: one or more names of letters,
// digits and _.+@-, each after a slash. Returns `begin` if no name follows.
std::size_t end_of_path(std::string_view text, std::size_t begin)
{
    const auto is_of_name = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0
               || std::string_view{"_.+@-"}.find(c) != std::string_view::npos;
    };
    auto end = begin;
    while (end < text.size() && text[end] == '/') {
        const auto name = end + 1;
        auto after = name;
        while (after < text.size() && is_of_name(text[after])) ++after;
        if (after == name) break;
        end = after;
    }
    return end;
}

// Returns the absolute paths in a text, as after `mysql:` in main.cf and `!include` in
// dovecot.conf, if they have at least two names. By hand, because std::regex recurses once for each
// character: a long path in a readable file ended the program.
std::set<std::string> paths_in(std::string_view text)
{
    constexpr std::string_view kBefore = " \t\n\v\f\r:=<\"'{,";
    std::set<std::string> paths;
    for (auto begin = text.find('/'); begin != std::string_view::npos;) {
        const bool can_begin =
            begin == 0 || kBefore.find(text[begin - 1]) != std::string_view::npos;
        const auto end = can_begin ? end_of_path(text, begin) : begin;
        const std::string found{text.substr(begin, end - begin)};
        if (found.rfind('/') != 0 && !found.empty() && !found.starts_with("/dev/")
            && !found.starts_with("/proc/") && !found.starts_with("/sys/"))
            paths.insert(found);
        begin = text.find('/', std::max(end, begin + 1));
    }
    return paths;
}

}  // namespace

std::optional<Exposed> find_exposed(const std::vector<std::string>& folders,
                                    const std::map<std::string, std::string>& secrets)
{
    std::vector<std::string> files;
    std::set<std::string> seen;
    const auto add = [&](const std::set<std::string>& more) {
        for (const auto& file : more) {
            if (seen.size() < kMostFiles && seen.insert(file).second) files.push_back(file);
        }
    };
    for (const auto& folder : folders) {
        if (!folder.empty()) add(files_in(folder));
    }
    const auto in_folders = files.size();
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto file = files[i];
        const auto found = read(file);
        if (!found) continue;
        if (i < in_folders) add(paths_in(found->text));
        if (!found->is_exposed) continue;
        for (const auto& [name, secret] : secrets) {
            if (secret.size() >= kShortest && found->text.find(secret) != std::string::npos)
                return Exposed{file, name};
        }
    }
    return std::nullopt;
}

}  // namespace check
