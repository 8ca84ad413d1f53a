#include "agent/schedule/timetable.h"

namespace sonde::schedule {

using std::chrono::milliseconds;

void Timetable::put(std::uint64_t job, Time first, const Grid& grid)
{
    remove(job);
    const Time due = std::chrono::ceil<milliseconds>(first);
    entries_.emplace(job, Entry{due - grid.period, due, grid.after(due), grid});
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
        Due taken{job, entry.due};
        if (entry.then <= now) {
            const Time last = entry.grid.not_after(now);
            const std::uint64_t between = entry.grid.points(entry.then, last);
            taken.missed = {
                entry.due, between == 0 ? entry.due : last - entry.grid.period, 1 + between};
            taken.at = last;
            entry.then = last + entry.grid.period;
        }
        due.push_back(taken);
        entry.before = taken.at;
        entry.due = entry.then;
        entry.then = entry.due + entry.grid.period;
        order_.emplace(entry.due, job);
    }
    return due;
}

void Timetable::Entry::step(std::chrono::nanoseconds size, Time now)
{
    const bool on_grid = next_point() == due;
    const auto half = grid.period / 2;
    before += size;
    due = std::chrono::ceil<milliseconds>(due + size);
    const Time nearest = grid.not_before(before + half);
    if (on_grid && nearest >= now)
        due = nearest;
    then = grid.not_before(due + half);
}

std::vector<Timetable::Skipped> Timetable::step(std::chrono::nanoseconds size, Time now)
{
    std::vector<Skipped> skipped;
    order_.clear();
    for (auto& [job, entry] : entries_) {
        const Time first = entry.next_point();
        entry.step(size, now);
        order_.emplace(entry.due, job);
        const Time kept = entry.next_point();
        if (const std::uint64_t times = entry.grid.points(first, kept); times > 0)
            skipped.push_back({job, {first, kept - entry.grid.period, times}});
    }
    return skipped;
}

Time Timetable::next() const
{
    return order_.empty() ? Time::max() : order_.begin()->first;
}

Time Timetable::next(std::uint64_t job) const
{
    const auto found = entries_.find(job);
    return found == entries_.end() ? Time::max() : found->second.due;
}

}  // namespace sonde::schedule
