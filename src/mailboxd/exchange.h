// exchange.h - what the steps of one request share.
#pragma once

#include <string>
#include <string_view>

#include "base/config.h"
#include "db/mailboxes.h"
#include "mail/api_key.h"
#include "mailboxd/http.h"
#include "mailboxd/page_cache.h"
#include "mailboxd/routes.h"
#include "mailboxd/turn.h"

namespace api {

// What the log line says about a request in addition to its answer.
struct Trace {
    std::string key_id;            // the key's public part; empty: the request had no key
    std::string_view route = "-";  // the pattern, never the path
    std::string detail;            // a word for the operator that the answer does not contain
};

// A request whose route and key are known, and everything that serves it.
struct Exchange {
    const http::Request& request;
    const routes::Match& match;
    const api_key::Key& key;  // well-formed; admission asks whether it is valid
    const Config& config;
    store::Store& store;
    pages::Pages& pages;
    turn::Turn& turn;
    Trace& trace;
};

}  // namespace api
