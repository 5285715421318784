// handlers.h - one request: who → which → do it → reply.
//
// serve() answers every Raw: a caller's mistake with its status and a
// sentence, a database that cannot be asked with 503, a fault of ours with 500.
#pragma once

#include <string>
#include <string_view>

#include "base/config.h"
#include "db/mailboxes.h"
#include "mailboxd/http.h"
#include "mailboxd/page_cache.h"
#include "mailboxd/turn.h"

namespace api {

// What the log line says of a request beside its answer.
struct Trace {
    std::string key_id;            // public part of the key; empty: none given
    std::string_view route = "-";  // pattern, never the path
    std::string detail;            // for the operator, what the answer does not say
};

class Api {
public:
    Api(const Config& config, db::Session& session)
        : config_{config}, store_{session}, pages_{config.kept_pages}
    {
    }
    // Throws turn::Paused and turn::Abandoned, where `turn` does.
    http::Response serve(http::Raw raw, Trace& trace, turn::Turn& turn);

private:
    const Config& config_;
    store::Store store_;
    pages::Pages pages_;
};

}  // namespace api
