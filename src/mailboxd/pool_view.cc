#include "mailboxd/pool_view.h"

#include <unistd.h>

namespace pool_view {

std::unique_ptr<metrics::Block> sum_of(const Sources& sources)
{
    constexpr int kAttempts = 1000;
    auto sum = std::make_unique<metrics::Block>();
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto version = sources.version.load();
        sum->clear();
        for (const auto* block : sources.blocks) sum->add(*block);
        if (version % 2 == 0 && version == sources.version.load()) break;
        ::usleep(100);
    }
    return sum;
}

bool is_database_up(const Sources& sources)
{
    return !sources.outage.is_on() && sources.outage.is_reachable();
}

std::optional<State> state_of(const worker::Status& status)
{
    switch (status.stage.load()) {
    case worker::Stage::starting: return State::starting;
    case worker::Stage::serving: return status.busy_since == 0 ? State::idle : State::busy;
    case worker::Stage::dismissed:
    case worker::Stage::ended: break;
    }
    return std::nullopt;
}

}  // namespace pool_view
