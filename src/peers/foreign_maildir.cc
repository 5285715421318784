#include "peers/foreign_maildir.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "peers/disk.h"

namespace foreign {
namespace {

constexpr std::size_t kDeepest = 30;  // folders within folders
constexpr std::string_view kInfo = ":2,";

bool is_part(std::string_view name)
{
    return name == "cur" || name == "new" || name == "tmp";
}

const char* kind_of(mode_t mode)
{
    if (S_ISLNK(mode)) return "is a symbolic link";
    if (S_ISDIR(mode)) return "is a folder";
    return "is a device, a socket or a pipe";
}

bool is_folder(int parent, const std::string& name, const std::string& path)
{
    const auto found = disk::status(parent, name, path);
    return found && S_ISDIR(found->st_mode);
}

bool has_messages_below(int parent, const std::string& path, std::size_t depth)
{
    if (is_folder(parent, "cur", path)) return true;
    if (depth > kDeepest) return false;
    for (const auto& name : disk::entries(parent, path)) {
        if (name.starts_with('.') || !is_folder(parent, name, path)) continue;
        const auto folder = disk::open_folder(parent, name, path + "/" + name);
        if (folder && has_messages_below(folder->number(), path + "/" + name, depth + 1))
            return true;
    }
    return false;
}

}  // namespace

std::optional<Layout> layout_of(std::string_view text)
{
    if (text == "auto") return Layout::found;
    if (text == "maildir++") return Layout::maildirpp;
    if (text == "fs") return Layout::fs;
    return std::nullopt;
}

// --- keywords and subscriptions ---------------------------------------------------------

Keywords keywords_of(std::string_view text)
{
    constexpr std::uint64_t kLast = 25;  // further ones have no letter, and are in Dovecot's index
    Keywords keywords;
    for (const auto& line : strings::words(text, "\n")) {
        const auto blank = line.find(' ');
        const auto number = strings::whole_number(std::string_view{line}.substr(0, blank), kLast);
        if (number && blank != std::string::npos)
            keywords[static_cast<char>('a' + static_cast<char>(*number))] = line.substr(blank + 1);
    }
    return keywords;
}

std::string text_of(const Keywords& keywords)
{
    std::string text;
    for (const auto& [letter, name] : keywords)
        text += std::to_string(letter - 'a') + " " + name + "\n";
    return text;
}

namespace {

constexpr std::string_view kSubscriptions2 = "V\t2\n\n";

// Undoes Dovecot's escapes of a line of version 2.
std::string without_escapes(std::string_view text)
{
    constexpr char kEscape = '\1';
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != kEscape || i + 1 == text.size()) {
            plain += text[i];
            continue;
        }
        switch (text[++i]) {
        case '1': plain += kEscape; break;
        case 't': plain += '\t'; break;
        case 'n': plain += '\n'; break;
        case 'r': plain += '\r'; break;
        default: plain += text[i];
        }
    }
    return plain;
}

}  // namespace

std::vector<folder_names::Name> subscriptions_of(std::string_view text, char separator)
{
    const bool is_2 = text.starts_with(kSubscriptions2);
    if (is_2) text.remove_prefix(kSubscriptions2.size());
    std::vector<folder_names::Name> names;
    for (const auto& line : strings::words(text, "\r\n")) {
        auto levels = folder_names::split(line, is_2 ? '\t' : separator);
        if (is_2) std::transform(levels.begin(), levels.end(), levels.begin(), without_escapes);
        if (auto name = folder_names::of_levels(levels)) names.push_back(std::move(*name));
    }
    return names;
}

std::string text_of(const std::vector<folder_names::Name>& subscriptions)
{
    std::string text{kSubscriptions2};
    for (const auto& name : subscriptions) {
        text += name.empty() ? "INBOX" : strings::joined(folder_names::stored(name), "\t");
        text += '\n';
    }
    return text;
}

// --- one folder -----------------------------------------------------------------------

Folder::Folder(folder_names::Name name, Descriptor folder, std::string path)
    : name_{std::move(name)}, folder_{std::move(folder)}, path_{std::move(path)}
{
}

