#include "exporters/delivery.h"

#include <doctest/doctest.h>

using namespace sonde::exporters;
using namespace std::chrono_literals;

TEST_SUITE("exporters/delivery")
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

    TEST_CASE("a refusal because of time is told from others")
    {
        const struct {
            const char* body;
            bool is_it;
        } rows[] = {{"out of order sample", true}, {"Out of bounds", true},
            {"too old sample", true},
            {"the sample has been rejected because it is too far behind (err-mimir-sample-too-old)",
                true},
            {"entry with timestamp 2023 ignored, reason: 'entry too far behind'", true},
            {"has timestamp older than the oldest acceptable", true}, {"", false},
            {"label name is invalid\nout of order", false}, {"bad label", false}};
        for (const auto& row : rows) {
            CAPTURE(row.body);
            CHECK(is_about_time(row.body) == row.is_it);
        }
    }

    TEST_CASE("Retry-After is heeded in seconds, within bounds")
    {
        const struct {
            const char* header;
            std::chrono::milliseconds rest;
        } rows[] = {{"", 60s}, {"0", 0s}, {"7", 7s}, {"300", 300s}, {"301", 300s},
            {"99999999999999", 300s}, {"-1", 60s}, {"1.5", 60s},
            {"Wed, 21 Oct 2015 07:28:00 GMT", 60s}};
        for (const auto& row : rows) {
            CAPTURE(row.header);
            CHECK(rest_after_429(row.header, 60s, 300s) == row.rest);
        }
        CHECK(rest_after_429("", 60s, 10s) == 10s);
    }
}
