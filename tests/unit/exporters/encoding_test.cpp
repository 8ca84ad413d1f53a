#include "exporters/lane/queue.h"
#include "exporters/loki.h"
#include "exporters/remote_write.h"

#include <doctest/doctest.h>
#include <snappy.h>

#include <bit>

using namespace sonde::exporters;

TEST_SUITE("exporters")
{
    TEST_CASE("joined blocks are one snappy block of all requests")
    {
        Payload payload;
        payload.timestamp_ms = 1234;
        payload.series =
            std::make_shared<const Identities>(std::vector<LabelSet>{{{"__name__", "up"}}});
        payload.values = {1};
        const std::string raw = encode_series(payload);
        lane::Records records(2);
        for (lane::Record& record : records)
            record.block = wire::compress(raw);
        const std::string body = lane::join(records);
        std::string back;
        REQUIRE(snappy::Uncompress(body.data(), body.size(), &back));
        CHECK(back == raw + raw);
    }

    TEST_CASE("the bits of a stale marker arrive as they are")
    {
        Payload payload;
        payload.series = std::make_shared<const Identities>(std::vector<LabelSet>{{}});
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
