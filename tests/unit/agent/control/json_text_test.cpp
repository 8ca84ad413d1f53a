#include "agent/control/http/json_text.h"

#include <doctest/doctest.h>

using namespace sonde;

TEST_SUITE("control")
{
    TEST_CASE("a member that is nested without end is no value, and does no harm")
    {
        constexpr std::size_t depth = 200'000;  // within the largest body
        const std::string body = "{\"stackId\": " + std::string(depth, '[') +
                                 std::string(depth, ']') + ", \"other\": 1}";
        CHECK(control::integer_member(body, "stackId").has_error());
        CHECK(control::text_member(body, "stackId").has_error());
        CHECK(control::bool_member(body, "stackId").has_error());
        CHECK(control::raw_member(body, "stackId").value_or("").size() <= 128);
        CHECK(*control::integer_member(body, "other") == 1);
    }

    TEST_CASE("members that are absent, null or in no object are none")
    {
        for (const std::string_view body :
            {"{}", "{\"a\": null}", "[1]", "\"a\"", "{\"a\": 1", ""}) {
            CAPTURE(body);
            CHECK_FALSE(control::integer_member(body, "a")->has_value());
            CHECK_FALSE(control::text_member(body, "a")->has_value());
            CHECK_FALSE(control::bool_member(body, "a")->has_value());
            CHECK_FALSE(control::raw_member(body, "a").has_value());
        }
    }
}
