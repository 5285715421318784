// served.h - the API in the test's own process, on the real tables.
#pragma once

#include "mailboxd/api.h"

#include <boost/test/unit_test.hpp>

#include <sodium.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/database.h"
#include "support/support.h"

namespace served {

using Strings = std::vector<std::string>;

inline constexpr char kForm[] = "application/x-www-form-urlencoded";
inline constexpr char kJson[] = "application/json";

inline std::string basic(const std::string& pair)
{
    std::string encoded(sodium_base64_encoded_len(pair.size(), sodium_base64_VARIANT_ORIGINAL),
                        '\0');
    sodium_bin2base64(encoded.data(), encoded.size(),
                      reinterpret_cast<const unsigned char*>(pair.data()), pair.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    encoded.pop_back();
    return "Basic " + encoded;
}

struct Call {
    std::string method = "GET";
    std::string target;
    std::string type{};
    std::string body{};
    std::string encoding{};
    std::string on_behalf_of{};
    std::string idempotency_key{};
};

// Returns for example `200 {...}`, without the newline that every body ends with.
inline std::string text(const http::Response& response)
{
    BOOST_TEST(response.body.ends_with('\n'));
    BOOST_TEST(std::count(response.body.begin(), response.body.end(), '\n') == 1);
    return std::to_string(response.status) + " "
           + response.body.substr(0, response.body.size() - 1);
}

// Returns for example `400 bad_limit`; for a success only the status.
inline std::string outcome(const http::Response& response)
{
    constexpr std::string_view kCode = "\"code\":\"";
    const auto begin = response.body.find(kCode);
    if (begin == std::string::npos) return std::to_string(response.status);
    const auto end = response.body.find('"', begin + kCode.size());
    return std::to_string(response.status) + " "
           + response.body.substr(begin + kCode.size(), end - begin - kCode.size());
}

// The API in this process; its log is kept.
struct Served : database::Tenant {
    http::Response serve(const Call& call, const std::string& authorization)
    {
        return serve_by(api, call, authorization);
    }
    http::Response serve_by(api::Api& server, const Call& call, const std::string& authorization)
    {
        trace = {};
        turn::Alone turn;
        return server.serve({.method = call.method,
                             .target = call.target,
                             .authorization = authorization,
                             .content_type = call.type,
                             .content_encoding = call.encoding,
                             .client = client,
                             .body = Secret{call.body},
                             .on_behalf_of = call.on_behalf_of,
                             .idempotency_key = call.idempotency_key},
                            trace, turn);
    }
    http::Response serve(const Call& call) { return serve(call, basic("api:" + key.text())); }

    std::string collection() const { return "/v3/" + domain.name() + "/mailboxes"; }
    std::string item(const std::string& name) const { return collection() + "/" + name; }
    // Replaces {D} by the domain's name.
    std::string target(std::string pattern) const
    {
        for (auto place = pattern.find("{D}"); place != std::string::npos;
             place = pattern.find("{D}"))
            pattern.replace(place, 3, domain.name());
        return pattern;
    }

    http::Response get(const std::string& query = "")
    {
        return serve({"GET", collection() + query});
    }
    http::Response post(const std::string& body, const std::string& type = kForm)
    {
        return serve({"POST", collection(), type, body});
    }
    http::Response put(const std::string& name, const std::string& body,
                       const std::string& type = kForm)
    {
        return serve({"PUT", item(name), type, body});
    }
    http::Response remove(const std::string& name) { return serve({"DELETE", item(name)}); }
    bool has_password(std::string_view name, std::string_view expected)
    {
        const auto stored = password(name);
        constexpr std::string_view kScheme = "{ARGON2ID}";
        return stored.starts_with(kScheme)
               && crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), expected.data(),
                                           expected.size())
                      == 0;
    }

    support::Stderr standard_error;
    Config config = database.config();
    api::Api api{config, session};
    api::Trace trace;
    std::string client = "192.0.2.1";
};

struct Refused : support::Row {
    Call call;  // {D} in its target and body stands for the domain
    std::string outcome;
};

struct Alice : Served {
    Alice() { store.create(grant(), {mailbox("alice")}, actor); }
    Call at(Call call, const std::string& base) const
    {
        call.target = target(base + call.target);
        call.body = target(call.body);
        return call;
    }
    void check_untouched()
    {
        BOOST_TEST(names() == Strings{"alice"}, boost::test_tools::per_element());
        BOOST_TEST(counter() == 1);
        BOOST_TEST(password("alice") == "{PLAIN}first");
        BOOST_TEST(session_ends("alice") == 0);
    }
};

}  // namespace served
