// The parts of a lane that have no clock and do no I/O.
#include "exporters/lane/backlog.h"
#include "exporters/lane/pace.h"
#include "exporters/lane/queue.h"

#include <doctest/doctest.h>

#include <limits>

using namespace sonde::exporters;
using namespace sonde::exporters::lane;
using namespace std::chrono_literals;

namespace {

constexpr auto any_number = std::numeric_limits<std::size_t>::max();

Record record(std::uint64_t sequence, std::size_t bytes, Queue::Time queued = {})
{
    Record made;
    made.sequence = sequence;
    made.block = {std::string(bytes, 'x'), bytes};
    made.queued = queued;
    return made;
}

std::vector<std::uint64_t> numbers(const Records& records)
{
    std::vector<std::uint64_t> out;
    for (const Record& each : records)
        out.push_back(each.sequence);
    return out;
}

Stored stored(std::uint64_t sequence)
{
    Stored made;
    made.sequence = sequence;
    made.bytes = 10;
    return made;
}

}  // namespace

TEST_SUITE_BEGIN("exporters/lane");

TEST_CASE("a queue gives the oldest first, in requests of a size, and what overflows")
{
    Queue queue{100, 1min};
    for (const auto& [sequence, bytes] : {std::pair{1U, 40U}, {2U, 50U}, {3U, 30U}})
        queue.add(record(sequence, bytes));
    CHECK(numbers(queue.overflow()) == std::vector<std::uint64_t>{1});
    CHECK(queue.bytes() == 80);
    auto taken = queue.take(60, any_number);
    CHECK(numbers(taken) == std::vector<std::uint64_t>{2});
    queue.put_back(std::move(taken));
    CHECK(numbers(queue.take(1, any_number)) == std::vector<std::uint64_t>{2});
    queue.add(record(4, 1));
    CHECK(numbers(queue.take(1000, 1)) == std::vector<std::uint64_t>{3});
    queue.add(record(5, 101));
    CHECK(numbers(queue.overflow()) == std::vector<std::uint64_t>{4, 5});
    CHECK(queue.empty());
    CHECK(queue.bytes() == 0);
}

TEST_CASE("only what is in memory alone becomes too old")
{
    const auto now = Queue::Time{} + 1h;
    Queue queue{1000, 1min};
    for (const std::uint64_t sequence : {1U, 2U, 3U}) {
        queue.add(record(sequence, 10, now));
        Record kept = record(sequence + 10, 10, now);
        kept.on_disk = true;
        if (sequence == 2)
            queue.add(std::move(kept));
    }
    CHECK(queue.expire(now + 1min).empty());
    CHECK(numbers(queue.expire(now + 2min)) == std::vector<std::uint64_t>{1, 2});
    queue.off_disk(99);
    queue.off_disk(12);
    CHECK(numbers(queue.expire(now + 2min)) == std::vector<std::uint64_t>{12, 3});
}

TEST_CASE("a backlog is in the order of its numbers, whatever the order they came in")
{
    Backlog backlog;
    for (const std::uint64_t sequence : {5U, 9U, 7U, 3U, 4U})
        backlog.add(stored(sequence));
    CHECK(backlog.bytes() == 50);
    const auto oldest = backlog.oldest(25, any_number);
    REQUIRE(oldest.size() == 2);
    CHECK(oldest[0].sequence == 3);
    CHECK(oldest[1].sequence == 4);
    CHECK(backlog.oldest(1, any_number).size() == 1);
    CHECK(backlog.oldest(1000, 3).size() == 3);
    CHECK_FALSE(backlog.remove(6).has_value());
    CHECK(backlog.remove(7)->sequence == 7);
    CHECK(backlog.size() == 4);
    CHECK(backlog.clear().back().sequence == 9);
    CHECK(backlog.bytes() == 0);
}

TEST_CASE("the pace: pauses double up to their ceilings, and a success ends them")
{
    const auto now = Pace::Time{} + 1h;
    Pace pace{Timings{}};
    const auto pauses = [&](auto fail, int times) {
        std::vector<std::chrono::milliseconds> out;
        for (int i = 0; i < times; ++i) {
            fail();
            out.push_back(
                std::chrono::duration_cast<std::chrono::milliseconds>(pace.next_try() - now));
        }
        return out;
    };
    using Pauses = std::vector<std::chrono::milliseconds>;
    CHECK_FALSE(pace.failing());
    CHECK(pauses([&] { pace.failed(now, 0.5, false); }, 12) == Pauses{50ms, 100ms, 200ms, 400ms,
                                                                   800ms, 1600ms, 3200ms, 6400ms,
                                                                   12'800ms, 25'600ms, 30s, 30s});
    CHECK(pace.failing());
    CHECK(pace.most_records() == 1);
    pace.delivered(1ms, 5s);
    CHECK_FALSE(pace.failing());
    CHECK(pace.next_try() <= now);
    CHECK(pauses([&] { pace.failed(now, 0, false); }, 2) == Pauses{40ms, 80ms});
    CHECK(pauses([&] { pace.failed(now, 1, false); }, 1) == Pauses{240ms});
    CHECK(pauses([&] { pace.rejected_credentials(now); }, 5) == Pauses{10s, 20s, 40s, 60s, 60s});
    CHECK(pauses([&] { pace.rejected_all(now); }, 4) == Pauses{60s, 120s, 240s, 300s});
    pace.delivered(1ms, 5s);
    CHECK(pauses([&] { pace.rejected_all(now); }, 1) == Pauses{60s});
}

TEST_CASE("the pace: after a failure requests grow again, after a refusal they do not")
{
    Pace pace{Timings{}};
    CHECK(pace.most_records() == any_number);
    pace.failed({}, 0, false);
    pace.delivered(1ms, 5s);
    CHECK(pace.most_records() == 4);
    pace.refused();
    CHECK(pace.most_records() == 1);
    for (int i = 0; i < 40; ++i)
        pace.delivered(1ms, 5s);
    CHECK(pace.most_records() == any_number);
}

TEST_CASE("the pace: who is slow is given more time, and for as long as it is slow")
{
    Pace pace{Timings{}};
    std::vector<std::chrono::milliseconds> waits;
    for (int i = 0; i < 6; ++i) {
        waits.push_back(pace.timeout(5s));
        pace.failed({}, 0, true);
    }
    CHECK(waits == std::vector<std::chrono::milliseconds>{5s, 10s, 20s, 40s, 60s, 60s});
    pace.failed({}, 0, false);
    CHECK(pace.timeout(5s) == 60s);
    pace.delivered(6s, 5s);
    CHECK(pace.timeout(5s) == 60s);
    pace.delivered(4s, 5s);
    CHECK(pace.timeout(5s) == 5s);
}

TEST_SUITE_END();
