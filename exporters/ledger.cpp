#include "exporters/ledger.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

namespace sonde::exporters {
namespace {

constexpr std::int64_t any_distance = std::numeric_limits<std::int64_t>::max();

}  // namespace

void Ledger::recover(CheckKey check, std::int64_t due_ms)
{
    tell(check, due_ms, due_ms, 1);
}

void Ledger::recover(const Gap& gap)
{
    if (gap.check)
        tell(*gap.check, gap.from_ms, gap.to_ms, gap.runs);
    // Which way they were lost is not written down, and they have no neighbours in this life.
    remember(gap, {gap.check, gap.tenant, gap.reason, gap.samples, gap.events, true});
}

void Ledger::published(CheckKey check, std::int64_t due_ms)
{
    ++published_;
    tell(check, due_ms, due_ms, 1);
}

bool Ledger::missed(const Gap& gap)
{
    missing_[static_cast<std::size_t>(gap.reason)] += gap.runs;
    const Key key{gap.check, gap.tenant, gap.reason, gap.samples, gap.events, false};
    if (!gap.check)
        return enter(gap, key, any_distance);
    const auto newest = newest_.find(key);
    const bool is_next = newest != newest_.end() && newest->second->to_ms == last_run(*gap.check);
    // Not farther: a run between them may be under way.
    const std::int64_t reach_ms = is_next ? distance_of(*gap.check) : 0;
    tell(*gap.check, gap.from_ms, gap.to_ms, gap.runs);
    return enter(gap, key, reach_ms);
}

bool Ledger::lost(const Gap& gap)
{
    const Key key{gap.check, gap.tenant, gap.reason, gap.samples, gap.events, true};
    if (!gap.check)
        return enter(gap, key, any_distance);
    return enter(gap, key, distance_of(*gap.check));
}

/// How far apart two runs of a check are that have none between them; 0 while that is not known.
std::int64_t Ledger::distance_of(CheckKey check) const
{
    const auto told = told_.find(check);
    if (told == told_.end())
        return 0;
    const auto& [last_ms, step, step_before] = told->second;
    return step_before == 0 ? step : std::min(step, step_before);
}

std::optional<std::int64_t> Ledger::last_run(CheckKey check) const
{
    const auto found = told_.find(check);
    return found == told_.end() ? std::nullopt : std::optional{found->second.last_ms};
}

std::uint64_t Ledger::missing(GapReason reason) const
{
    return missing_[static_cast<std::size_t>(reason)];
}

std::uint64_t Ledger::missing() const
{
    return std::accumulate(missing_.begin(), missing_.end(), std::uint64_t{0});
}

std::vector<Gap> Ledger::recent_gaps() const
{
    return {recent_.begin(), recent_.end()};
}

/// It becomes part of the newest of its like if it begins at most `reach_ms` behind its end.
bool Ledger::enter(const Gap& gap, const Key& key, std::int64_t reach_ms)
{
    const auto found = newest_.find(key);
    if (found != newest_.end()) {
        Gap& whole = *found->second;
        // What belongs to no check has no neighbours; only how much and since when is of interest.
        const bool is_next = gap.from_ms > whole.to_ms && gap.from_ms - whole.to_ms <= reach_ms;
        if (!gap.check || is_next) {
            whole.from_ms = std::min(whole.from_ms, gap.from_ms);
            whole.to_ms = std::max(whole.to_ms, gap.to_ms);
            whole.runs += gap.runs;
            return true;
        }
    }
    remember(gap, key);
    return false;
}

void Ledger::remember(const Gap& gap, const Key& key)
{
    recent_.push_back(gap);
    newest_[key] = std::prev(recent_.end());
    if (recent_.size() <= most_gaps)
        return;
    const Gap& oldest = recent_.front();
    for (const bool was_published : {false, true}) {
        const auto found = newest_.find({oldest.check, oldest.tenant, oldest.reason, oldest.samples,
            oldest.events, was_published});
        if (found != newest_.end() && found->second == recent_.begin())
            newest_.erase(found);
    }
    recent_.pop_front();
}

/// Runs of a check, one after the other: when the last was due, and how far apart they are. Of the
/// last two distances the smaller counts, since between two neighbours there must be no other run.
void Ledger::tell(CheckKey check, std::int64_t from_ms, std::int64_t to_ms, std::uint64_t runs)
{
    const auto [found, is_first] = told_.try_emplace(check);
    Told& told = found->second;
    const auto step = [&told](std::int64_t ms) {
        told.step_before_ms = told.step_ms;
        told.step_ms = ms;
    };
    if (!is_first && from_ms > told.last_ms)
        step(from_ms - told.last_ms);
    if (runs > 1 && to_ms > from_ms)
        step((to_ms - from_ms) / static_cast<std::int64_t>(runs - 1));
    told.last_ms = is_first ? to_ms : std::max(told.last_ms, to_ms);
}

}  // namespace sonde::exporters
