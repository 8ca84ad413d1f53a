#include "config/values.h"

#include <doctest/doctest.h>

namespace sonde::config {
namespace {

using namespace std::chrono_literals;

TEST_SUITE("config")
{
    TEST_CASE("durations are read and printed in the longest unit that fits")
    {
        const std::pair<std::string_view, std::chrono::milliseconds> table[] = {{"250ms", 250ms},
            {"15s", 15s}, {"5m", 5min}, {"1h", 1h}, {"365d", 365 * 24h}, {"0s", 0ms},
            {"1500ms", 1500ms}};
        for (const auto& [text, value] : table) {
            CAPTURE(text);
            const auto read = parse_duration(text);
            REQUIRE(read.has_value());
            CHECK(*read == value);
            CHECK(print_duration(value) == text);
        }
    }

    TEST_CASE("what is no duration is refused")
    {
        for (const std::string_view text : {"", "5", "s", "-1s", "1.5s", "1 s", "1S", "1w", "+1s",
                 "99999999999999999999s", "99999999999d"}) {
            CAPTURE(text);
            REQUIRE(parse_duration(text).has_error());
            CHECK(parse_duration(text).error().reason == "bad_value");
        }
    }

    TEST_CASE("sizes are read and printed in the largest unit that fits")
    {
        const std::pair<std::string_view, std::size_t> table[] = {
            {"0", 0}, {"1000", 1000}, {"64KiB", 65536}, {"4MiB", 4194304}, {"1GiB", 1073741824}};
        for (const auto& [text, value] : table) {
            CAPTURE(text);
            const auto read = parse_size(text);
            REQUIRE(read.has_value());
            CHECK(*read == value);
            CHECK(print_size(value) == text);
        }
        for (const std::string_view text :
            {"", "KiB", "1KB", "1.5MiB", "-1", "99999999999999GiB"}) {
            CAPTURE(text);
            CHECK(parse_size(text).has_error());
        }
    }

    TEST_CASE("paths and names of variables are derived as documented")
    {
        CHECK(absolute("ca.pem", "/etc/sonde") == "/etc/sonde/ca.pem");
        CHECK(absolute("../ca.pem", "/etc/sonde") == "/etc/ca.pem");
        CHECK(absolute("/ca.pem", "/etc/sonde") == "/ca.pem");
        CHECK(absolute("", "/etc/sonde").empty());
        CHECK(
            environment_name("control.http.max_body_bytes") == "SONDE_CONTROL_HTTP_MAX_BODY_BYTES");
    }
}

}  // namespace
}  // namespace sonde::config
