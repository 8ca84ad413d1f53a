#include "exporters/lane/queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sonde::exporters::lane {

void Queue::set_bounds(std::size_t max_bytes, std::chrono::milliseconds max_age)
{
    max_bytes_ = max_bytes;
    max_age_ = max_age;
}

void Queue::add(Record record)
{
    bytes_ += record.block.body.size();
    records_.push_back(std::move(record));
}

void Queue::put_back(Records records)
{
    for (const Record& record : records)
        bytes_ += record.block.body.size();
    records_.insert(records_.begin(), std::make_move_iterator(records.begin()),
        std::make_move_iterator(records.end()));
}

Records Queue::take(std::size_t bytes, std::size_t records)
{
    Records taken;
    std::size_t used = 0;
    while (!records_.empty() && taken.size() < records) {
        used += records_.front().block.body.size();
        if (!taken.empty() && used > bytes)
            break;
        taken.push_back(pop());
    }
    return taken;
}

Records Queue::overflow()
{
    Records out;
    while (bytes_ > max_bytes_)
        out.push_back(pop());
    return out;
}

Records Queue::expire(Time now)
{
    Records out;
    while (!records_.empty() && !records_.front().on_disk && now - oldest() > max_age_)
        out.push_back(pop());
    return out;
}

Records Queue::clear()
{
    Records out{std::make_move_iterator(records_.begin()), std::make_move_iterator(records_.end())};
    records_.clear();
    bytes_ = 0;
    return out;
}

void Queue::off_disk(std::uint64_t sequence)
{
    const auto found = std::ranges::find_if(records_,
        [&](const Record& record) { return record.on_disk && record.sequence == sequence; });
    if (found != records_.end())
        found->on_disk = false;
}

Record Queue::pop()
{
    Record record = std::move(records_.front());
    records_.pop_front();
    bytes_ -= record.block.body.size();
    return record;
}

std::string join(const Records& records)
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

}  // namespace sonde::exporters::lane
