#pragma once

#include "exporters/tenant_source.h"
#include "exporters/wire.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace sonde::exporters::lane {

/// What one run, or another payload, sends to one remote.
struct Record {
    std::uint64_t sequence = 0;  ///< of its entry
    std::optional<CheckKey> run_of;
    std::int64_t timestamp_ms = 0;
    wire::Block block;
    std::chrono::steady_clock::time_point queued;
    bool on_disk = false;    ///< the journal has it too
    bool uncertain = false;  ///< may have been stored by a request whose answer did not come
};
using Records = std::vector<Record>;

/// Waiting records in memory, in order, bounded in compressed bytes; those that are nowhere else
/// also in age (spec 03 §4.7). Has no clock: it is told the time.
class Queue {
public:
    using Time = std::chrono::steady_clock::time_point;

    Queue(std::size_t max_bytes, std::chrono::milliseconds max_age)
        : max_bytes_{max_bytes}, max_age_{max_age}
    {}
    void set_bounds(std::size_t max_bytes, std::chrono::milliseconds max_age);

    void add(Record record);

    /// Records of a request that was not taken, to the front.
    void put_back(Records records);

    /// The oldest, for one request: at most `records` of at most `bytes` together; always one at
    /// least, unless there is none.
    Records take(std::size_t bytes, std::size_t records);

    /// Takes out what is beyond the bound in bytes: the oldest.
    Records overflow();

    /// Takes out what is too old and in memory alone.
    Records expire(Time now);

    Records clear();

    /// The journal has given a record up: from now on it is in memory alone, if it is here.
    void off_disk(std::uint64_t sequence);

    bool empty() const { return records_.empty(); }
    std::size_t size() const { return records_.size(); }
    std::size_t bytes() const { return bytes_; }
    Time oldest() const { return records_.front().queued; }

private:
    Record pop();

    std::size_t max_bytes_;
    std::chrono::milliseconds max_age_;
    std::deque<Record> records_;
    std::size_t bytes_ = 0;
};

/// The body of a request: the blocks of all records as one snappy block.
std::string join(const Records& records);

}  // namespace sonde::exporters::lane
