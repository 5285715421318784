#include "base/json.h"

#include <cjson/cJSON.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/strings.h"

namespace json {
namespace {

struct Delete {
    void operator()(cJSON* value) const { cJSON_Delete(value); }
};
using Tree = std::unique_ptr<cJSON, Delete>;

Tree new_object()
{
    Tree value{cJSON_CreateObject()};
    if (!value) throw std::bad_alloc{};
    return value;
}

// Names are literals, so they need not be copied.
void add(cJSON* object, const char* name, std::string_view text)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateString(std::string{text}.c_str()));
}

void add_flag(cJSON* object, const char* name, bool is_so)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateBool(is_so ? 1 : 0));
}

// Adds raw text, because cJSON's numbers are doubles: from 1e15 on it prints them as 9.007e+15.
void add(cJSON* object, const char* name, std::int64_t number)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateRaw(std::to_string(number).c_str()));
}

void add_written(cJSON* object, const char* name, const Written& value)
{
    cJSON_AddItemToObjectCS(object, name, cJSON_CreateRaw(value.json.c_str()));
}

std::string printed(const cJSON* value)
{
    const std::unique_ptr<char, decltype(&std::free)> text{cJSON_PrintUnformatted(value),
                                                           &std::free};
    if (!text) throw std::bad_alloc{};
    return text.get();
}

}  // namespace

Written value_of(const Members& members)
{
    const auto value = new_object();
    for (const auto& [name, member] : members) {
        if (const auto* number = std::get_if<std::int64_t>(&member))
            add(value.get(), name, *number);
        else if (const auto* text = std::get_if<std::string>(&member))
            add(value.get(), name, *text);
        else if (const auto* flag = std::get_if<bool>(&member)) add_flag(value.get(), name, *flag);
        else if (const auto* written = std::get_if<Written>(&member))
            add_written(value.get(), name, *written);
        else cJSON_AddItemToObjectCS(value.get(), name, cJSON_CreateNull());
    }
    return {printed(value.get())};
}

std::string object(const Members& members)
{
    return value_of(members).json + '\n';
}

std::string quoted(std::string_view text)
{
    const Tree value{cJSON_CreateString(std::string{text}.c_str())};
    return printed(value.get());
}

namespace {

// Accepts RFC 8259's grammar only: cJSON also accepts 01, 1., control characters in
// strings and any byte below space between tokens, and cuts a string at \u0000.
class Grammar {
public:
    explicit Grammar(std::string_view text) : rest_{text} {}

    bool accepts()
    {
        skip_space();
        if (!value(0)) return false;
        skip_space();
        return rest_.empty();
    }

private:
    static constexpr int kMaxDepth = 32;

