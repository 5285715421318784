#include "mailboxctl/setup/plan.h"

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <stdexcept>

#include "base/strings.h"
#include "base/text_diff.h"

namespace setup {

const char* name(Kind kind)
{
    switch (kind) {
    case Kind::install: return "install";
    case Kind::create: return "create";
    case Kind::write: return "write";
    case Kind::run: return "run";
    case Kind::restart: return "restart";
    }
    throw std::logic_error("no kind");
}

void Work::keep(const std::string& line)
{
    const auto text = machine.contents(kSecretsFile).value_or("") + line + "\n";
    machine.write(kSecretsFile, text, {0600, "root", "root"});
    secrets.push_back(line);
}

void Plan::add(Phase phase, Kind kind, std::string_view part, std::string what,
               std::function<void(Work&)> carry_out)
{
    steps.push_back({phase, kind, std::string{part}, std::move(what), {}, std::move(carry_out)});
}

// --- files ----------------------------------------------------------------------------

namespace {

using Verdict = Decision::Verdict;

Decision decide_link(const Machine& machine, const Journal& journal, const ManagedFile& file)
{
    Decision decision;
    const auto present = machine.link(file.path);
    if (present == file.link) return decision;
    const bool is_there = machine.exists(file.path);
    decision.verdict = is_there && journal.find(file.path) == nullptr ? Verdict::foreign
                       : is_there                                     ? Verdict::left
                                                                      : Verdict::write;
    return decision;
}

// The file is in the journal, and its text is not the one that setup wrote last.
void decide_edited(Decision& decision, const std::string& written, ManagedFile::Owner owner)
{
    decision.verdict = Verdict::left;
    if (owner == ManagedFile::Owner::setup) return;
    auto merged = text_diff::merged(written, *decision.before, decision.target);
    if (!merged) return;
    decision.after = *std::move(merged);
    decision.verdict = decision.after == *decision.before ? Verdict::same : Verdict::write;
}

}  // namespace

Decision decide(const Machine& machine, const Journal& journal, const ManagedFile& file,
                bool takes_new)
{
    if (!file.link.empty()) return decide_link(machine, journal, file);
    Decision decision;
    decision.before = machine.contents(file.path);
    const auto* const known = journal.find(file.path);
    const auto original =
        known != nullptr ? journal.original(file.path) : decision.before.value_or("");
    decision.target = decision.after =
        file.text(known == nullptr && file.owner == ManagedFile::Owner::setup ? "" : original);
    decision.verdict = Verdict::write;
    if (!decision.before || takes_new) {
        if (decision.before == decision.after) decision.verdict = Verdict::same;
        return decision;
    }
    if (*decision.before == decision.target) {
        decision.verdict = Verdict::same;
        return decision;
    }
    if (known == nullptr) {
        if (file.owner == ManagedFile::Owner::setup) decision.verdict = Verdict::foreign;
        return decision;
    }
    const auto written = journal.written(file.path);
    if (decision.target == written) decision.verdict = Verdict::same;  // edited, and not by us
    else if (*decision.before != written) decide_edited(decision, written, file.owner);
    return decision;
}

namespace {

std::string masked(std::string text, const std::vector<std::string>& secrets)
{
    constexpr std::string_view kMask = "(not shown)";
    for (const auto& secret : secrets) {
        if (secret.empty()) continue;
        for (auto at = text.find(secret); at != std::string::npos;
             at = text.find(secret, at + kMask.size()))
            text.replace(at, secret.size(), kMask);
    }
    return text;
}

// A file that not everybody may read is shown without the lines around the changes, because they
// may have the operator's own secrets.
std::string diff_of(const Machine& machine, const ManagedFile& file, const Decision& decision,
                    const std::string& after, const std::vector<std::string>& secrets)
{
    constexpr mode_t kOthersRead = 04;
    constexpr std::size_t kContext = 3;
    if (!decision.before) return {};
    const auto access = machine.access(file.path).value_or(file.access);
    return text_diff::unified(masked(*decision.before, secrets), masked(after, secrets), file.path,
                              file.path, (access.mode & kOthersRead) != 0 ? kContext : 0);
}

void write_file(Work& work, const ManagedFile& file)
{
    const bool takes_new = work.options.take_new.contains(file.path);
    const auto decision = decide(work.machine, work.journal, file, takes_new);
    if (decision.verdict != Verdict::write) return;
    if (!file.unit.empty()) work.journal.will_reload(file.unit);
    if (!file.link.empty()) {
        work.journal.will_write(file.path, file.part, "", file.link);
        work.machine.make_link(file.path, file.link);
        return;
    }
    work.journal.will_write(file.path, file.part, decision.target);
    const auto access = work.machine.access(file.path);
    work.machine.write(file.path, decision.after,
                       file.owner == ManagedFile::Owner::shared ? access.value_or(file.access)
                                                                : file.access);
}

std::string left_sentence(const ManagedFile& file, const std::string& diff)
{
    return file.path
           + " was edited since setup wrote it, so it stays as it is. This release has another "
             "text for it; put the change into your text, or replace yours: mailboxctl setup "
             "--take-new "
           + file.path + (diff.empty() ? "" : "\n" + diff);
}

}  // namespace

bool add_file(Plan& plan, const Machine& machine, const Journal& journal, const Options& options,
              const ManagedFile& managed, const std::vector<std::string>& secrets)
{
    auto file = managed;
    if (file.owner == ManagedFile::Owner::shared) file.path = machine.resolved(file.path);
    if (file.comes_by_package && !machine.exists(file.path)) {
        plan.steps.push_back({Phase::write,
                              Kind::write,
                              file.part,
                              file.path + " (as its package brings it, with lines of ours)",
                              {},
                              [file](Work& work) { write_file(work, file); }});
        return true;
    }
    const auto decision = decide(machine, journal, file, options.take_new.contains(file.path));
    switch (decision.verdict) {
    case Verdict::same: return false;
    case Verdict::left:
        plan.notes.push_back(
            left_sentence(file, diff_of(machine, file, decision, decision.target, secrets)));
        return false;
    case Verdict::foreign:
        plan.obstacles.push_back(
            file.path
            + " exists, and setup did not write it. Move it away, or replace it: mailboxctl setup --take-new "
            + file.path);
        return false;
    case Verdict::write: break;
    }
    plan.steps.push_back({Phase::write, Kind::write, file.part,
                          file.link.empty() ? file.path : file.path + " -> " + file.link,
                          diff_of(machine, file, decision, decision.after, secrets),
                          [file](Work& work) { write_file(work, file); }});
    return true;
}

void sort(Plan& plan)
{
    std::stable_sort(plan.steps.begin(), plan.steps.end(),
                     [](const Step& a, const Step& b) { return a.phase < b.phase; });
}

// --- output ---------------------------------------------------------------------------

void print(const Plan& plan, std::ostream& out)
{
    constexpr int kWidth = 9;
    for (const auto& step : plan.steps) {
        // A step that removes a file, or changes one that is not there yet, says so itself.
        const bool is_new =
            step.kind == Kind::write && step.diff.empty() && !step.what.ends_with(')');
        out << std::left << std::setw(kWidth) << name(step.kind) << step.what
            << (is_new ? " (new)" : "") << '\n';
        for (const auto& line : strings::words(step.diff, "\n")) out << "         " << line << '\n';
    }
    for (const auto& note : plan.notes) out << "note     " << note << '\n';
    for (const auto& obstacle : plan.obstacles) out << "obstacle " << obstacle << '\n';
}

json::Members as_json(const Plan& plan)
{
    const auto quoted = [](const std::string& text) { return json::quoted(text); };
    const auto steps = json::array(plan.steps, [](const Step& step) {
        json::Members members{
            {"kind", std::string{name(step.kind)}}, {"part", step.part}, {"what", step.what}};
        if (!step.diff.empty()) members.emplace_back("diff", step.diff);
        return json::value_of(members).json;
    });
    return {{"steps", steps},
            {"notes", json::array(plan.notes, quoted)},
            {"obstacles", json::array(plan.obstacles, quoted)}};
}

}  // namespace setup