std::optional<Descriptor> Folder::part(bool is_new) const
{
    const std::string name = is_new ? "new" : "cur";
    return disk::open_folder(number(), name, path_ + "/" + name);
}

void Folder::add(std::map<std::string, Message>& found, bool is_new, std::vector<Left>* left) const
{
    const auto folder = part(is_new);
    if (!folder) return;
    const auto path = path_ + (is_new ? "/new" : "/cur");
    for (const auto& name : disk::entries(folder->number(), path)) {
        if (name.starts_with('.')) continue;
        const auto status = disk::status(folder->number(), name, path + "/" + name);
        if (!status) continue;  // renamed meanwhile; the caller reads again
        if (!S_ISREG(status->st_mode)) {
            if (left != nullptr) left->push_back({path + "/" + name, kind_of(status->st_mode)});
            continue;
        }
        const auto info = name.find(kInfo);
        const auto base = uidlist::base_of(name);
        if (base.empty()) continue;
        const auto flags =
            info == std::string::npos ? std::string{} : name.substr(info + kInfo.size());
        found.emplace(base, Message{name, base, flags.substr(0, flags.find(',')), is_new});
    }
}

// Another server may move a message from new to cur, or change its flags, while a folder is read.
// `new` is read first, so that such a message is found at least once. A change of flags could hide
// a message from one reading, so cur is read until two readings agree.
std::map<std::string, Message> Folder::messages(std::vector<Left>* left) const
{
    constexpr int kTries = 10;
    std::map<std::string, Message> fresh, found;
    add(fresh, true, left);
    for (int i = 0; i < kTries; ++i) {
        std::map<std::string, Message> again;
        const auto cur = part(false);
        const auto path = path_ + "/cur";
        const auto before = cur ? disk::status(cur->number(), path).st_mtim : timespec{};
        std::vector<Left> its_left;
        add(again, false, left == nullptr ? nullptr : &its_left);
        const auto after = cur ? disk::status(cur->number(), path).st_mtim : timespec{};
        const bool is_quiet = before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec;
        for (auto& [base, message] : again) found.insert_or_assign(base, std::move(message));
        if (!is_quiet && i + 1 < kTries) continue;
        if (left != nullptr) left->insert(left->end(), its_left.begin(), its_left.end());
        break;
    }
    found.merge(fresh);
    return found;
}

std::optional<std::string> Folder::contents(const std::string& file) const
{
    return disk::contents(number(), file, path_ + "/" + file);
}

std::optional<uidlist::List> Folder::uids() const
{
    if (const auto text = contents("dovecot-uidlist")) {
        if (auto list = uidlist::parse(*text)) return list;
    }
    const auto text = contents("courierimapuiddb");
    return text ? uidlist::parse_courier(*text) : std::nullopt;
}

std::map<std::string, std::string> Folder::courier_uidls() const
{
    const auto text = contents("courierpop3dsizelist");
    return text ? uidlist::courier_uidls(*text) : std::map<std::string, std::string>{};
}

Keywords Folder::keywords() const
{
    const auto text = contents("dovecot-keywords");
    return text ? keywords_of(*text) : Keywords{};
}

// --- a Maildir ------------------------------------------------------------------------

