#pragma once

#include "exporters/wire.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

namespace sonde::exporters {

/// What one run sends to one remote.
struct Record {
    wire::Block block;
    std::chrono::steady_clock::time_point queued;
};

/// Waiting records, in order, bounded in compressed bytes and in age: the oldest go first
/// (spec 03 §4.7). Has no clock: it is told the time.
class Queue {
public:
    using Time = std::chrono::steady_clock::time_point;

    Queue(std::size_t max_bytes, std::chrono::milliseconds max_age)
        : max_bytes_{max_bytes}, max_age_{max_age}
    {}

    /// @return how many records had to go to keep the limits, the new one maybe among them.
    std::size_t add(Record record);

    /// Records of a request that was not taken, back to the front. @return how many had to go.
    std::size_t put_back(std::vector<Record> records, Time now);

    /// Records for one request of at most `bytes`; always one at least, unless there is none.
    std::vector<Record> take(std::size_t bytes);

    /// Drops what is too old. @return how many.
    std::size_t expire(Time now);

    std::size_t clear();  ///< @return how many records there were
    bool empty() const { return records_.empty(); }
    std::size_t size() const { return records_.size(); }
    std::size_t bytes() const { return bytes_; }
    Time oldest() const { return records_.front().queued; }

private:
    std::size_t shrink();

    std::size_t max_bytes_;
    std::chrono::milliseconds max_age_;
    std::deque<Record> records_;
    std::size_t bytes_ = 0;
};

/// The body of a request: the blocks of all records as one snappy block.
std::string join(const std::vector<Record>& records);

}  // namespace sonde::exporters
