// What real stores hold after a life with kills and outages, compared sample by sample with what
// the journal says of every run.
#include "tests/faults/agent.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <csignal>
#include <optional>
#include <sstream>

using namespace sonde;
using nlohmann::json;
using tests::FaultyLife;
using tests::Process;
using tests::PushReceiver;

namespace {

constexpr std::size_t checks = 4;

struct VictoriaMetrics {
    tests::ScratchFolder folder;
    std::uint16_t port = tests::free_port();
    std::optional<Process> process;

    void start()
    {
        process.emplace(
            std::vector<std::string>{"victoria-metrics", "-storageDataPath=" + folder.path("data"),
                fmt::format("-httpListenAddr=127.0.0.1:{}", port), "-search.latencyOffset=0s",
                "-search.disableCache", "-retentionPeriod=1"},
            folder.path("log"));
        tests::await("the store comes up", [&] { return is_ready("/health"); });
    }
    std::string write_url() const { return fmt::format("http://127.0.0.1:{}/api/v1/write", port); }
    bool is_ready(const std::string& path) const
    {
        int status = 0;
        tests::http("GET", fmt::format("http://127.0.0.1:{}{}", port, path), &status);
        return status == 200;
    }

    PushReceiver::Times samples(const std::string& job) const
    {
        std::istringstream lines{tests::http("GET",
            fmt::format("http://127.0.0.1:{}/api/v1/export?match[]=probe_success{{job=\"{}\"}}",
                port, job))};
        PushReceiver::Times times;
        for (std::string line; std::getline(lines, line);)
            for (const auto found = json::parse(line); const std::int64_t at : found["timestamps"])
                ++times[at];
        return times;
    }
};

struct Prometheus {
    tests::ScratchFolder folder;
    std::uint16_t port = tests::free_port();
    std::optional<Process> process;

    void start()
    {
        folder.write("prometheus.yml", "storage: {tsdb: {out_of_order_time_window: 1h}}\n");
        process.emplace(
            std::vector<std::string>{"prometheus", "--config.file=" + folder.path("prometheus.yml"),
                "--storage.tsdb.path=" + folder.path("data"), "--web.enable-remote-write-receiver",
                fmt::format("--web.listen-address=127.0.0.1:{}", port)},
            folder.path("log"));
        tests::await("Prometheus comes up", [&] {
            int status = 0;
            tests::http("GET", fmt::format("http://127.0.0.1:{}/-/ready", port), &status);
            return status == 200;
        });
    }
    std::string write_url() const { return fmt::format("http://127.0.0.1:{}/api/v1/write", port); }

    PushReceiver::Times samples(const std::string& job) const
    {
        const auto answer = json::parse(tests::http("GET",
            fmt::format("http://127.0.0.1:{}/api/v1/query?query=probe_success{{job=\"{}\"}}[1h]",
                port, job)));
        PushReceiver::Times times;
        for (const auto& series : answer["data"]["result"])
            for (const auto& sample : series["values"])
                ++times[std::llround(sample[0].get<double>() * 1000)];
        return times;
    }
};

template <class Store>
void outlives_outages(Store& store)
{
    store.start();
    FaultyLife life{checks, "publisher: {shutdown_flush: 200ms}\n",
        fmt::format("tenants: [{{metrics: {{push_url: \"{}\"}}}}]\n", store.write_url())};
    life.start();
    const auto runs = [&] { return life.metric("sm_agent_scraper_operations_total"); };
    tests::await("checks run", [&] { return runs() >= 2 * checks; });
    store.process->signal(SIGTERM);
    store.process->wait();
    tests::await("checks run without it", [&] { return runs() >= 5 * checks; });
    life.kill();
    life.start();
    tests::await("checks run again", [&] { return runs() >= 2 * checks; });
    store.start();
    tests::await("checks run with it", [&] { return runs() >= 4 * checks; });
    life.await_delivery();
    CHECK(life.stop() == 0);

    const auto balance = life.balance([&](const std::string& job) { return store.samples(job); });
    MESSAGE(fmt::format("{} runs were due, {} are in the store, {} in gaps", balance.scheduled,
        balance.delivered, balance.missing));
    CHECK_MESSAGE(balance.unexplained == 0, life.log());
    CHECK(balance.contradicted == 0);
    CHECK(balance.missing <= 4 * checks);
    for (std::size_t i = 1; i <= checks; ++i)
        for (const auto& [at, times] : store.samples(life.job(i)))
            CHECK(times == 1);
}

}  // namespace

TEST_SUITE_BEGIN("stores");

TEST_CASE("VictoriaMetrics")
{
    VictoriaMetrics store;
    outlives_outages(store);
}

TEST_CASE("Prometheus")
{
    Prometheus store;
    outlives_outages(store);
}

TEST_SUITE_END();