namespace {

struct Root {
    Descriptor folder;
    std::string path;
};

[[noreturn]] void refuse_format(const std::string& path, const std::string& format)
{
    throw std::runtime_error(path + " is not a Maildir but " + format
                             + "; mailboxctl pull takes such mail over by IMAP");
}

void expect_maildir(int folder, const std::string& path)
{
    if (is_folder(folder, "dbox-Mails", path)) refuse_format(path, "Dovecot's dbox");
    if (is_folder(folder, "storage", path) && is_folder(folder, "mailboxes", path))
        refuse_format(path, "Dovecot's mdbox");
    if (is_folder(folder, "mailboxes", path) && !is_folder(folder, "cur", path))
        refuse_format(path, "Dovecot's sdbox or mdbox");
}

Root root_of(const std::string& given)
{
    auto path = given;
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    Root root{disk::open_path(path), path};
    const int number = root.folder.number();
    std::vector<std::string> inner;
    for (const std::string name : {"Maildir", "mail", "mdbox", "sdbox"}) {
        const auto its_path = path + "/" + name;
        if (!is_folder(number, name, its_path)) continue;
        const auto folder = disk::open_folder(number, name, its_path);
        if (!folder) continue;
        if (name.ends_with("dbox")) expect_maildir(folder->number(), its_path);
        if (is_folder(folder->number(), "cur", its_path)) inner.push_back(name);
    }
    const bool is_maildir = is_folder(number, "cur", path);
    if (is_maildir && !inner.empty() && inner[0] == "Maildir")
        throw std::runtime_error(path + " and " + path
                                 + "/Maildir both have mail; give the one that the old server used"
                                   " (with --layout fs, the first)");
    if (!is_maildir && inner.size() == 1) {
        root.path = path + "/" + inner[0];
        root.folder = *disk::open_folder(number, inner[0], root.path);
    }
    expect_maildir(root.folder.number(), root.path);
    if (!is_folder(root.folder.number(), "cur", root.path)
        && !is_folder(root.folder.number(), "new", root.path))
        throw std::runtime_error(root.path + " is not a Maildir: it has no folder cur");
    return root;
}

}  // namespace

Maildir::Maildir(const std::string& path, Layout layout) : layout_{layout}
{
    auto root = layout == Layout::fs ? Root{disk::open_path(path), path} : root_of(path);
    path_ = root.path;
    folders_.emplace_back(folder_names::Name{}, std::move(root.folder), path_);
    read_folders();
}

Maildir::Maildir(Descriptor folder, std::string path)
    : path_{std::move(path)}, layout_{Layout::maildirpp}
{
    folders_.emplace_back(folder_names::Name{}, std::move(folder), path_);
    read_folders();
}

void Maildir::read_folders()
{
    if (layout_ == Layout::found) {
        bool has_dots = false, has_others = false;
        for (const auto& name : disk::entries(number(), path_)) {
            if (is_part(name) || !is_folder(number(), name, path_ + "/" + name)) continue;
            const auto folder = disk::open_folder(number(), name, path_ + "/" + name);
            if (!folder) continue;
            if (name.starts_with('.'))
                has_dots = has_dots || is_folder(folder->number(), "cur", path_ + "/" + name);
            else
                has_others =
                    has_others || has_messages_below(folder->number(), path_ + "/" + name, 1);
        }
        if (has_dots && has_others)
            throw std::runtime_error(
                path_
                + " has folders in both layouts; say with --layout which the old server used");
        layout_ = has_others ? Layout::fs : Layout::maildirpp;
    }
    std::vector<std::string> levels;
    if (layout_ == Layout::fs) read_fs(number(), path_, levels);
    else read_maildirpp();
}

std::optional<Descriptor> Maildir::folder_at(int parent, const std::string& name,
                                             const std::string& path)
{
    const auto status = disk::status(parent, name, path);
    if (!status) return std::nullopt;
    if (S_ISLNK(status->st_mode)) left_.push_back({path, kind_of(status->st_mode)});
    if (name.ends_with(".sieve") || name == "sieve")
        left_.push_back({path, "is a Sieve script; mailboxd has no filters"});
    if (!S_ISDIR(status->st_mode)) return std::nullopt;
    return disk::open_folder(parent, name, path);
}

void Maildir::add(const std::optional<folder_names::Name>& name, Descriptor folder,
                  const std::string& path)
{
    if (!name) {
        left_.push_back({path, "has a name that no folder can have in IMAP"});
        return;
    }
    folders_.emplace_back(*name, std::move(folder), path);
}

void Maildir::read_maildirpp()
{
    auto names = disk::entries(number(), path_);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
        const auto path = path_ + "/" + name;
        if (is_part(name)) continue;
        auto folder = folder_at(number(), name, path);
        if (!folder || !name.starts_with('.')) continue;
        if (!is_folder(folder->number(), "cur", path)) {
            if (!disk::entries(folder->number(), path).empty())
                left_.push_back({path, "is not a Maildir folder: it has no folder cur"});
            continue;
        }
        add(folder_names::of_maildirpp(name), std::move(*folder), path);
    }
}

