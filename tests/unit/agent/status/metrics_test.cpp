// The names, types and labels that dashboards of the reference agent ask for (spec 01 §12.2,
// spec 03 §7), as far as this agent has what they count.
#include "agent/base/version.h"
#include "agent/link/metrics.h"
#include "agent/schedule/metrics.h"
#include "agent/status/metrics.h"
#include "agent/status/process.h"
#include "exporters/metrics.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

using namespace sonde;
using prometheus::MetricType;

namespace {

std::map<std::string, MetricType> types(const std::vector<prometheus::MetricFamily>& families)
{
    std::map<std::string, MetricType> out;
    for (const auto& family : families)
        out[family.name] = family.type;
    return out;
}

/// Everything the rooms register, each family with one child: without one it is not exposed.
struct OwnMetrics {
    prometheus::Registry registry;
    link::Metrics link{registry};
    schedule::Metrics schedule{registry};
    exporters::Metrics exporters{registry};

    OwnMetrics()
    {
        const prometheus::Labels any{{"type", "x"}};
        for (auto* family : {&link.changes, &link.change_errors, &schedule.operations,
                 &schedule.errors, &exporters.pushed, &exporters.bytes, &exporters.errors,
                 &exporters.given_up, &exporters.retries, &exporters.dropped, &exporters.responses})
            family->Add(any);
        for (auto* family : {&link.info, &schedule.scrapers})
            family->Add(any);
    }
};

double value_of(std::string_view name)
{
    for (const auto& family : status::ProcessCollector{}.Collect())
        if (family.name == name) {
            REQUIRE(family.metric.size() == 1);
            return family.type == MetricType::Counter ? family.metric[0].counter.value
                                                      : family.metric[0].gauge.value;
        }
    FAIL("no metric " << std::string{name});
    return 0;
}

}  // namespace

TEST_SUITE("status/metrics")
{
    TEST_CASE_FIXTURE(OwnMetrics, "the reference agent's names, each of its type")
    {
        const std::pair<const char*, MetricType> table[] = {
            {"sm_agent_info", MetricType::Gauge},
            {"sm_agent_api_connection_status", MetricType::Gauge},
            {"sm_agent_updater_changes_total", MetricType::Counter},
            {"sm_agent_updater_change_errors_total", MetricType::Counter},
            {"sm_agent_updater_scrapers_total", MetricType::Gauge},
            {"sm_agent_scraper_operations_total", MetricType::Counter},
            {"sm_agent_scraper_errors_total", MetricType::Counter},
            {"sm_agent_publisher_push_total", MetricType::Counter},
            {"sm_agent_publisher_push_bytes", MetricType::Counter},
            {"sm_agent_publisher_push_errors_total", MetricType::Counter},
            {"sm_agent_publisher_push_failed_total", MetricType::Counter},
            {"sm_agent_publisher_retries_total", MetricType::Counter},
            {"sm_agent_publisher_drop_total", MetricType::Counter},
            {"sm_agent_publisher_responses_total", MetricType::Counter},
            {"sm_agent_publisher_handlers_total", MetricType::Gauge},
        };
        const auto exposed = types(registry.Collect());
        for (const auto& [name, type] : table) {
            CAPTURE(name);
            REQUIRE(exposed.contains(name));
            CHECK(exposed.at(name) == type);
        }
    }

    TEST_CASE_FIXTURE(OwnMetrics, "every family has help, and a name that is theirs or ours")
    {
        for (const auto& family : registry.Collect()) {
            CAPTURE(family.name);
            CHECK_FALSE(family.help.empty());
            CHECK((family.name.starts_with("sm_agent_") || family.name.starts_with("sonde_")));
        }
    }

    TEST_CASE_FIXTURE(OwnMetrics, "what has no labels is exposed from the start, as zero")
    {
        const prometheus::Labels none;
        for (const auto& family : registry.Collect()) {
            const bool plain = family.name == "sm_agent_api_connection_status" ||
                               family.name == "sm_agent_publisher_handlers_total";
            if (!plain)
                continue;
            CAPTURE(family.name);
            REQUIRE(family.metric.size() == 1);
            CHECK(family.metric[0].label.empty());
            CHECK(family.metric[0].gauge.value == 0);
        }
    }

    TEST_CASE("the daemon says which build it is, and how the last reading of its options went")
    {
        prometheus::Registry own;
        status::DaemonMetrics daemon{own};
        const auto families = own.Collect();
        const auto build = std::find_if(families.begin(), families.end(),
            [](const auto& family) { return family.name == "sonde_build_info"; });
        REQUIRE(build != families.end());
        REQUIRE(build->metric.size() == 1);
        CHECK(build->metric[0].gauge.value == 1);
        std::map<std::string, std::string> labels;
        for (const auto& label : build->metric[0].label)
            labels[label.name] = label.value;
        CHECK(
            labels == std::map<std::string, std::string>{{"version", std::string{version::number}},
                          {"commit", std::string{version::commit}}});

        CHECK(daemon.last_reload_successful.Value() == 1);
        CHECK(daemon.last_reload_success.Value() > 1.7e9);
        daemon.last_reload_success.Set(1);
        daemon.reloaded(false);
        CHECK(daemon.last_reload_successful.Value() == 0);
        CHECK(daemon.last_reload_success.Value() == 1);
        daemon.reloaded(true);
        CHECK(daemon.last_reload_successful.Value() == 1);
        CHECK(daemon.last_reload_success.Value() > 1.7e9);
    }

    TEST_CASE("/metrics has the registry, the process and the lines the log dropped")
    {
        prometheus::Registry own;
        const status::HttpMetrics http{own};
        const auto exposed = types(status::own_families(own));
        CHECK(exposed.at("http_requests_in_flight") == MetricType::Gauge);
        CHECK(exposed.at("process_open_fds") == MetricType::Gauge);
        CHECK(exposed.at("sonde_log_lines_dropped_total") == MetricType::Counter);
    }

    TEST_CASE("the process: names and types of the client libraries")
    {
        const std::map<std::string, MetricType> expected{
            {"process_cpu_seconds_total", MetricType::Counter},
            {"process_resident_memory_bytes", MetricType::Gauge},
            {"process_virtual_memory_bytes", MetricType::Gauge},
            {"process_open_fds", MetricType::Gauge},
            {"process_max_fds", MetricType::Gauge},
            {"process_start_time_seconds", MetricType::Gauge},
        };
        CHECK(types(status::ProcessCollector{}.Collect()) == expected);
    }

    TEST_CASE("the process: open descriptors are counted one by one")
    {
        const double before = value_of("process_open_fds");
        const int more[] = {
            ::open("/dev/null", O_RDONLY | O_CLOEXEC), ::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        CHECK(value_of("process_open_fds") == before + 2);
        for (const int descriptor : more)
            ::close(descriptor);
        CHECK(value_of("process_open_fds") == before);
        CHECK(value_of("process_max_fds") >= before);
    }

    TEST_CASE("the process: memory, CPU time and start are of the right size")
    {
        const double resident = value_of("process_resident_memory_bytes");
        CHECK(resident > 1 << 20);
        CHECK(value_of("process_virtual_memory_bytes") > resident);
        CHECK(value_of("process_cpu_seconds_total") > 0);
        const auto now =
            std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        const double started = value_of("process_start_time_seconds");
        CHECK(started <= now + 0.1);  // a tick, and the clock may be stepped
        CHECK(started > now - 3600);
        CHECK(value_of("process_start_time_seconds") == started);
    }
}
