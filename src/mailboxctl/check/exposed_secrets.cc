#include "mailboxctl/check/exposed_secrets.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

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

// Returns the absolute paths in a text, as after `mysql:` in main.cf and `!include` in
// dovecot.conf.
std::set<std::string> paths_in(const std::string& text)
{
    static const std::regex path{R"((?:^|[\s:=<"'{,])(/[\w.+@-]+(?:/[\w.+@-]+)+))"};
    std::set<std::string> paths;
    for (std::sregex_iterator each{text.begin(), text.end(), path}, end; each != end; ++each) {
        const std::string found = (*each)[1];
        if (!found.starts_with("/dev/") && !found.starts_with("/proc/")
            && !found.starts_with("/sys/"))
            paths.insert(found);
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
