#pragma once

#include "agent/link/link.h"
#include "agent/link/tenants.h"
#include "agent/net/task_group.h"
#include "tests/support/fake_control.h"
#include "tests/support/loop.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sonde::tests {

using namespace std::chrono_literals;
using exporters::Origin;
using exporters::TenantKey;

using Answer = Result<std::shared_ptr<const exporters::Tenant>>;

inline pb::Tenant wire_tenant(std::int64_t id, double modified, const std::string& password)
{
    pb::Tenant out;
    out.set_id(id);
    out.set_modified(modified);
    out.mutable_metricsremote()->set_url("http://metrics/api/prom");
    out.mutable_metricsremote()->set_username("12");
    out.mutable_metricsremote()->set_password(password);
    out.mutable_eventsremote()->set_url("http://events/loki/api/v1");
    return out;
}

inline std::string password_of(const Answer& answer)
{
    REQUIRE_MESSAGE(answer.has_value(), (answer ? std::string{} : answer.error().message));
    REQUIRE((*answer)->metrics.has_value());
    return (*answer)->metrics->password.reveal();
}

struct TenantsFixture {
    asio::io_context loop;
    FakeControl api;
    link::Timings timings;
    std::vector<config::TenantConfig> of_file;
    std::unique_ptr<link::Tenants> tenants;
    net::TaskGroup asking{loop.get_executor()};

    static constexpr TenantKey five{Origin::api, 5};

    ~TenantsFixture()
    {
        if (!tenants)
            return;
        tenants->stop();
        asking.cancel();
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());  // ran out of work: not cut off
        tenants.reset();
    }

    void start(const std::string& token = "fake-token")
    {
        config::ApiConfig config;
        config.address = {"127.0.0.1", api.port()};
        config.tls = false;
        tenants = std::make_unique<link::Tenants>(loop.get_executor(), of_file,
            *link::open_channel(config), config::Secret{token}, timings);
    }

    Answer ask(TenantKey key = five) { return await(loop, tenants->tenant(key)); }

    static asio::awaitable<void> ask_into(
        link::Tenants& tenants, TenantKey key, std::vector<Answer>& into)
    {
        auto answer = co_await tenants.tenant(key);
        into.push_back(std::move(answer));
    }

    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(5ms);
        }
    }
    void until_asked(std::size_t times)
    {
        until([&] { return api.seen().tenants.size() >= times; });
        until([&] { return api.seen().under_way == 0; });
    }
    void until_password(const std::string& wanted)
    {
        until([&] { return password_of(ask()) == wanted; });
    }
};

}  // namespace sonde::tests
