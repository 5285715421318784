// json.h - strict reading, careful writing; the only file that includes <cJSON.h>.
//
// Everything written is compact, ends with one line end, and has its members in the order that the
// clients know.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace json {

// A value that is JSON already, without a line end.
struct Written {
    std::string json;
};
// The value of a member. std::monostate is written as null.
using Value = std::variant<std::monostate, std::int64_t, std::string, bool, Written>;
// The members of an object. Their names must outlive it; they are literals.
using Members = std::vector<std::pair<const char*, Value>>;
// Returns the object as a value for another object.
Written value_of(const Members& members);
// Returns the object as a whole answer, with a line end.
std::string object(const Members& members);
// Returns the text as a JSON string, without a line end.
std::string quoted(std::string_view text);
// Returns an array. `write` makes the JSON of an element.
template <typename Elements, typename Write>
Written array(const Elements& elements, Write write)
{
    std::string all = "[";
    for (const auto& element : elements) {
        if (all.size() > 1) all += ',';
        all += write(element);
    }
    return {all + "]"};
}

// A value that was read. An object or an array has members, and those of an array have no names. A
// string or a number has its text.
struct Member;
struct Node {
    std::string text;
    std::vector<Member> members;
};
struct Member {
    std::string name;
    Node value;
};
// Empty if the text is not JSON.
std::optional<Node> parse(std::string_view text);

// A parsed text. Its members are returned in their order, repeated ones as often as they were sent.
class Document {
public:
    // Empty if the text is not JSON by RFC 8259. The caller checks that it is valid UTF-8.
    static std::optional<Document> parse(std::string_view text);
    Document(Document&&) noexcept;
    ~Document();

    bool is_array() const;
    // Returns the elements if the document is an array, otherwise the document itself as the only
    // element. The texts live as long as the document.
    struct Object {
        bool is_object = false;
        struct Member {
            std::string_view name;
            std::optional<std::string_view> text;  // empty if the value is not a string
            std::string scalar;    // of a number, true or false: as it is written in a form
            bool is_list = false;  // the value is an array or an object
            std::vector<std::string_view> list;  // the texts of an array that has nothing else
        };
        std::vector<Member> members;
    };
    std::vector<Object> objects() const;

private:
    struct Tree_;
    explicit Document(std::unique_ptr<Tree_> tree);
    std::unique_ptr<Tree_> tree_;
};

}  // namespace json
