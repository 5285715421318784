// multipart_fuzz.cc - multipart/form-data, and other values of Content-Type.

#include <algorithm>

#include "base/strings.h"
#include "fuzz/targets.h"
#include "mailboxd/form.h"

namespace fuzz {
namespace {

Pairs parsed(std::string_view type, std::string_view body, std::string_view method = "POST")
{
    http::Request request;
    request.method = method;
    request.content_type = type;
    request.body = Secret{body};
    return pairs_of(form::parse(request));
}

std::string quoted(std::string_view text)
{
    std::string quoted = "\"";
    for (const char c : text)
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return quoted + "\"";
}

// Returns a boundary that no value contains.
std::string boundary_for(const Pairs& pairs)
{
    std::string boundary = "x";
    const auto is_in = [&](const auto& pair) {
        return pair.second.find("--" + boundary) != std::string::npos;
    };
    while (std::any_of(pairs.begin(), pairs.end(), is_in))
        boundary += boundary.size() % 3 == 0 ? 'x' : '-';
    return boundary;
}

// The forms that clients write: with and without headers of the parts, a preamble, and a line end
// after the last boundary.
enum class Style { plain, ornate };

std::string written(const Pairs& pairs, const std::string& boundary, Style style)
{
    const bool ornate = style == Style::ornate;
    std::string body = ornate ? "preamble\r\n" : "";
    for (const auto& [name, value] : pairs) {
        body +=
            "--" + boundary + (ornate ? " \t\r\nContent-Type: text/plain; name=other\r\n" : "\r\n");
        body += (ornate ? "content-disposition : form-data ;Name= "
                        : "Content-Disposition: form-data; name=")
                + quoted(name);
        body += ornate ? "; filename=\"a;name=b\"\r\nContent-Length: 0\r\n\r\n" : "\r\n\r\n";
        body += value + "\r\n";
    }
    return body + "--" + boundary + (ornate ? "--\r\nepilogue" : "--");
}

void check_sending(const Pairs& sent)
{
    const auto boundary = boundary_for(sent);
    if (boundary.size() > 70) return;
    // Names of arrays arrive without their brackets.
    if (std::any_of(sent.begin(), sent.end(),
                    [](const auto& pair) { return is_array(pair.first); }))
        return;
    expect(
        parsed("multipart/form-data; boundary=" + boundary, written(sent, boundary, Style::plain))
            == sent,
        "what was sent is what arrives");
    expect(parsed("Multipart/Form-Data ;charset=utf-8; BOUNDARY=" + quoted(boundary),
                  written(sent, boundary, Style::ornate))
               == sent,
           "what was sent with every ornament is what arrives");
}

// Takes names and values from the input, each after its length. A name has no line end, because a
// header is one line.
Pairs pairs_in(std::string_view input)
{
    Pairs pairs;
    const auto take = [&] {
        const auto length =
            input.empty()
                ? 0
                : std::min<std::size_t>(static_cast<unsigned char>(input[0]), input.size() - 1);
        const std::string text{input.substr(std::min<std::size_t>(1, input.size()), length)};
        input.remove_prefix(std::min(length + 1, input.size()));
        return text;
    };
    while (!input.empty()) {
        auto name = take();
        std::erase(name, '\r');
        pairs.emplace_back(std::move(name), take());
    }
    return pairs;
}

}  // namespace

void multipart(std::string_view input)
{
    check_sending(pairs_in(input));
    auto body = input;
    const auto type = take_line(body);
    Pairs pairs;
    if (is_refused([&] { pairs = parsed(type, body); })) return;
    // Only arrays depend on the method.
    Pairs changed;
    const bool refused = is_refused([&] { changed = parsed(type, body, "PUT"); });
    expect(refused ? body.find('[') != std::string_view::npos : changed == pairs,
           "PUT reads what POST reads");
    if (!strings::lower_case(type).starts_with("multipart/form-data")) return;
    std::size_t size = 0;
    for (const auto& [name, value] : pairs) {
        expect(body.find(value) != std::string_view::npos, "a value stands in the body as it is");
        size += name.size() + value.size();
    }
    expect(size <= body.size(), "fields are no larger than the body");
    check_sending(pairs);
}

}  // namespace fuzz
