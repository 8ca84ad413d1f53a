#pragma once

#include "exporters/record_type.h"

#include <cstdint>
#include <map>

namespace sonde::exporters {

/// Sequence numbers of a journal start at 1 and stay below this, so that arithmetic on what a
/// damaged file claims cannot overflow.
inline constexpr std::uint64_t sequence_end = std::uint64_t{1} << 62U;

/// A set of sequence numbers, kept as ranges: as small as it has holes, however large the ranges.
class SequenceSet {
public:
    /// All from `first` to `last`, both included; `first` ≤ `last`.
    void insert(std::uint64_t first, std::uint64_t last);
    void erase(std::uint64_t first, std::uint64_t last);
    void insert(const SequenceSet& others);
    void erase(const SequenceSet& others);

    bool empty() const { return ranges_.empty(); }

    /// First number of each range → its last.
    const std::map<std::uint64_t, std::uint64_t>& ranges() const { return ranges_; }

private:
    std::map<std::uint64_t, std::uint64_t> ranges_;
};

/// Halves of entries.
struct HalfSet {
    SequenceSet metrics;
    SequenceSet logs;

    SequenceSet& of(Type type) { return type == Type::metrics ? metrics : logs; }
    const SequenceSet& of(Type type) const { return type == Type::metrics ? metrics : logs; }
    bool empty() const { return metrics.empty() && logs.empty(); }

    void insert(const HalfSet& others)
    {
        metrics.insert(others.metrics);
        logs.insert(others.logs);
    }
};

}  // namespace sonde::exporters
