#include "mailboxctl/setup/run.h"

#include <algorithm>
#include <ostream>

#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

void reload(Work& work, const std::set<std::string>& units)
{
    if (!work.machine.has_systemd()) return;
    work.machine.run({"systemctl", "daemon-reload"});
    for (const auto& unit : units) work.machine.run({"systemctl", "reload-or-restart", unit});
}

void carry_out(const Step& step, Work& work, std::ostream& progress)
{
    progress << name(step.kind) << ' ' << step.what << " ...\n" << std::flush;
    step.carry_out(work);
}

}  // namespace

Outcome carry_out(Plan& plan, Work& work, std::ostream& progress)
{
    auto& steps = plan.steps;
    const auto last = std::find_if(steps.begin(), steps.end(),
                                   [](const Step& step) { return step.phase == Phase::finish; });
    Outcome outcome;
    try {
        work.journal.begin();
        for (auto step = steps.begin(); step != last; ++step) carry_out(*step, work, progress);
        work.journal.end();
    } catch (const std::exception& error) {
        outcome.error = error.what();
        const auto units = work.journal.waiting();
        outcome.put_back = work.journal.put_back();
        reload(work, units);
        return outcome;
    }
    try {
        for (auto step = last; step != steps.end(); ++step) carry_out(*step, work, progress);
        outcome.is_done = true;
    } catch (const std::exception& error) {
        outcome.error = error.what();
    }
    return outcome;
}

}  // namespace setup
