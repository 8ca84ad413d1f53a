// Metamonitoring (spec 01 §11.3): what is pushed of the agent's own metrics, and where to.
#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"
#include "agent/net/http_server.h"
#include "agent/net/task_group.h"
#include "agent/status/metrics_push.h"
#include "exporters/publisher.h"
#include "tests/support/loop.h"

#include <doctest/doctest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <snappy.h>

#include <algorithm>
#include <map>

using namespace sonde;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using exporters::Label;
using prometheus::MetricType;

namespace {

prometheus::MetricFamily family(
    const char* name, MetricType type, std::vector<prometheus::ClientMetric::Label> labels = {})
{
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = 1;
    metric.gauge.value = 2;
    metric.untyped.value = 3;
    return {name, "", type, {metric}};
}

constexpr exporters::TenantKey tenant{exporters::Origin::api, 7};

/// A tenant's remote, and the publisher that sends there.
struct Remote : exporters::TenantSource {
    asio::io_context loop;
    std::vector<std::string> bodies;
    net::HttpServer server{loop.get_executor(),
        [this](const net::HttpRequest& request, const net::HttpPeer&) { return take(request); }};
    std::string url = fmt::format("http://127.0.0.1:{}/push", *server.listen({"127.0.0.1", 0}));
    net::CurlMulti curl{loop.get_executor()};
    net::HttpClient client{curl, {"", "", false}};
    prometheus::Registry registry;
    config::PublisherConfig config;
    exporters::Publisher publisher{loop.get_executor(), client, *this, config, registry};
    std::vector<exporters::TenantKey> asked;

    asio::awaitable<net::HttpReply> take(const net::HttpRequest& request)
    {
        std::string body;
        snappy::Uncompress(request.body().data(), request.body().size(), &body);
        bodies.push_back(std::move(body));
        co_return net::HttpReply{boost::beast::http::status::ok, 11};
    }
    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey key) override
    {
        asked.push_back(key);
        exporters::Tenant known;
        known.metrics = exporters::Remote{url, "", {}};
        co_return std::make_shared<const exporters::Tenant>(known);
    }
    void suspect(exporters::TenantKey) override {}

    void until_pushed(std::size_t count)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (bodies.size() < count) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(100ms);
        }
    }
};

}  // namespace

TEST_SUITE("status/metrics_push")
{
    TEST_CASE("counters, gauges and untyped, each with the label probe, sorted; nothing else")
    {
        const std::vector families{
            family("c_total", MetricType::Counter, {{"type", "add"}, {"a", ""}}),
            family("g", MetricType::Gauge, {{"zone", "z"}, {"A", "a"}}),
            family("u", MetricType::Untyped, {{"probe", "of another"}}),
            family("h", MetricType::Histogram), family("s", MetricType::Summary)};
        const auto payload = status::own_payload(families, {tenant, "Here"}, 1234);
        CHECK((payload.tenant == tenant));
        CHECK(payload.timestamp_ms == 1234);
        CHECK_FALSE(payload.run_of.has_value());
        CHECK_FALSE(payload.logs.has_value());
        REQUIRE(payload.series);
        const std::vector<std::vector<Label>> expected{
            {{"__name__", "c_total"}, {"probe", "Here"}, {"type", "add"}},
            {{"A", "a"}, {"__name__", "g"}, {"probe", "Here"}, {"zone", "z"}},
            {{"__name__", "u"}, {"probe", "Here"}}};
        REQUIRE(payload.series->size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i)
            CHECK((payload.series->labels(i) == expected[i]));
        CHECK(payload.values == std::vector<double>{1, 2, 3});
    }

    TEST_CASE_FIXTURE(Remote, "every interval, as soon as the probe knows who it is")
    {
        prometheus::BuildCounter()
            .Name("sm_adhoc_ops_total")
            .Help("Ad-hoc requests")
            .Register(registry)
            .Add({{"type", "http"}});
        int times = 0;
        const auto owner = [&]() -> std::optional<status::Owner> {
            if (++times <= 2)
                return std::nullopt;
            return status::Owner{::tenant, "Here"};
        };
        status::MetricsPush push{registry, publisher, 1ms, owner};
        net::TaskGroup tasks{loop.get_executor()};
        tasks.spawn(push.run());
        until_pushed(2);
        CHECK(times >= 4);
        REQUIRE_FALSE(asked.empty());
        CHECK((asked[0] == ::tenant));
        for (const char* part :
            {"sm_adhoc_ops_total", "process_open_fds", "sonde_log_lines_dropped_total", "Here"})
            CHECK_MESSAGE(bodies[0].find(part) != std::string::npos, part);
        tasks.cancel();
        auto closing = [](exporters::Publisher& open) -> asio::awaitable<bool> {
            co_await open.shut_down(std::chrono::steady_clock::now() + 5s);
            co_return true;
        };
        CHECK(tests::await(loop, closing(publisher)));
        server.stop();
        loop.restart();
        loop.run_for(5s);
        CHECK(loop.stopped());  // nothing is left to do
        CHECK(tasks.empty());
    }
}
