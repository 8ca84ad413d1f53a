#include "agent/schedule/grid.h"

#include <algorithm>

namespace sonde::schedule {

using std::chrono::milliseconds;

namespace {

milliseconds since_epoch(Time time)
{
    return std::chrono::floor<milliseconds>(time.time_since_epoch());
}

std::int64_t floor_divided(milliseconds value, milliseconds by)
{
    const auto whole = value / by;
    return value % by < milliseconds{0} ? whole - 1 : whole;
}

/// The finalizer of SplitMix64.
std::uint64_t mixed(std::uint64_t bits)
{
    bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
    return bits ^ (bits >> 31U);
}

}  // namespace

std::int64_t to_ms(Time time)
{
    return since_epoch(time).count();
}

Time from_ms(std::int64_t ms)
{
    return Time{milliseconds{ms}};
}

Grid Grid::through(Time point, milliseconds period)
{
    const milliseconds at_least_one = std::max(period, milliseconds{1});
    const milliseconds at = since_epoch(point);
    return {at_least_one, at - floor_divided(at, at_least_one) * at_least_one};
}

Time Grid::not_after(Time time) const
{
    return Time{floor_divided(since_epoch(time) - offset, period) * period + offset};
}

Time Grid::after(Time time) const
{
    return not_after(time) + period;
}

Time Grid::not_before(Time time) const
{
    const Time last = not_after(time);
    return last == time ? last : last + period;
}

std::uint64_t Grid::points(Time from, Time until) const
{
    if (until <= from)
        return 0;
    return static_cast<std::uint64_t>((not_before(until) - not_before(from)) / period);
}

Grid grid_of(const pb::Check& check, std::int64_t probe_id, milliseconds spread)
{
    const milliseconds period = std::max(milliseconds{check.frequency()}, milliseconds{1});
    const milliseconds offset = check.offset() > 0 ? milliseconds{check.offset()} % period
                                                   : stable_offset(check.id(), check.tenantid(),
                                                         probe_id, std::min(period, spread));
    return {period, offset};
}

milliseconds stable_offset(
    std::int64_t check_id, std::int64_t tenant_id, std::int64_t probe_id, milliseconds spread)
{
    if (spread <= milliseconds{0})
        return milliseconds{0};
    std::uint64_t bits = 0;
    for (const std::int64_t part : {check_id, tenant_id, probe_id})
        bits = mixed(bits + 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(part));
    return milliseconds{bits % static_cast<std::uint64_t>(spread.count())};
}

}  // namespace sonde::schedule
