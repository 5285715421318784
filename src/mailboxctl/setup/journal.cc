#include "mailboxctl/setup/journal.h"

#include <filesystem>
#include <stdexcept>

#include "base/crypto.h"
#include "base/json.h"
#include "base/strings.h"

namespace setup {
namespace {

const Access kSecret{0600, "root", "root"};
const Access kSecretFolder{0700, "root", "root"};

std::string state_path()
{
    return std::string{kJournalFolder} + "/state.json";
}

// --- as JSON --------------------------------------------------------------------------

std::string octal(mode_t mode)
{
    std::string text;
    for (int shift = 9; shift >= 0; shift -= 3)
        text += static_cast<char>('0' + ((mode >> shift) & 7U));
    return text;
}

mode_t mode_of(const std::string& text)
{
    mode_t mode = 0;
    for (const char digit : text) mode = mode * 8 + static_cast<mode_t>(digit - '0');
    return mode;
}

std::string text_of(const json::Node& node, std::string_view name)
{
    for (const auto& member : node.members) {
        if (member.name == name) return member.value.text;
    }
    return {};
}

const json::Node& node_of(const json::Node& node, std::string_view name)
{
    static const json::Node none;
    for (const auto& member : node.members) {
        if (member.name == name) return member.value;
    }
    return none;
}

Access access_of(const json::Node& node)
{
    return {mode_of(text_of(node, "mode")), text_of(node, "owner"), text_of(node, "group")};
}

std::string yes_or_no(bool value)
{
    return value ? "yes" : "no";
}

using Texts = std::map<std::string, std::string>;

json::Written object_of(const Texts& texts)
{
    std::string all = "{";
    for (const auto& [name, value] : texts)
        all += (all.size() > 1 ? "," : "") + json::quoted(name) + ":" + json::quoted(value);
    return {all + "}"};
}

Texts texts_of(const json::Node& node)
{
    Texts texts;
    for (const auto& member : node.members) texts[member.name] = member.value.text;
    return texts;
}

json::Written list_of(const std::set<std::string>& texts)
{
    return json::array(texts, [](const std::string& text) { return json::quoted(text); });
}

std::set<std::string> list_of(const json::Node& node)
{
    std::set<std::string> texts;
    for (const auto& member : node.members) texts.insert(member.value.text);
    return texts;
}

}  // namespace

std::string Journal::as_json() const
{
    const auto files = json::array(files_, [](const auto& each) {
        const auto& [path, file] = each;
        return object_of({{"path", path},
                          {"part", file.part},
                          {"link", file.link},
                          {"sha256", file.sha256},
                          {"has_original", yes_or_no(file.has_original)},
                          {"mode", octal(file.original_access.mode)},
                          {"owner", file.original_access.owner},
                          {"group", file.original_access.group}})
            .json;
    });
    const auto before = json::array(before_, [](const auto& each) {
        const auto& [path, was] = each;
        return object_of({{"path", path},
                          {"existed", yes_or_no(was.existed)},
                          {"link", was.link},
                          {"was_known", yes_or_no(was.was_known)},
                          {"mode", octal(was.access.mode)},
                          {"owner", was.access.owner},
                          {"group", was.access.group}})
            .json;
    });
    return json::object({{"version", std::int64_t{1}},
                         {"options", object_of(options)},
                         {"facts", object_of(facts)},
                         {"packages", list_of(packages)},
                         {"files", files},
                         {"running", yes_or_no(is_running_)},
                         {"before", before},
                         {"waiting", list_of(waiting_)}});
}

void Journal::read(const std::string& text)
{
    const auto document = json::parse(text);
    if (!document)
        throw std::runtime_error(state_path() + " is damaged. If you have no copy of it, move "
                                 + kJournalFolder
                                 + " away: setup then knows nothing of its earlier runs");
    options = texts_of(node_of(*document, "options"));
    facts = texts_of(node_of(*document, "facts"));
    packages = list_of(node_of(*document, "packages"));
    for (const auto& [none, node] : node_of(*document, "files").members)
        files_[text_of(node, "path")] = {text_of(node, "part"), text_of(node, "link"),
                                         text_of(node, "has_original") == "yes", access_of(node),
                                         text_of(node, "sha256")};
    is_running_ = text_of(*document, "running") == "yes";
    for (const auto& [none, node] : node_of(*document, "before").members)
        before_[text_of(node, "path")] = {text_of(node, "existed") == "yes", text_of(node, "link"),
                                          access_of(node), text_of(node, "was_known") == "yes"};
    waiting_ = list_of(node_of(*document, "waiting"));
}

Journal::Journal(const Machine& machine) : machine_{machine}
{
    if (const auto text = machine_.contents(state_path())) read(*text);
}

// --- the copies -----------------------------------------------------------------------

std::string Journal::copy(const std::string& kind, const std::string& path) const
{
    return std::string{kJournalFolder} + "/" + kind + path;
}

const Journal::File* Journal::find(const std::string& path) const
{
    const auto found = files_.find(path);
    return found == files_.end() ? nullptr : &found->second;
}

std::string Journal::original(const std::string& path) const
{
    return machine_.contents(copy("original", path)).value_or("");
}

std::string Journal::written(const std::string& path) const
{
    return machine_.contents(copy("written", path)).value_or("");
}

// --- a run ----------------------------------------------------------------------------

void Journal::begin()
{
    machine_.make_folder(kJournalFolder, kSecretFolder);
    is_running_ = true;
    save();
}

void Journal::save() const
{
    machine_.write(state_path(), as_json(), kSecret);
}

void Journal::will_change(const std::string& path)
{
    if (before_.contains(path)) return;
    const auto link = machine_.link(path);
    const auto current = link.empty() ? machine_.contents(path) : std::nullopt;
    before_[path] = {current.has_value(), link, machine_.access(path).value_or(Access{}),
                     find(path) != nullptr};
    if (current) machine_.write(copy("before", path), *current, kSecret);
    if (find(path) != nullptr) machine_.write(copy("before-written", path), written(path), kSecret);
    save();
}

void Journal::will_write(const std::string& path, const std::string& part, const std::string& text,
                         const std::string& link)
{
    will_change(path);
    if (find(path) == nullptr) {
        const auto current = machine_.link(path).empty() ? machine_.contents(path) : std::nullopt;
        files_[path] = {part, link, current.has_value(), machine_.access(path).value_or(Access{}),
                        ""};
        if (current) machine_.write(copy("original", path), *current, kSecret);
    }
    files_[path].link = link;
    files_[path].sha256 = crypto::hex(crypto::sha256(text));
    machine_.write(copy("written", path), text, kSecret);
    save();
}

void Journal::will_reload(const std::string& unit)
{
    if (waiting_.insert(unit).second) save();
}

void Journal::forget(const std::string& path)
{
    files_.erase(path);
    for (const char* kind : {"original", "written"}) machine_.remove(copy(kind, path));
    save();
}

void Journal::end()
{
    is_running_ = false;
    before_.clear();
    waiting_.clear();
    save();
    std::error_code none;
    for (const char* kind : {"before", "before-written"})
        std::filesystem::remove_all(machine_.real(copy(kind, "")), none);
}

void Journal::put_back(const std::string& path, const Before& before)
{
    if (!before.link.empty()) machine_.make_link(path, before.link);
    else if (before.existed)
        machine_.write(path, machine_.contents(copy("before", path)).value_or(""), before.access);
    else machine_.remove(path);
    if (!before.was_known) {
        files_.erase(path);
        for (const char* kind : {"original", "written"}) machine_.remove(copy(kind, path));
        return;
    }
    const auto text = machine_.contents(copy("before-written", path)).value_or("");
    files_[path].sha256 = crypto::hex(crypto::sha256(text));
    machine_.write(copy("written", path), text, kSecret);
}

std::vector<std::string> Journal::put_back()
{
    std::vector<std::string> paths;
    for (const auto& [path, before] : before_) {
        put_back(path, before);
        paths.push_back(path);
    }
    end();
    return paths;
}

}  // namespace setup
