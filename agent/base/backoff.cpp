#include "agent/base/backoff.h"

#include <algorithm>
#include <cmath>

namespace sonde {

std::chrono::milliseconds Backoff::next(double jitter)
{
    // pow() overflows to infinity long before attempts_ does; min() takes care of that.
    const Milliseconds upper = first_ * std::pow(factor_, attempts_++);
    const auto wait =
        std::min(ceiling_, first_ + jitter * (std::min(upper, ceiling_ * 1e3) - first_));
    return std::chrono::round<std::chrono::milliseconds>(wait);
}

}  // namespace sonde