    bool take(char c)
    {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view word)
    {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    void skip_space()
    {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    }
    bool digits()
    {
        const auto count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        rest_.remove_prefix(count);
        return count > 0;
    }
    bool number()
    {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (!take('e') && !take('E')) return true;
        if (!take('+')) take('-');
        return digits();
    }
    bool escape()
    {
        if (rest_.empty()) return false;
        const char kind = rest_.front();
        rest_.remove_prefix(1);
        if (kind != 'u') return std::string_view{"\"\\/bfnrt"}.find(kind) != std::string_view::npos;
        const auto hex = rest_.substr(0, 4);
        if (hex.size() < 4
            || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
            return false;
        rest_.remove_prefix(4);
        return hex != "0000";
    }
    bool string()
    {
        if (!take('"')) return false;
        while (!take('"')) {
            if (rest_.empty() || static_cast<unsigned char>(rest_.front()) < ' ') return false;
            const bool is_escape = rest_.front() == '\\';
            rest_.remove_prefix(1);
            if (is_escape && !escape()) return false;
        }
        return true;
    }
    // Reads what stands between brackets, separated by commas. `item` reads one element.
    template <typename Item>
    bool items(char close, Item item)
    {
        skip_space();
        if (take(close)) return true;
        do {
            skip_space();
            if (!item()) return false;
            skip_space();
        } while (take(','));
        return take(close);
    }
    bool member(int depth)
    {
        if (!string()) return false;
        skip_space();
        if (!take(':')) return false;
        skip_space();
        return value(depth);
    }
    bool value(int depth)
    {
        if (depth > kMaxDepth || rest_.empty()) return false;
        switch (rest_.front()) {
        case '{': take('{'); return items('}', [&] { return member(depth + 1); });
        case '[': take('['); return items(']', [&] { return value(depth + 1); });
        case '"': return string();
        case 't': return take("true");
        case 'f': return take("false");
        case 'n': return take("null");
        default: return number();
        }
    }

    std::string_view rest_;
};

Node node(const cJSON* value)
{
    Node read;
    if (cJSON_IsString(value)) read.text = value->valuestring;
    if (cJSON_IsNumber(value))
        read.text = std::to_string(static_cast<std::int64_t>(value->valuedouble));
    for (const cJSON* member = value->child; member != nullptr; member = member->next) {
        read.members.push_back({member->string == nullptr ? "" : member->string, node(member)});
    }
    return read;
}

}  // namespace

struct Document::Tree_ {
    Tree tree;
};

Document::Document(std::unique_ptr<Tree_> tree) : tree_{std::move(tree)} {}
Document::Document(Document&&) noexcept = default;
Document::~Document() = default;

std::optional<Document> Document::parse(std::string_view text)
{
    if (!Grammar{text}.accepts()) return std::nullopt;
    Tree tree{cJSON_ParseWithLength(text.data(), text.size())};
    if (!tree) return std::nullopt;
    return Document{std::make_unique<Tree_>(Tree_{std::move(tree)})};
}

bool Document::is_array() const
{
    return cJSON_IsArray(tree_->tree.get()) != 0;
}

namespace {

// Returns the digits of a whole number that a double holds exactly, and otherwise a text that no
// reader takes for a whole number.
std::string text_of_number(double number)
{
    constexpr double kExact = 9'007'199'254'740'992;  // 2^53
    const bool is_whole = number >= -kExact && number <= kExact && number == std::floor(number);
    return is_whole ? std::to_string(static_cast<std::int64_t>(number)) : std::to_string(number);
}

// Returns the texts of an array; none if it has an element of another kind.
std::vector<std::string_view> texts_of(const cJSON* array)
{
    std::vector<std::string_view> texts;
    for (const cJSON* element = array->child; element != nullptr; element = element->next) {
        if (cJSON_IsString(element) == 0) return {};
        texts.emplace_back(element->valuestring);
    }
    return texts;
}

}  // namespace

std::vector<Document::Object> Document::objects() const
{
    const auto members = [](const cJSON* value) {
        Object object{.is_object = cJSON_IsObject(value) != 0, .members = {}};
        if (!object.is_object) return object;
        for (const cJSON* member = value->child; member != nullptr; member = member->next) {
            Object::Member found{
                .name = member->string, .text = {}, .scalar = {}, .is_list = false, .list = {}};
            if (cJSON_IsString(member) != 0) found.text = member->valuestring;
            else if (cJSON_IsBool(member) != 0)
                found.scalar = cJSON_IsTrue(member) != 0 ? "true" : "false";
            else if (cJSON_IsNumber(member) != 0)
                found.scalar = text_of_number(member->valuedouble);
            else if (cJSON_IsNull(member) == 0) found.is_list = true;
            if (cJSON_IsArray(member) != 0) found.list = texts_of(member);
            object.members.push_back(std::move(found));
        }
        return object;
    };
    const cJSON* const root = tree_->tree.get();
    if (!is_array()) return {members(root)};
    std::vector<Object> objects;
    for (const cJSON* entry = root->child; entry != nullptr; entry = entry->next)
        objects.push_back(members(entry));
    return objects;
}

std::optional<Node> parse(std::string_view text)
{
    if (!strings::is_utf8(text) || !Grammar{text}.accepts()) return std::nullopt;
    const Tree value{cJSON_ParseWithLength(text.data(), text.size())};
    if (!value) return std::nullopt;
    return node(value.get());
}

}  // namespace json
