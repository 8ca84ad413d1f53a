#include "agent/base/error.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <type_traits>

using namespace sonde;

namespace {

// Were it convertible, Result<std::string>{"x"} could be either.
static_assert(!std::is_convertible_v<std::string, Error>);
static_assert(!std::is_constructible_v<Error, std::string>);

Result<int> half(int number)
{
    if (number % 2 != 0)
        return error("odd", "{} is not twice {}", number, number / 2);
    return number / 2;
}

Result<> only(bool good)
{
    if (!good)
        return Error{"bad", "no good", "ground"};
    return {};
}

}  // namespace

TEST_SUITE("agent/base/error")
{
    TEST_CASE("an error keeps its reason apart from the message it formats")
    {
        const auto failed = half(7);
        REQUIRE(failed.has_error());
        CHECK(failed.error().reason == "odd");
        CHECK(failed.error().message == "7 is not twice 3");
        CHECK(failed.error().cause.empty());
    }

    TEST_CASE("a cause is kept beside the reason")
    {
        const auto failed = only(false);
        REQUIRE(failed.has_error());
        CHECK(failed.error().reason == "bad");
        CHECK(failed.error().message == "no good");
        CHECK(failed.error().cause == "ground");
        CHECK(only(true).has_value());
    }

    TEST_CASE("a string is a value, never an error")
    {
        const Result<std::string> text = std::string{"plain"};
        REQUIRE(text.has_value());
        CHECK(*text == "plain");
    }

    TEST_CASE("the value of a failure throws its message")
    {
        CHECK(half(8).value() == 4);
        CHECK_THROWS_WITH_AS(half(7).value(), "7 is not twice 3", std::runtime_error);
    }
}
