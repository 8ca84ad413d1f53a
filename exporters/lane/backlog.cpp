#include "exporters/lane/backlog.h"

#include <algorithm>
#include <utility>

namespace sonde::exporters::lane {
void Backlog::add(const Stored& stored)
{
    bytes_ += stored.bytes;
    if (stored_.empty() || stored_.back().sequence < stored.sequence) {
        stored_.push_back(stored);
        return;
    }
    stored_.insert(
        std::ranges::lower_bound(stored_, stored.sequence, {}, &Stored::sequence), stored);
}

std::vector<Stored> Backlog::oldest(std::size_t bytes, std::size_t records) const
{
    std::vector<Stored> out;
    std::size_t used = 0;
    for (const Stored& stored : stored_) {
        used += stored.bytes;
        if (out.size() >= records || (!out.empty() && used > bytes))
            break;
        out.push_back(stored);
    }
    return out;
}

std::optional<Stored> Backlog::remove(std::uint64_t sequence)
{
    const auto found = std::ranges::lower_bound(stored_, sequence, {}, &Stored::sequence);
    if (found == stored_.end() || found->sequence != sequence)
        return std::nullopt;
    const Stored stored = *found;
    stored_.erase(found);
    bytes_ -= stored.bytes;
    return stored;
}

std::deque<Stored> Backlog::clear()
{
    bytes_ = 0;
    return std::exchange(stored_, {});
}

}  // namespace sonde::exporters::lane
