#include "exporters/delivery.h"
#include "exporters/loki.h"
#include "exporters/queue.h"
#include "exporters/remote_write.h"

#include <doctest/doctest.h>
#include <snappy.h>

#include <bit>

using namespace sonde::exporters;
using namespace std::chrono_literals;

TEST_SUITE("exporters")
{
    TEST_CASE("an answer means what the specification's table says")
    {
        const struct {
            int status;
            const char* body;
            Outcome outcome;
        } rows[] = {{200, "", Outcome::ok}, {204, "", Outcome::ok}, {0, "", Outcome::retriable},
            {500, "", Outcome::retriable}, {503, "", Outcome::retriable},
            {408, "", Outcome::retriable}, {301, "", Outcome::fatal}, {400, "", Outcome::payload},
            {400, "err-mimir-max-series-per-user", Outcome::fatal}, {401, "", Outcome::tenant},
            {403, "", Outcome::fatal}, {404, "", Outcome::fatal}, {405, "", Outcome::fatal},
            {413, "", Outcome::payload}, {422, "", Outcome::payload}, {429, "", Outcome::wait},
            {429, "limit: 0 bytes", Outcome::fatal},
            {429, "Maximum active stream limit exceeded", Outcome::limit},
            {429, "first line\nMaximum active stream limit exceeded", Outcome::wait}};
        for (const auto& row : rows) {
            CAPTURE(row.status);
            CAPTURE(row.body);
            CHECK(classify(row.status, row.body) == row.outcome);
        }
    }

    TEST_CASE("a queue keeps its bounds by dropping the oldest, and retried records go first")
    {
        const auto now = Queue::Time{} + 1h;
        const auto record = [&](std::size_t bytes) {
            return Record{{std::string(bytes, 'x'), bytes}, now};
        };
        Queue queue{100, 1min};
        CHECK(queue.add(record(40)) == 0);
        CHECK(queue.add(record(50)) == 0);
        CHECK(queue.add(record(30)) == 1);
        CHECK(queue.bytes() == 80);
        auto batch = queue.take(60);
        REQUIRE(batch.size() == 1);
        CHECK(batch[0].block.body.size() == 50);
        CHECK(queue.put_back(std::move(batch), now) == 0);
        CHECK(queue.take(1)[0].block.body.size() == 50);
        CHECK(queue.expire(now + 2min) == 1);
        CHECK(queue.add(record(101)) == 1);
        CHECK(queue.empty());
    }

    TEST_CASE("joined blocks are one snappy block of all requests")
    {
        Payload payload;
        payload.timestamp_ms = 1234;
        payload.series =
            std::make_shared<const Identities>(Identities{Identity{{{"__name__", "up"}}}});
        payload.values = {1};
        const std::string raw = encode_series(payload);
        const std::string body = join({{wire::compress(raw), {}}, {wire::compress(raw), {}}});
        std::string back;
        REQUIRE(snappy::Uncompress(body.data(), body.size(), &back));
        CHECK(back == raw + raw);
    }

    TEST_CASE("the bits of a stale marker arrive as they are")
    {
        Payload payload;
        payload.series = std::make_shared<const Identities>(Identities{Identity{{}}});
        payload.values = {std::bit_cast<double>(std::uint64_t{0x7ff0000000000002})};
        const std::string marker{"\x02\x00\x00\x00\x00\x00\xf0\x7f", 8};
        CHECK(encode_series(payload).find(marker) != std::string::npos);
    }

    TEST_CASE("labels of a stream are escaped")
    {
        CHECK(labels_text({{"job", "a \"b\" \\ c\nd"}, {"probe", "x"}}) ==
              R"({job="a \"b\" \\ c\nd",probe="x"})");
    }
}
