#pragma once

#include "exporters/tenant_source.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace sonde::exporters::lane {

/// What is known of a record that only the disk has: 48 bytes, so that a day of them fits in
/// memory.
struct Stored {
    std::uint64_t sequence = 0;
    std::int64_t timestamp_ms = 0;
    std::optional<CheckKey> run_of;
    std::uint32_t bytes = 0;  ///< of its block
    bool uncertain = false;   ///< may have been stored by a request whose answer did not come
};

/// The records of a lane that only the disk has, in the order of their sequence numbers.
class Backlog {
public:
    void add(const Stored& stored);

    /// The oldest, for one request: at most `records` of at most `bytes` together; always one at
    /// least, unless there is none. They stay.
    std::vector<Stored> oldest(std::size_t bytes, std::size_t records) const;

    /// @return nullopt when it is not here.
    std::optional<Stored> remove(std::uint64_t sequence);

    std::deque<Stored> clear();

    bool empty() const { return stored_.empty(); }
    std::size_t size() const { return stored_.size(); }
    std::size_t bytes() const { return bytes_; }

private:
    std::deque<Stored> stored_;
    std::size_t bytes_ = 0;
};

}  // namespace sonde::exporters::lane
