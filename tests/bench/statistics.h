#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace sonde::bench {

/// The value below which the share `q` of them lies (nearest rank); 0 for none.
inline double quantile(std::vector<double> values, double q)
{
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

inline double median(const std::vector<double>& values)
{
    return quantile(values, 0.5);
}

}  // namespace sonde::bench
