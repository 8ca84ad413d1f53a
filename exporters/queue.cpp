#include "exporters/queue.h"

#include <iterator>
#include <utility>

namespace sonde::exporters {

std::size_t Queue::add(Record record)
{
    const std::size_t expired = expire(record.queued);
    bytes_ += record.block.body.size();
    records_.push_back(std::move(record));
    return expired + shrink();
}

std::size_t Queue::put_back(std::vector<Record> records, Time now)
{
    for (const Record& record : records)
        bytes_ += record.block.body.size();
    records_.insert(records_.begin(), std::make_move_iterator(records.begin()),
        std::make_move_iterator(records.end()));
    return expire(now) + shrink();
}

std::vector<Record> Queue::take(std::size_t bytes)
{
    std::vector<Record> taken;
    std::size_t used = 0;
    while (!records_.empty()) {
        const std::size_t next = records_.front().block.body.size();
        if (!taken.empty() && used + next > bytes)
            break;
        used += next;
        bytes_ -= next;
        taken.push_back(std::move(records_.front()));
        records_.pop_front();
    }
    return taken;
}

std::size_t Queue::expire(Time now)
{
    std::size_t dropped = 0;
    for (; !records_.empty() && now - records_.front().queued > max_age_; ++dropped) {
        bytes_ -= records_.front().block.body.size();
        records_.pop_front();
    }
    return dropped;
}

std::size_t Queue::shrink()
{
    std::size_t dropped = 0;
    for (; bytes_ > max_bytes_; ++dropped) {
        bytes_ -= records_.front().block.body.size();
        records_.pop_front();
    }
    return dropped;
}

std::size_t Queue::clear()
{
    bytes_ = 0;
    return std::exchange(records_, {}).size();
}

std::string join(const std::vector<Record>& records)
{
    std::size_t raw = 0;
    for (const Record& record : records)
        raw += record.block.raw_size;
    std::string body;
    wire::varint(body, raw);
    for (const Record& record : records)
        body += record.block.body;
    return body;
}

}  // namespace sonde::exporters
