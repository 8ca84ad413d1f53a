#include "agent/schedule/clock.h"

#include <ctime>
#include <utility>

namespace sonde::schedule {
namespace {

std::chrono::nanoseconds read(clockid_t clock)
{
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

}  // namespace

Clocks host_clocks()
{
    return {[] { return read(CLOCK_BOOTTIME); }, [] { return read(CLOCK_REALTIME); }};
}

WallClock::WallClock(Clocks clocks) : clocks_{std::move(clocks)}
{
    follow(ahead());
}

std::chrono::nanoseconds WallClock::ahead() const
{
    // The process may be stopped between two readings, which must not look like a step: only
    // readings close to each other tell how far the clocks are apart.
    constexpr std::chrono::milliseconds close{1};
    for (int attempt = 0; attempt < 10; ++attempt) {
        const auto before = clocks_.running();
        const auto wall = clocks_.wall();
        if (clocks_.running() - before < close)
            return wall - before - distance_;
    }
    return std::chrono::nanoseconds{0};
}

}  // namespace sonde::schedule
