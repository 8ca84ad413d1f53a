#include "exporters/journal_sequences.h"

#include <algorithm>
#include <iterator>

namespace sonde::exporters {

void SequenceSet::insert(std::uint64_t first, std::uint64_t last)
{
    auto next = ranges_.upper_bound(first);
    if (next != ranges_.begin()) {
        const auto before = std::prev(next);
        if (before->second + 1 >= first) {
            first = before->first;
            last = std::max(last, before->second);
            next = ranges_.erase(before);
        }
    }
    while (next != ranges_.end() && next->first <= last + 1) {
        last = std::max(last, next->second);
        next = ranges_.erase(next);
    }
    ranges_.emplace_hint(next, first, last);
}

void SequenceSet::erase(std::uint64_t first, std::uint64_t last)
{
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin() && std::prev(at)->second >= first)
        --at;
    while (at != ranges_.end() && at->first <= last) {
        const auto [low, high] = *at;
        at = ranges_.erase(at);
        if (low < first)
            ranges_.emplace(low, first - 1);
        if (high > last)
            ranges_.emplace(last + 1, high);
    }
}

void SequenceSet::insert(const SequenceSet& others)
{
    for (const auto& [first, last] : others.ranges_)
        insert(first, last);
}

void SequenceSet::erase(const SequenceSet& others)
{
    for (const auto& [first, last] : others.ranges_)
        erase(first, last);
}

}  // namespace sonde::exporters
