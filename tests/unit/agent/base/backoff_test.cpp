#include "agent/base/backoff.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string_view>
#include <vector>

using namespace sonde;
using namespace std::chrono_literals;

TEST_SUITE("agent/base/backoff")
{
    TEST_CASE("without a jitter the waits grow by the factor up to the ceiling")
    {
        struct Row {
            std::string_view whose;
            Backoff backoff;
            std::vector<std::chrono::milliseconds> waits;
        };
        Row table[] = {
            {"spec 01 §7.7", {2s, 30s, std::pow(15.0, 1.0 / 8)},
                {2000ms, 2806ms, 3936ms, 5522ms, 7746ms, 10866ms, 15244ms, 21385ms, 30000ms,
                    30000ms}},
            {"spec 03 §4.8", {50ms, 30s, 2},
                {50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms,
                    30000ms, 30000ms}},
            {"a constant wait", {70ms, 1s, 1}, {70ms, 70ms, 70ms}},
            {"a first wait above the ceiling", {5s, 1s, 2}, {1s, 1s}},
        };
        for (Row& row : table) {
            CAPTURE(row.whose);
            int handed_out = 0;
            for (const auto wait : row.waits) {
                CHECK(row.backoff.attempts() == handed_out++);
                CHECK(row.backoff.next() == wait);
            }
        }
    }

    TEST_CASE("a jitter draws between the first wait and the exponential one")
    {
        struct Row {
            double jitter;
            std::chrono::milliseconds third;
        };
        const Row table[] = {{0, 100ms}, {0.25, 300ms}, {0.5, 500ms}, {1, 900ms}};
        for (const auto& [jitter, third] : table) {
            CAPTURE(jitter);
            Backoff backoff{100ms, 10s, 3};
            CHECK(backoff.next(jitter) == 100ms);
            backoff.next(jitter);
            CHECK(backoff.next(jitter) == third);
        }
    }

    TEST_CASE("the draw is clamped, not its upper bound")
    {
        Backoff backoff{100ms, 500ms, 10};
        backoff.next();
        backoff.next();
        CHECK(backoff.next(0.5) == 500ms);    // half of 100 to 10,000 is beyond the ceiling
        CHECK(backoff.next(0.001) == 200ms);  // 100 + 0.001 × 99,900
    }

    TEST_CASE("a reset begins anew")
    {
        Backoff backoff{50ms, 30s, 2};
        backoff.next();
        backoff.next();
        backoff.reset();
        CHECK(backoff.attempts() == 0);
        CHECK(backoff.next() == 50ms);
        CHECK(backoff.next() == 100ms);
    }

    TEST_CASE("after very many attempts the bounds still hold")
    {
        Backoff backoff{50ms, 30s, 2};
        for (int i = 0; i < 5000; ++i)  // 2 to the 5000th is infinite as a double
            backoff.next();
        CHECK(backoff.next(1) == 30s);
        CHECK(backoff.next(0.5) == 30s);
        CHECK(backoff.next(0) == 50ms);  // zero times infinity would be no number
    }
}
