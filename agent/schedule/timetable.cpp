#include "agent/schedule/timetable.h"

#include <algorithm>

namespace sonde::schedule {

using std::chrono::milliseconds;

void Timetable::put(std::uint64_t job, Time first, milliseconds period)
{
    remove(job);
    const Time due = std::chrono::ceil<milliseconds>(first);
    entries_.emplace(job, Entry{due, std::max(period, milliseconds{1})});
    order_.emplace(due, job);
}

void Timetable::remove(std::uint64_t job)
{
    if (const auto gone = entries_.extract(job))
        order_.erase({gone.mapped().due, job});
}

std::vector<Timetable::Due> Timetable::take_due(Time now)
{
    std::vector<Due> due;
    while (!order_.empty() && order_.begin()->first <= now) {
        const auto job = order_.begin()->second;
        order_.erase(order_.begin());
        Entry& entry = entries_.at(job);
        due.push_back({job, entry.due});
        entry.due += ((now - entry.due) / entry.period + 1) * entry.period;
        order_.emplace(entry.due, job);
    }
    return due;
}

Timetable::Time Timetable::next() const
{
    return order_.empty() ? Time::max() : order_.begin()->first;
}

Timetable::Time Timetable::next(std::uint64_t job) const
{
    const auto found = entries_.find(job);
    return found == entries_.end() ? Time::max() : found->second.due;
}

milliseconds stable_offset(std::int64_t check_id, std::int64_t tenant_id, milliseconds spread)
{
    if (spread <= milliseconds{0})
        return milliseconds{0};
    // SplitMix64: neighbouring ids land far apart.
    auto mix = static_cast<std::uint64_t>(check_id) * 0x9e3779b97f4a7c15U +
               static_cast<std::uint64_t>(tenant_id);
    mix = (mix ^ (mix >> 30U)) * 0xbf58476d1ce4e5b9U;
    mix = (mix ^ (mix >> 27U)) * 0x94d049bb133111ebU;
    mix ^= mix >> 31U;
    return milliseconds{mix % static_cast<std::uint64_t>(spread.count())};
}

}  // namespace sonde::schedule
