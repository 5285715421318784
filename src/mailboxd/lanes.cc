#include "mailboxd/lanes.h"

#include <algorithm>

namespace lanes {
namespace {

// Batches of two accounts alternate at most this often, because each pause costs a hand-over.
constexpr auto kSlack = std::chrono::milliseconds{100};

bool is_idle(const auto& lane)
{
    return lane.fresh.empty() && lane.begun.empty() && lane.running == 0;
}

std::size_t hashes_waiting(const auto& lane)
{
    std::size_t sum = 0;
    for (const auto* queue : {&lane.fresh, &lane.begun}) {
        for (const auto& change : *queue) sum += change.needs_hash ? change.hashes : 0;
    }
    return sum;
}

}  // namespace

// Returns the lane, creating it if needed. A lane that was idle starts at the time that the others
// have used, so it cannot save up time.
Lanes::Lane& Lanes::active(const std::string& name)
{
    constexpr std::size_t kMostIdle = 1000;
    if (lanes_.size() > kMostIdle) forget_idle();
    auto& lane = lanes_[name];
    if (is_idle(lane)) lane.used = std::max(lane.used, floor_);
    return lane;
}

// Drops all idle lanes. Their used time is lost, which matters only to lanes that had used more
// than the others.
void Lanes::forget_idle()
{
    std::erase_if(lanes_, [](const auto& lane) { return is_idle(lane.second); });
}

void Lanes::add(Change change)
{
    auto& lane = active(change.lane);
    auto& queue = change.is_begun ? lane.begun : lane.fresh;
    queue.push_back(std::move(change));
}

Clock::duration Lanes::used_by(const Named::value_type& lane, Clock::time_point now) const
{
    auto used = lane.second.used;
    for (const auto& [id, running] : running_) {
        if (running.change.lane == lane.first) used += now - running.since;
    }
    return used;
}

bool Lanes::is_processor_free() const
{
    const auto hashing = std::count_if(running_.begin(), running_.end(),
                                       [](const auto& entry) { return entry.second.is_hashing; });
    return hashing < static_cast<std::ptrdiff_t>(limits_.processors);
}

// Takes a change from one lane; empty if it has none that may run now. Short changes are always
// fresh, so they overtake the lane's own batches. The batches still get every second turn.
std::optional<Change> Lanes::take_from(Lane& lane)
{
    const bool can_hash = is_processor_free();
    const auto take = [](std::deque<Change>& queue, std::deque<Change>::iterator at) {
        auto change = std::move(*at);
        queue.erase(at);
        return change;
    };
    if (can_hash && !lane.begun.empty() && (lane.is_begun_next || lane.fresh.empty())) {
        lane.is_begun_next = false;
        return take(lane.begun, lane.begun.begin());
    }
    const auto fresh =
        std::find_if(lane.fresh.begin(), lane.fresh.end(),
                     [&](const Change& change) { return can_hash || !change.needs_hash; });
    if (fresh == lane.fresh.end()) return std::nullopt;
    lane.is_begun_next = fresh->needs_hash;
    return take(lane.fresh, fresh);
}

std::optional<Change> Lanes::take_next(Clock::time_point now)
{
    const auto idle = limits_.workers - std::min<std::size_t>(running_.size(), limits_.workers);
    if (idle == 0) return std::nullopt;
    std::vector<std::pair<Clock::duration, Named::value_type*>> order;
    for (auto& lane : lanes_) {
        if (lane.second.fresh.empty() && lane.second.begun.empty()) continue;
        if (idle == 1 && limits_.workers > 1 && lane.second.running > 0) continue;
        order.emplace_back(used_by(lane, now), &lane);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [used, lane] : order) {
        auto change = take_from(lane->second);
        if (!change) continue;
        floor_ = std::max(floor_, used);
        ++lane->second.running;
        running_.insert_or_assign(change->id, Running{*change, now, change->needs_hash});
        return change;
    }
    return std::nullopt;
}

void Lanes::stop_hashing(Id id)
{
    if (const auto found = running_.find(id); found != running_.end())
        found->second.is_hashing = false;
}

std::optional<Change> Lanes::finish(Id id, Clock::time_point now)
{
    const auto found = running_.find(id);
    if (found == running_.end()) return std::nullopt;
    auto [change, since, is_hashing] = std::move(found->second);
    running_.erase(found);
    auto& lane = lanes_[change.lane];
    --lane.running;
    lane.used += now - since;
    return change;
}

template <typename Condition>
std::vector<Change> Lanes::take_if(Condition condition)
{
    std::vector<Change> taken;
    for (auto& [name, lane] : lanes_) {
        for (auto* queue : {&lane.fresh, &lane.begun}) {
            const auto kept_end =
                std::stable_partition(queue->begin(), queue->end(),
                                      [&](const Change& change) { return !condition(change); });
            taken.insert(taken.end(), std::make_move_iterator(kept_end),
                         std::make_move_iterator(queue->end()));
            queue->erase(kept_end, queue->end());
        }
    }
    return taken;
}

bool Lanes::remove(Id id)
{
    return !take_if([&](const Change& change) { return change.id == id; }).empty();
}

std::vector<Id> Lanes::take_late(Clock::time_point now)
{
    // While nothing runs, the estimate of the hash time is ignored: otherwise a wrong estimate
    // would refuse every change and never be corrected.
    const auto hash_time = running_.empty() ? Clock::duration{} : hash_time_;
    std::vector<Id> late;
    for (const auto& change : take_if([&](const Change& waiting) {
             const auto hashes = static_cast<int>(waiting.needs_hash ? waiting.hashes : 0);
             return now + hashes * hash_time > waiting.deadline;
         })) {
        late.push_back(change.id);
    }
    return late;
}

std::optional<Id> Lanes::take_surplus()
{
    if (waiting() <= limits_.waiting) return std::nullopt;
    const auto weight = [](const auto& lane) {
        return std::pair{hashes_waiting(lane.second),
                         lane.second.fresh.size() + lane.second.begun.size()};
    };
    auto& longest =
        std::max_element(lanes_.begin(), lanes_.end(), [&](const auto& left, const auto& right) {
            return weight(left) < weight(right);
        })->second;
    auto& queue = longest.fresh.empty() ? longest.begun : longest.fresh;
    const auto id = queue.back().id;
    queue.pop_back();
    return id;
}

void Lanes::move(Id id, const std::string& name, Clock::time_point now)
{
    if (const auto found = running_.find(id); found != running_.end()) {
        auto& running = found->second;
        if (running.change.lane == name) return;
        auto& old = lanes_[running.change.lane];
        --old.running;
        old.used += now - running.since;
        auto& lane = active(name);
        ++lane.running;
        running.change.lane = name;
        running.since = now;
        return;
    }
    for (auto& change : take_if([&](const Change& waiting) { return waiting.id == id; })) {
        change.lane = name;
        add(std::move(change));
    }
}

Clock::duration Lanes::expected(const std::string& name, std::size_t hashes) const
{
    if (running_.empty() && waiting() == 0) return {};
    std::size_t own = hashes;
    std::size_t all = hashes;
    std::size_t others = 0;
    for (const auto& [lane_name, lane] : lanes_) {
        const auto waiting = hashes_waiting(lane);
        all += waiting;
        if (lane_name == name) {
            own += waiting;
        } else {
            others += waiting > 0 || lane.running > 0 ? 1 : 0;
        }
    }
    const auto share = static_cast<std::int64_t>(std::min(own * (others + 1), all));
    const auto alone =
        static_cast<std::int64_t>(hashes);  // one worker makes all hashes of a change
    return std::max(share * hash_time_ / limits_.processors, alone * hash_time_);
}

bool Lanes::is_pressed(Clock::time_point now) const
{
    Clock::duration most{};
    for (const auto& [id, running] : running_) {
        if (running.is_hashing)
            most = std::max(most, used_by(*lanes_.find(running.change.lane), now));
    }
    return std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
        // Every change that could run has been taken, so this one waits for a processor, or for a
        // worker of its own lane.
        if (!lane.second.fresh.empty()) return true;
        return !lane.second.begun.empty() && used_by(lane, now) + kSlack < most;
    });
}

// A moving average: a hash takes longer while the machine is busy.
void Lanes::note_hash_time(Clock::duration time)
{
    hash_time_ += (time - hash_time_) / 8;
}

std::size_t Lanes::waiting() const
{
    std::size_t sum = 0;
    for (const auto& [name, lane] : lanes_) sum += lane.fresh.size() + lane.begun.size();
    return sum;
}

std::vector<Lanes::Queue> Lanes::queues() const
{
    std::vector<Queue> queues;
    for (const auto& [name, lane] : lanes_) {
        Queue queue{.lane = name};
        for (const auto* const waiting : {&lane.fresh, &lane.begun}) {
            queue.changes += waiting->size();
            for (const auto& change : *waiting)
                queue.hashes += change.needs_hash ? change.hashes : 0;
        }
        if (queue.changes > 0) queues.push_back(std::move(queue));
    }
    std::sort(queues.begin(), queues.end(),
              [](const Queue& left, const Queue& right) { return left.hashes > right.hashes; });
    return queues;
}

}  // namespace lanes
