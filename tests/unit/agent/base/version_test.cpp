#include "agent/base/stopwatch.h"
#include "agent/base/version.h"

#include <doctest/doctest.h>

#include <regex>
#include <string>

using namespace sonde;

namespace {

bool matches(std::string_view text, const char* pattern)
{
    return std::regex_match(std::string{text}, std::regex{pattern});
}

}  // namespace

TEST_SUITE("agent/base/version")
{
    TEST_CASE("number, commit and build time have their forms")
    {
        CHECK(matches(version::number, R"(\d+\.\d+\.\d+)"));
        CHECK(matches(version::commit, "unknown|[0-9a-f]{40}"));
        CHECK(matches(version::built, R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"));
    }

    TEST_CASE("the user agent names all of them, in the form of spec 02 §2.3")
    {
        std::string expected = "sonde/";
        expected.append(version::number).append(" (linux ");
#if defined(__aarch64__)
        expected.append("arm64; ");
#else
        expected.append("amd64; ");
#endif
        expected.append(version::commit).append("; ").append(version::built).append("; +https://");
        CHECK(version::user_agent().starts_with(expected));
        CHECK(matches(
            version::user_agent().substr(expected.size()), R"([a-z.]+/[a-z-]+(/[a-z-]+)?\))"));
    }
}

TEST_SUITE("agent/base/stopwatch")
{
    TEST_CASE("a stopwatch runs forwards, from nothing")
    {
        const auto before = std::chrono::steady_clock::now();
        const Stopwatch watch;
        const double first = watch.seconds();
        const double second = watch.seconds();
        const std::chrono::duration<double> most = std::chrono::steady_clock::now() - before;
        CHECK(first >= 0);
        CHECK(second >= first);
        CHECK(second <= most.count());
    }
}
