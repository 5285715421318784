// api.h - one request from the CGI variables to the answer: http → routes → a handler, which calls
// admission, fields, the operation of db and answers.
//
// serve() answers every request. A mistake of the caller gets its status and a sentence, a database
// that cannot be asked 503, a fault of ours 500.
#pragma once

#include "base/config.h"
#include "db/connection.h"
#include "db/mailboxes.h"
#include "mailboxd/exchange.h"
#include "mailboxd/http.h"
#include "mailboxd/page_cache.h"
#include "mailboxd/turn.h"

namespace api {

class Api {
public:
    Api(const Config& config, db::Session& session)
        : config_{config}, store_{session}, pages_{config.kept_pages}
    {
    }
    // Throws only turn::Paused and turn::Abandoned, when `turn` does.
    http::Response serve(http::Raw raw, Trace& trace, turn::Turn& turn);

private:
    http::Response answer(http::Raw raw, Trace& trace, turn::Turn& turn);

    const Config& config_;
    store::Store store_;
    pages::Pages pages_;
};

}  // namespace api
