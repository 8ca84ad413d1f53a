#include "agent/net/curl_multi.h"
#include "agent/net/http_server.h"
#include "exporters/publisher.h"
#include "tests/support/loop.h"

#include <doctest/doctest.h>
#include <prometheus/registry.h>
#include <snappy.h>

#include <deque>
#include <functional>

using namespace sonde;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// A remote that answers with the statuses it is given, then with 200; and a tenant that lives
/// there.
struct Fixture : exporters::TenantSource {
    asio::io_context loop;
    std::deque<int> answers;
    std::vector<net::HttpRequest> requests;
    net::HttpServer server{loop.get_executor(),
        [this](const net::HttpRequest& request, const net::HttpPeer&) { return answer(request); }};
    std::string base = fmt::format("http://127.0.0.1:{}", *server.listen({"127.0.0.1", 0}));
    net::CurlMulti curl{loop.get_executor()};
    net::HttpClient client{curl, {"", "", false}};
    config::PublisherConfig config;
    prometheus::Registry registry;
    exporters::Timings timings{20ms, 20ms, 10s, 1ms, 5ms, 3};
    std::string password = "first";
    int suspected = 0;
    std::unique_ptr<exporters::Publisher> publisher;

    void start()
    {
        publisher = std::make_unique<exporters::Publisher>(
            loop.get_executor(), client, *this, config, registry, timings);
    }

    asio::awaitable<net::HttpReply> answer(const net::HttpRequest& request)
    {
        requests.push_back(request);
        int status = 200;
        if (!answers.empty()) {
            status = answers.front();
            answers.pop_front();
        }
        co_return net::HttpReply{static_cast<net::http::status>(status), 11};
    }

    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey) override
    {
        exporters::Tenant known;
        known.metrics = exporters::Remote{base + "/push", "7", config::Secret{password}};
        co_return std::make_shared<const exporters::Tenant>(known);
    }
    void suspect(exporters::TenantKey) override
    {
        ++suspected;
        password = "second";
    }

    void publish(std::int64_t timestamp_ms)
    {
        exporters::Payload payload;
        payload.tenant = {exporters::Origin::file, 1};
        payload.timestamp_ms = timestamp_ms;
        payload.series = std::make_shared<const exporters::Identities>(
            exporters::Identities{exporters::Identity{{{"__name__", "up"}}}});
        payload.values = {1};
        publisher->publish(std::move(payload));
    }

    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(100ms);
        }
    }

    double counter(const std::string& name)
    {
        double sum = 0;
        for (const auto& family : registry.Collect())
            if (family.name == name)
                for (const auto& metric : family.metric)
                    sum += metric.counter.value;
        return sum;
    }

    void shut_down(std::chrono::milliseconds limit)
    {
        bool done = false;
        auto closing = [](Fixture& self, std::chrono::milliseconds most,
                           bool& over) -> asio::awaitable<void> {
            co_await self.publisher->shut_down(std::chrono::steady_clock::now() + most);
            over = true;
        };
        net::TaskGroup tasks{loop.get_executor()};
        tasks.spawn(closing(*this, limit, done));
        until([&] { return done; });
        server.stop();
        loop.restart();
        loop.run_for(2s);
        CHECK(loop.stopped());  // nothing is left to do
    }
};

}  // namespace

TEST_SUITE("exporters/publisher")
{
    TEST_CASE_FIXTURE(
        Fixture, "a push has the headers of remote write and the tenant's credentials")
    {
        start();
        publish(1);
        until([&] { return requests.size() == 1; });
        const auto& request = requests[0];
        CHECK(request.target() == "/push");
        CHECK(request["Content-Type"] == "application/x-protobuf");
        CHECK(request["Content-Encoding"] == "snappy");
        CHECK(request["X-Prometheus-Remote-Write-Version"] == "0.1.0");
        CHECK(request["Authorization"] == "Basic NzpmaXJzdA==");
        CHECK(snappy::IsValidCompressedBuffer(request.body().data(), request.body().size()));
        shut_down(1s);
    }

    TEST_CASE_FIXTURE(
        Fixture, "a server in trouble gets the same records again, in order, and nothing is lost")
    {
        answers = {503, 500};
        start();
        publish(1);
        publish(2);
        until([&] { return counter("sm_agent_publisher_push_total") == 2; });
        CHECK(requests.size() >= 3);
        CHECK(requests[0].body() == requests[1].body().substr(0, requests[0].body().size()));
        CHECK(counter("sm_agent_publisher_drop_total") == 0);
        CHECK(counter("sm_agent_publisher_retries_total") >= 2);
        shut_down(1s);
    }

    TEST_CASE_FIXTURE(
        Fixture, "after too many failures the batch goes, counted, and the next has its turn")
    {
        answers = {503, 503, 503, 503};
        start();
        publish(1);
        until([&] { return counter("sm_agent_publisher_drop_total") == 1; });
        publish(2);
        until([&] { return counter("sm_agent_publisher_push_total") == 1; });
        shut_down(1s);
    }

    TEST_CASE_FIXTURE(
        Fixture, "refused credentials are looked up again and the next push has the new ones")
    {
        answers = {401};
        start();
        publish(1);
        until([&] { return suspected == 1; });
        publish(2);
        until([&] { return requests.size() == 2; });
        CHECK(requests[1]["Authorization"] == "Basic NzpzZWNvbmQ=");
        CHECK(counter("sm_agent_publisher_drop_total") == 1);
        shut_down(1s);
    }

    TEST_CASE_FIXTURE(Fixture, "a tenant refused for good is discarded, each record counted")
    {
        answers = {403};
        start();
        publish(1);
        until([&] { return counter("sm_agent_publisher_drop_total") == 1; });
        publish(2);
        publish(3);
        CHECK(counter("sm_agent_publisher_drop_total") == 3);
        CHECK(requests.size() == 1);
        shut_down(1s);
    }

    TEST_CASE_FIXTURE(
        Fixture, "a full queue drops the oldest, counted; shutting down counts what is left")
    {
        server.stop();  // nobody answers
        config.max_queue_bytes = 100;
        config.request_bytes = 50;
        timings.first_backoff = 5s;
        start();
        for (int i = 0; i < 50; ++i)
            publish(i);
        CHECK(counter("sm_agent_publisher_drop_total") > 30);
        shut_down(200ms);
        CHECK(counter("sm_agent_publisher_drop_total") == 50);
    }

    TEST_CASE_FIXTURE(Fixture, "what is queued at the end is sent before the end")
    {
        start();
        publish(1);
        shut_down(5s);
        CHECK(counter("sm_agent_publisher_push_total") == 1);
    }
}
