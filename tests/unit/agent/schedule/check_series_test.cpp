#include "agent/schedule/check_series.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using schedule::CheckSeries;

namespace {

constexpr checkers::Metric phase_seconds{"probe_http_duration_seconds", "", "phase"};
constexpr checkers::Metric lookup_seconds{"probe_dns_lookup_time_seconds", "", ""};

checkers::Observations gauges(bool with_tls = true)
{
    checkers::Observations observed;
    if (with_tls)
        observed.set(phase_seconds, 0.02, {"tls"});
    observed.set(phase_seconds, 0, {"connect"});
    observed.set(lookup_seconds, 0.003);
    return observed;
}

struct Fixture {
    pb::Check check;
    pb::Probe probe;
    exporters::Tenant tenant;
    std::shared_ptr<const schedule::Labelling> labels = labelling();

    std::shared_ptr<const schedule::Labelling> labelling()
    {
        check.set_target("t");
        check.set_job("j");
        return std::make_shared<const schedule::Labelling>(
            schedule::LabelSource{check, probe, "http"}, "t", tenant);
    }
    exporters::Payload run(CheckSeries& series, double duration, bool with_tls = true)
    {
        exporters::Payload payload;
        series.take(gauges(with_tls), duration < 1, duration, labels, payload);
        CHECK(payload.series->size() == payload.values.size());
        return payload;
    }
};

std::string text_of(const exporters::LabelSet& labels)
{
    std::string name;
    std::string own;
    for (const auto& label : labels)
        if (label.name == "__name__")
            name = label.value;
        else if (label.name == "phase" || label.name == "le")
            own += "/" + label.value;
    return name + own;
}

double value_of(const exporters::Payload& payload, std::string_view series)
{
    for (std::size_t i = 0; i < payload.values.size(); ++i)
        if (text_of(payload.series->labels(i)) == series)
            return payload.values[i];
    FAIL("no series " << std::string{series});
    return 0;
}

}  // namespace

TEST_SUITE("agent/schedule/check_series")
{
    TEST_CASE_FIXTURE(Fixture, "gauges come by name, then by labels; then what is derived")
    {
        CheckSeries series{true};
        const auto payload = run(series, 0.1);
        std::vector<std::string> names;
        for (std::size_t i = 0; i < payload.series->size(); ++i)
            names.push_back(text_of(payload.series->labels(i)));
        names.resize(9);
        CHECK(names == std::vector<std::string>{"probe_dns_lookup_time_seconds",
                           "probe_duration_seconds", "probe_http_duration_seconds/connect",
                           "probe_http_duration_seconds/tls", "probe_success", "sm_check_info",
                           "probe_all_duration_seconds_sum", "probe_all_duration_seconds_count",
                           "probe_all_duration_seconds_bucket/0.005"});
        CHECK(value_of(payload, "sm_check_info") == 1);
        CHECK(value_of(payload, "probe_http_duration_seconds/tls") == 0.02);
    }

    TEST_CASE_FIXTURE(
        Fixture, "histograms and the summary grow from run to run; bounds are inclusive")
    {
        CheckSeries series{false};
        run(series, 0.1);
        const auto second = run(series, 2);
        CHECK(value_of(second, "probe_all_duration_seconds_count") == 2);
        CHECK(value_of(second, "probe_all_duration_seconds_sum") == doctest::Approx(2.1));
        CHECK(value_of(second, "probe_all_duration_seconds_bucket/0.05") == 0);
        CHECK(value_of(second, "probe_all_duration_seconds_bucket/0.1") == 1);
        CHECK(value_of(second, "probe_all_duration_seconds_bucket/2.5") == 2);
        CHECK(value_of(second, "probe_all_duration_seconds_bucket/+Inf") == 2);
        CHECK(value_of(second, "probe_all_success_sum") == 1);
        CHECK(value_of(second, "probe_all_success_count") == 2);
        CHECK(second.values.size() == 5 + 1 + 2 + 14 + 14 + 2 * 14);
    }

    TEST_CASE_FIXTURE(Fixture, "the basic set has the duration alone")
    {
        CheckSeries series{true};
        CHECK(run(series, 0.1).values.size() == 5 + 1 + 2 + 14);
    }

    TEST_CASE_FIXTURE(Fixture, "a phase that did not happen is observed as 0")
    {
        CheckSeries series{false};
        const auto payload = run(series, 0.1);
        CHECK(value_of(payload, "probe_http_all_duration_seconds_bucket/0.005/connect") == 1);
        CHECK(value_of(payload, "probe_http_all_duration_seconds_bucket/0.005/tls") == 0);
    }

    TEST_CASE_FIXTURE(Fixture, "series are put together once, and anew when a run has others")
    {
        CheckSeries series{false};
        const auto first = run(series, 0.1);
        const auto same = run(series, 0.2);
        CHECK(first.series == same.series);
        const auto without = run(series, 0.3, false);
        CHECK(without.series != first.series);
        CHECK(without.values.size() == first.values.size() - 1 - 14);
        // What was not there keeps its state for later (spec 03 §1.2).
        const auto again = run(series, 0.4);
        CHECK(value_of(again, "probe_http_all_duration_seconds_count/tls") == 3);
        CHECK(value_of(again, "probe_http_all_duration_seconds_count/connect") == 4);
        CHECK(value_of(again, "probe_all_success_count") == 4);
    }

    TEST_CASE_FIXTURE(Fixture, "another label mode of the tenant: other labels, the same state")
    {
        auto* label = check.add_labels();
        label->set_name("env");
        label->set_value("prod");
        labels = labelling();
        CheckSeries series{true};
        run(series, 0.1);
        CHECK(labels->holds_for(tenant));
        tenant.label_mode = pb::LABEL_MODE_UNPREFIXED;
        CHECK_FALSE(labels->holds_for(tenant));
        labels = labelling();
        const auto payload = run(series, 0.1);
        const exporters::Label env{"env", "prod"};
        const auto own = payload.series->labels(0);
        CHECK(std::find(own.begin(), own.end(), env) != own.end());
        CHECK(value_of(payload, "probe_all_success_count") == 2);
    }
}
