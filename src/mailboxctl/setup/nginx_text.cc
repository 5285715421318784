#include "mailboxctl/setup/nginx_text.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/strings.h"

namespace nginx_text {
namespace {

// A word, or one of ; { }.
struct Token {
    std::string text;
    std::size_t at = 0;
    bool is_sign = false;
};

class Tokens {
public:
    explicit Tokens(std::string_view text) : text_{text} {}
    // Empty at the end.
    std::optional<Token> next()
    {
        skip();
        if (at_ >= text_.size()) return std::nullopt;
        const auto begin = at_;
        const char first = text_[at_];
        if (first == ';' || first == '{' || first == '}') {
            ++at_;
            return Token{std::string{first}, begin, true};
        }
        if (first == '"' || first == '\'') return quoted(first);
        // A brace belongs to a word after a dollar sign: ${name}.
        while (at_ < text_.size() && !ends_word()) at_ += text_[at_] == '\\' ? 2 : 1;
        at_ = std::min(at_, text_.size());
        return Token{std::string{text_.substr(begin, at_ - begin)}, begin, false};
    }

private:
    bool ends_word()
    {
        const char c = text_[at_];
        if (c == '{' && at_ > 0 && text_[at_ - 1] == '$') {
            at_ = std::min(text_.find('}', at_), text_.size() - 1);
            return false;
        }
        return std::isspace(static_cast<unsigned char>(c)) != 0 || c == ';' || c == '{';
    }
    void skip()
    {
        while (at_ < text_.size()) {
            if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
            else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
            else return;
        }
    }
    Token quoted(char quote)
    {
        const auto begin = at_++;
        std::string word;
        while (at_ < text_.size() && text_[at_] != quote) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            word += text_[at_++];
        }
        ++at_;
        return {word, begin, false};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

void take(Server& server, const std::vector<std::string>& words)
{
    const std::vector<std::string> values{words.begin() + 1, words.end()};
    if (words[0] == "server_name")
        server.names.insert(server.names.end(), values.begin(), values.end());
    if (words[0] == "listen") server.listens.push_back(strings::joined(values, " "));
    if (words[0] == "ssl_certificate" && !values.empty()) server.certificate = values[0];
    if (words[0] == "ssl_certificate_key" && !values.empty()) server.key = values[0];
}

}  // namespace

bool Server::has_tls() const
{
    return std::any_of(listens.begin(), listens.end(), [](const std::string& listen) {
        const auto words = strings::words(listen);
        return std::find(words.begin(), words.end(), "ssl") != words.end();
    });
}

std::vector<Server> servers(std::string_view text)
{
    std::vector<Server> all;
    Tokens tokens{text};
    std::vector<std::string> words;
    std::optional<Server> open;
    int depth = 0, open_depth = 0;
    while (const auto token = tokens.next()) {
        if (!token->is_sign) {
            words.push_back(token->text);
            continue;
        }
        if (token->text == "{") {
            ++depth;
            if (!open && words.size() == 1 && words[0] == "server") {
                open.emplace();
                open_depth = depth;
            }
        } else if (token->text == "}") {
            if (open && depth == open_depth) {
                open->end = token->at;
                all.push_back(*std::move(open));
                open.reset();
            }
            --depth;
        } else if (open && depth == open_depth && !words.empty()) {
            take(*open, words);
        }
        words.clear();
    }
    return all;
}

std::string directive(std::string_view text, std::string_view name)
{
    Tokens tokens{text};
    std::vector<std::string> words;
    int depth = 0;
    while (const auto token = tokens.next()) {
        if (!token->is_sign) {
            words.push_back(token->text);
            continue;
        }
        if (token->text == "{") ++depth;
        if (token->text == "}") --depth;
        if (token->text == ";" && depth == 0 && words.size() > 1 && words[0] == name)
            return words[1];
        words.clear();
    }
    return {};
}

std::string with_line(std::string_view text, std::string_view server_name, std::string_view line)
{
    std::string changed{text};
    for (const auto& server : servers(text)) {
        if (!server.has_tls()
            || std::find(server.names.begin(), server.names.end(), server_name)
                   == server.names.end())
            continue;
        // Before the blanks in front of the brace, if the brace has a line of its own.
        auto at = server.end;
        while (at > 0 && (changed[at - 1] == ' ' || changed[at - 1] == '\t')) --at;
        const bool has_own_line = at > 0 && changed[at - 1] == '\n';
        const auto inserted = "    " + std::string{line} + "\n";
        return has_own_line ? changed.insert(at, inserted)
                            : changed.insert(server.end, "\n" + inserted);
    }
    return changed;
}

}  // namespace nginx_text
