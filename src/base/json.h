// json.h - strict reading, careful writing; the only file that includes <cJSON.h>.
//
// Everything written is compact, ends with one line end, and has its members in the
// order that the clients know.
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

// One object with a line end. Names are literals; a value that holds nothing is null.
struct Written {
    std::string json;  // a value that another function of this module wrote
};
using Value = std::variant<std::monostate, std::int64_t, std::string, bool, Written>;
using Members = std::vector<std::pair<const char*, Value>>;
std::string object(const Members& members);
std::string quoted(std::string_view text);

// Anything that was read: an object's or an array's members (there without names), or the text of a
// string or number.
struct Member;
struct Node {
    std::string text;
    std::vector<Member> members;
};
struct Member {
    std::string name;
    Node value;
};
std::optional<Node> parse(std::string_view text);  // nothing: it is no JSON

// One parsed text of which the members are read in their order, each as often as it was sent.
class Document {
public:
    // Returns nothing if the text is not JSON (RFC 8259), not valid UTF-8 included by the caller's
    // own check.
    static std::optional<Document> parse(std::string_view text);
    Document(Document&&) noexcept;
    ~Document();

    bool is_array() const;
    // The document itself, or the elements of an array. The texts live as long as the document.
    struct Object {
        bool is_object = false;
        // Name and text; no text if the value is not a string.
        std::vector<std::pair<std::string_view, std::optional<std::string_view>>> members;
    };
    std::vector<Object> objects() const;

private:
    struct Tree_;
    explicit Document(std::unique_ptr<Tree_> tree);
    std::unique_ptr<Tree_> tree_;
};

}  // namespace json
