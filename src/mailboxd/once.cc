#include "mailboxd/once.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/crypto.h"
#include "db/session.h"

namespace once {
namespace {

constexpr std::size_t kLongestName = 255;  // as in its column

// Two requests are equal if method, path, account and fields are. The fields count, not the bytes:
// a client that repeats a multipart body chooses another boundary.
std::string text_of(const api::Exchange& exchange, const http::Fields& fields)
{
    std::string text;
    const auto add = [&](std::string_view part) {
        text.append(std::to_string(part.size())).append(":").append(part);
    };
    add(exchange.request.method);
    for (const auto& segment : exchange.request.path) add(segment);
    add(exchange.request.on_behalf_of);
    for (const auto& [name, value] : fields) {
        add(name);
        add(value.text());
    }
    return text;
}

}  // namespace

Once::Once(const api::Exchange& exchange, const http::Fields& fields) : exchange_{exchange}
{
    const auto name = exchange.request.idempotency_key;
    if (name.empty()) return;
    const bool is_printable =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!is_printable || name.size() > kLongestName) {
        throw http::Error(
            400, "bad_idempotency_key",
            "Idempotency-Key must be 1 to 255 printable ASCII characters without blanks");
    }
    auto text = text_of(exchange, fields);
    claim_ = idempotency::Claim{.key_id = exchange.key.id(),
                                .name = std::string{name},
                                .request = crypto::hex(crypto::hmac(exchange.key.text(), text))};
    crypto::wipe(text);
}

std::optional<http::Response> Once::earlier() const
{
    if (!claim_) return std::nullopt;
    const auto kept = db::reading(exchange_.store.session(), [&](db::Connection& connection) {
        return idempotency::find(connection, *claim_);
    });
    if (!kept) return std::nullopt;
    if (kept->request != claim_->request) {
        throw http::Error(
            422, "idempotency_key_reused",
            "Another request was sent with this Idempotency-Key; nothing was changed");
    }
    auto answer = crypto::opened(exchange_.key.text(), kept->answer);
    if (!answer) throw std::logic_error("a kept answer that its own key does not open");
    return http::Response{.body = *std::move(answer)};
}

store::Steps Once::steps() const
{
    return {.first = [this](db::Connection& connection) {
        if (claim_) idempotency::claim(connection, *claim_);
    }};
}

store::Steps Once::steps(const std::string& answer) const
{
    auto all = steps();
    all.last = [this, answer](db::Connection& connection) { keep(connection, answer); };
    return all;
}

void Once::keep(db::Connection& connection, const std::string& answer) const
{
    if (claim_)
        idempotency::keep(connection, *claim_, crypto::sealed(exchange_.key.text(), answer));
}

}  // namespace once
