#pragma once

#include "agent/base/backoff.h"
#include "agent/link/timings.h"

#include <cmath>

namespace sonde::link {

/// The waits between sessions (spec 01 §7.7).
inline Backoff session_backoff(const Timings& timings)
{
    const double steps = 8;
    const Backoff::Milliseconds first = timings.first_backoff;
    return {first, timings.longest_backoff, std::pow(timings.longest_backoff / first, 1 / steps)};
}

}  // namespace sonde::link
