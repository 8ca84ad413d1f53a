#include "checkers/http/body.h"
#include "tests/support/deflated.h"

#include <doctest/doctest.h>

using namespace sonde::checkers::http;

namespace {

constexpr int raw = -15;
constexpr int gzip = 15 + 16;

}  // namespace

TEST_SUITE("checkers")
{
    TEST_CASE("a body that ends within a run of equal bytes is decoded to its end")
    {
        // The decoder takes the last input byte before it has written the last run.
        for (std::size_t size = 65536; size < 65536 + 600; ++size) {
            CAPTURE(size);
            Body body{Compression::deflate, 1 << 20, true};
            body.add(sonde::tests::deflated(std::string(size, 'a'), raw));
            body.finish(false);
            REQUIRE(body.problem() == BodyProblem::none);
            REQUIRE(body.length() == size);
        }
    }

    TEST_CASE("of bytes that stand for too many, no more are decoded than the limit")
    {
        const std::string bytes = sonde::tests::deflated(std::string(8 << 20, '\0'), gzip);
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
