#include "agent/schedule/derived.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using schedule::Derived;
using schedule::Sample;

namespace {

constexpr checkers::Metric phase_seconds{"probe_http_duration_seconds", "", "phase"};
constexpr checkers::Metric lookup_seconds{"probe_dns_lookup_time_seconds", "", ""};

std::vector<Sample> gauges(double duration)
{
    checkers::Observations observed;
    observed.set(phase_seconds, 0.02, {"tls"});
    observed.set(phase_seconds, 0, {"connect"});
    observed.set(lookup_seconds, 0.003);
    return schedule::gather(observed, duration < 1, duration);
}

double value_of(const std::vector<Sample>& samples, std::string_view name, std::string_view le = "")
{
    for (const Sample& sample : samples)
        if (sample.name == name && (le.empty() || sample.own.back().value == le))
            return sample.value;
    FAIL("no sample " << std::string{name});
    return 0;
}

}  // namespace

TEST_SUITE("agent/schedule/derived")
{
    TEST_CASE("gauges come by name, then by labels")
    {
        std::vector<std::string> names;
        for (const Sample& sample : gauges(0.1))
            names.push_back(sample.name + (sample.own.empty() ? "" : "/" + sample.own[0].value));
        CHECK(names == std::vector<std::string>{"probe_dns_lookup_time_seconds",
                           "probe_duration_seconds", "probe_http_duration_seconds/connect",
                           "probe_http_duration_seconds/tls", "probe_success"});
    }

    TEST_CASE("histograms and the summary grow from run to run; bounds are inclusive")
    {
        Derived derived;
        derived.observe(gauges(0.1), false);
        const auto second = derived.observe(gauges(2), false);
        CHECK(value_of(second, "probe_all_duration_seconds_count") == 2);
        CHECK(value_of(second, "probe_all_duration_seconds_sum") == doctest::Approx(2.1));
        CHECK(value_of(second, "probe_all_duration_seconds_bucket", "0.05") == 0);
        CHECK(value_of(second, "probe_all_duration_seconds_bucket", "0.1") == 1);
        CHECK(value_of(second, "probe_all_duration_seconds_bucket", "+Inf") == 2);
        CHECK(value_of(second, "probe_all_success_sum") == 1);
        CHECK(value_of(second, "probe_all_success_count") == 2);
        CHECK(second.size() == 2 + 14 + 14 + 2 * 14);
    }

    TEST_CASE("the basic set has the duration alone")
    {
        Derived derived;
        CHECK(derived.observe(gauges(0.1), true).size() == 2 + 14);
    }

    TEST_CASE("a phase that did not happen is observed as 0")
    {
        Derived derived;
        const auto samples = derived.observe(gauges(0.1), false);
        CHECK(
            value_of(samples, "probe_http_all_duration_seconds_bucket", "0.005") == 1);  // connect
    }
}