void Maildir::read_fs(int parent, const std::string& path, std::vector<std::string>& levels)
{
    if (levels.size() > kDeepest)
        throw std::runtime_error(path + " has more than 30 folders within folders");
    auto names = disk::entries(parent, path);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
        const auto its_path = path + "/" + name;
        if (is_part(name)) continue;
        auto folder = folder_at(parent, name, its_path);
        if (!folder || name.starts_with(".dovecot") || name == "sieve") continue;
        levels.push_back(name);
        read_fs(folder->number(), its_path, levels);
        if (is_folder(folder->number(), "cur", its_path))
            add(folder_names::of_levels(levels), std::move(*folder), its_path);
        levels.pop_back();
    }
}

// Courier, and a Dovecot with the namespace "INBOX.", may list ".Sent" as INBOX.Sent.
std::vector<folder_names::Name> Maildir::subscriptions() const
{
    std::vector<folder_names::Name> all;
    const auto& inbox = folders_.front();
    if (const auto text = inbox.contents("subscriptions"))
        all = subscriptions_of(*text, layout_ == Layout::fs ? '/' : '.');
    if (const auto text = inbox.contents("courierimapsubscribed")) {
        const auto more = subscriptions_of(*text, '.');
        all.insert(all.end(), more.begin(), more.end());
    }
    std::set<folder_names::Name> existing;
    for (const auto& folder : folders_) existing.insert(folder.name());
    for (auto& name : all) {
        if (name.size() < 2 || !strings::equals_ignoring_case(name[0], "INBOX")) continue;
        folder_names::Name rest{name.begin() + 1, name.end()};
        if (!existing.contains(name) && existing.contains(rest)) name = std::move(rest);
    }
    return all;
}

// --- messages -------------------------------------------------------------------------

namespace {

// Takes the value of the first Message-ID from the lines of a header.
class Header {
public:
    // Returns false after the header's end.
    bool take(std::string_view line)
    {
        constexpr std::string_view kName = "message-id:";
        if (line.empty()) return false;
        const bool is_continued = line[0] == ' ' || line[0] == '\t';
        if (is_continued && is_inside_) value_ += line;
        if (is_continued) return true;
        is_inside_ =
            value_.empty() && strings::equals_ignoring_case(line.substr(0, kName.size()), kName);
        if (is_inside_) value_ = line.substr(kName.size());
        return true;
    }
    std::string value() const { return strings::joined(strings::words(value_), " "); }

private:
    bool is_inside_ = false;
    std::string value_;
};

}  // namespace

std::optional<Envelope> envelope(const Folder& folder, const Message& message)
{
    const auto path = folder.path() + (message.is_new ? "/new/" : "/cur/") + message.file;
    const auto part = folder.part(message.is_new);
    const auto file = part ? disk::open_file(part->number(), message.file, path) : std::nullopt;
    if (!file) return std::nullopt;
    Envelope found;
    Header header;
    bool is_header = true;
    char before = 0;
    std::string line;
    disk::read(file->number(), path, [&](std::string_view piece) {
        found.bytes += static_cast<std::int64_t>(piece.size());
        for (const char c : piece) {
            if (c == '\n') {
                if (before != '\r') ++found.bytes;
                else if (is_header) line.pop_back();
                is_header = is_header && header.take(line);
                line.clear();
            } else if (is_header) {
                line += c;
            }
            before = c;
        }
        return true;
    });
    found.id = header.value();
    return found;
}

std::string unreadable(std::string_view beginning)
{
    using namespace std::string_view_literals;
    constexpr std::array<std::pair<std::string_view, const char*>, 7> kMarks{
        {{"\x1f\x8b"sv, "compressed (gzip)"},
         {"BZh"sv, "compressed (bzip2)"},
         {"\xfd\x37zXZ\0"sv, "compressed (xz)"},
         {"\x28\xb5\x2f\xfd"sv, "compressed (zstd)"},
         {"\x04\x22\x4d\x18"sv, "compressed (lz4)"},
         {"Dovecot-LZ4"sv, "compressed (lz4)"},
         {"CRYPTED\x03\x07"sv, "encrypted (mail_crypt)"}}};
    for (const auto& [mark, reason] : kMarks) {
        if (beginning.starts_with(mark)) return reason;
    }
    return {};
}

}  // namespace foreign
