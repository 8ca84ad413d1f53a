#include "checkers/http/body.h"

#include <doctest/doctest.h>
#include <zlib.h>

using namespace sonde::checkers::http;

namespace {

constexpr int raw = -15;
constexpr int gzip = 15 + 16;

std::string compressed(std::string_view content, int window_bits)
{
    z_stream stream{};
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace

TEST_SUITE("checkers")
{
    TEST_CASE("a body that ends within a run of equal bytes is decoded to its end")
    {
        // The decoder takes the last input byte before it has written the last run.
        for (std::size_t size = 65536; size < 65536 + 600; ++size) {
            CAPTURE(size);
            Body body{Compression::deflate, 1 << 20, true};
            body.add(compressed(std::string(size, 'a'), raw));
            body.finish(false);
            REQUIRE(body.problem() == BodyProblem::none);
            REQUIRE(body.length() == size);
        }
    }

    TEST_CASE("of bytes that stand for too many, no more are decoded than the limit")
    {
        const std::string bytes = compressed(std::string(8 << 20, '\0'), gzip);
        Body kept{Compression::gzip, 100'000, true};
        CHECK_FALSE(kept.add(bytes));
        CHECK(kept.problem() == BodyProblem::too_large);
        CHECK(kept.length() == 100'000);
        CHECK(kept.text().size() <= 100'000);

        Body counted{Compression::gzip, 100'000, false};
        CHECK(counted.add(bytes));
        counted.finish(false);
        CHECK(counted.problem() == BodyProblem::none);
        CHECK(counted.length() == 8 << 20);
        CHECK(counted.text().empty());
    }
}
