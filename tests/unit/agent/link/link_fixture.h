#pragma once

#include "agent/link/link.h"
#include "agent/link/tenants.h"
#include "agent/net/http_client.h"
#include "agent/net/task_group.h"
#include "agent/schedule/schedule.h"
#include "exporters/publisher.h"
#include "tests/support/fake_control.h"
#include "tests/support/net_fixture.h"

#include <doctest/doctest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

using namespace std::chrono_literals;
using Known = std::map<std::int64_t, double>;  ///< checks on schedule: id to time of change

/// A check that is on schedule but does not come due.
inline pb::Check idle_check(std::int64_t id, double modified)
{
    pb::Check check;
    check.set_id(id);
    check.set_tenantid(1);
    check.set_target("127.0.0.1:1");
    check.set_job("job");
    check.set_frequency(3'600'000);
    check.set_offset(3'600'000);
    check.set_timeout(1000);
    check.set_enabled(true);
    check.add_probes(7);
    check.set_modified(modified);
    check.mutable_settings()->mutable_tcp();
    return check;
}

/// A message of the change stream: `add(check)`, in the order of the calls.
struct Message {
    pb::Changes changes;

    Message& put(pb::CheckOperation operation, const pb::Check& check)
    {
        auto* change = changes.add_checks();
        change->set_operation(operation);
        *change->mutable_check() = check;
        return *this;
    }
    Message& add(const pb::Check& check) { return put(pb::CHECK_ADD, check); }
    Message& update(const pb::Check& check) { return put(pb::CHECK_UPDATE, check); }
    Message& remove(std::int64_t id)
    {
        pb::Check check;
        check.set_id(id);
        return put(pb::CHECK_DELETE, check);
    }
};

/// What an agent said it knows.
inline Known known_of(const pb::ProbeState& state)
{
    Known out;
    for (const pb::EntityRef& ref : state.checks())
        out[ref.id()] = ref.lastmodified();
    return out;
}

/// A link as the daemon has it, to a control plane of the tests, with a real schedule behind it.
struct LinkFixture : NetFixture {
    FakeControl api;
    config::Secret token{"fake-token"};
    std::uint16_t port = api.port();
    std::size_t max_message_bytes = 16 << 20;
    prometheus::Registry registry;
    link::Timings timings;
    net::HttpClient client{curl, {"", "", false}};
    std::optional<Error> given_up;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<link::Tenants> tenants;
    std::unique_ptr<exporters::Publisher> publisher;
    std::unique_ptr<schedule::Schedule> schedule;
    std::unique_ptr<link::Link> link;
    net::TaskGroup following{loop.get_executor()};

    LinkFixture()
    {
        timings.first_backoff = timings.longest_backoff = 1ms;
        pb::Probe probe;
        probe.set_id(7);
        probe.set_name("Here");
        api.set_probe(probe);
    }
    ~LinkFixture() { stop(); }

    /// All parts but the link: what is on schedule before it runs, a test puts there.
    void build()
    {
        config::ApiConfig config;
        config.address = {"127.0.0.1", port};
        config.tls = false;
        config.token = token;
        config.max_message_bytes = max_message_bytes;
        channel = *link::open_channel(config, timings);
        const auto executor = loop.get_executor();
        tenants = std::make_unique<link::Tenants>(
            executor, std::vector<config::TenantConfig>{}, channel, token, timings);
        publisher = std::make_unique<exporters::Publisher>(
            executor, client, *tenants, config::PublisherConfig{}, registry);
        schedule = std::make_unique<schedule::Schedule>(executor, net, *tenants, *publisher,
            config::ScheduleConfig{}, config::CheckersConfig{}, registry);
        link = std::make_unique<link::Link>(
            executor, channel, token, *schedule, *tenants, registry, timings);
    }

    void start()
    {
        if (!link)
            build();
        following.spawn(follow(*this));
    }

    static asio::awaitable<void> follow(LinkFixture& self)
    {
        self.given_up = co_await self.link->run();
    }

    /// As the daemon ends: nothing may be left to wait for, whatever the API does.
    void stop()
    {
        if (!link)
            return;
        following.cancel();
        schedule->stop();
        tenants->stop();
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());  // ran out of work: not cut off
        CHECK(following.empty());
        CHECK_FALSE(link->connected());
        link.reset();
        until([this] { return api.seen().under_way == 0; });
    }

    /// Runs the loop until something is true; fails the test when that takes ten seconds.
    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(5ms);  // the API is on threads of its own: it does not wake us
        }
    }

    Known on_schedule() const
    {
        Known out;
        for (const auto& [id, modified] : schedule->known(schedule::Origin::api))
            out[id] = modified;
        return out;
    }
    void until_on_schedule(const Known& wanted)
    {
        until([&] { return on_schedule() == wanted; });
    }
    void until_connected()
    {
        until([&] { return link->connected() && !api.seen().followed.empty(); });
    }
    void until_sessions(std::size_t count)
    {
        until([&] { return api.seen().followed.size() >= count; });
    }

    /// The sum of a metric over its labels, or of the one whose `type` this is.
    double metric(std::string_view name, std::string_view type = {}) const
    {
        double sum = 0;
        for (const auto& family : registry.Collect())
            for (const auto& metric : family.metric) {
                bool meant = family.name == name && type.empty();
                for (const auto& label : metric.label)
                    meant |= family.name == name && label.name == "type" && label.value == type;
                sum += meant ? metric.counter.value + metric.gauge.value : 0;
            }
        return sum;
    }
};

}  // namespace sonde::tests
