#pragma once

// The gRPC server over a store that tests fill by hand: also with what the HTTP API would refuse.

#include "agent/control/metrics.h"
#include "agent/control/rpc/server.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/store.h"
#include "agent/control/store/tenants.h"
#include "config/services.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <prometheus/registry.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;
using control::Transaction;
namespace store = control::store;

/// A call of an agent, with a limit so that a silent server fails the test.
struct AgentCall : grpc::ClientContext {
    explicit AgentCall(const std::string& token)
    {
        if (!token.empty())
            AddMetadata("authorization", "Bearer " + token);
        set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{30});
    }
};

/// One tenant, number 2, with a probe of its own; both may be changed at will.
struct Plane {
    enum class Memory { open, missing };

    explicit Plane(Memory how = Memory::open)
    {
        config.grpc.listen = {{"127.0.0.1", 0}};
        database.put_into(config);
        if (how == Memory::open)
            REQUIRE(memory.open(database.database(), database.seal()).has_value());
        REQUIRE(rpc->start().has_value());
        thread = std::jthread{[this] { loop.run(); }};
        const auto channel = grpc::CreateChannel(
            fmt::format("127.0.0.1:{}", rpc->ports().front()), grpc::InsecureChannelCredentials());
        checks = pb::Checks::NewStub(channel);
        tenants = pb::Tenants::NewStub(channel);
        ad_hoc = pb::AdHocChecks::NewStub(channel);
        telemetry = pb::Telemetry::NewStub(channel);
        k6 = pb::K6::NewStub(channel);
        if (how == Memory::missing)
            return;
        tenant = add_tenant(3);
        std::tie(probe, token) = add_probe("mine");
    }
    Plane(const Plane&) = delete;
    Plane& operator=(const Plane&) = delete;
    ~Plane()
    {
        stop();
        memory.close();
        open.reset();
        thread.join();
    }

    /// As at the end of the process.
    void stop()
    {
        if (!std::exchange(stopped, true))
            asio::co_spawn(loop, rpc->stop(), asio::use_future).get();
    }

    template <class Work>
    auto write(Work work)
    {
        auto done = memory.write_now(std::move(work));
        REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        if constexpr (!std::is_void_v<decltype(done.value())>)
            return std::move(*done);
    }

    std::int64_t add_tenant(std::int64_t stack)
    {
        return write([&](Transaction& db) -> Result<std::int64_t> {
            control::Organization organization;
            organization.id = 1000;
            control::Stack of;
            of.id = stack;
            control::HostedInstance instance;
            instance.remote_url = "https://mimir.example.net/api";
            return store::install_tenant(db, organization, of, instance, instance, "password").id();
        });
    }

    std::pair<std::int64_t, std::string> add_probe(const std::string& name)
    {
        const auto added = write([&](Transaction& db) -> Result<store::ProbeWithToken> {
            pb::Probe wanted;
            wanted.set_name(name);
            return store::add_probe(db, tenant, wanted);
        });
        return {added.probe.id(), added.token};
    }

    /// A check of the probe that can be run.
    pb::Check check(const std::string& job) const
    {
        pb::Check out;
        out.set_job(job);
        out.set_target("example.org");
        out.set_frequency(10'000);
        out.set_timeout(3'000);
        out.set_enabled(true);
        out.mutable_settings()->mutable_ping();
        out.add_probes(probe);
        return out;
    }

    pb::Check add(const pb::Check& wanted)
    {
        return write([&](Transaction& db) -> Result<store::StoredCheck> {
            return store::add_check(db, tenant, {wanted, ""});
        }).check;
    }

    pb::Check update(const pb::Check& wanted)
    {
        return write([&](Transaction& db) -> Result<store::StoredCheck> {
            return store::update_check(
                db, {*store::find_check(db, tenant, wanted.id()), {wanted, ""}});
        }).check;
    }

    template <class Change>
    void change_tenant(Change change)
    {
        write([&](Transaction& db) -> Result<> {
            auto record = *store::find_tenant(db, tenant);
            change(record);
            store::save_tenant(db, record);
            return {};
        });
    }

    void reset_token()
    {
        write([&](Transaction& db) -> Result<store::ProbeWithToken> {
            const auto now = *store::find_probe(db, probe);
            return store::update_probe(db, now, now.probe, true);
        });
    }

    void delete_probe()
    {
        write([&](Transaction& db) { return store::delete_probe(db, tenant, probe); });
    }

    ScratchFolder folder;
    TestDatabase database{folder};
    asio::io_context loop;
    asio::executor_work_guard<asio::io_context::executor_type> open{loop.get_executor()};
    asio::thread_pool workers{3};
    config::ControlConfig config;
    control::Feed feed{loop.get_executor()};
    control::Store memory{workers, feed};
    prometheus::Registry registry;
    control::Metrics metrics{registry};
    std::unique_ptr<control::RpcServer> rpc = std::make_unique<control::RpcServer>(
        loop.get_executor(), workers, memory, feed, config, "replica", metrics);
    bool stopped = false;
    std::jthread thread;
    std::unique_ptr<pb::Checks::Stub> checks;
    std::unique_ptr<pb::Tenants::Stub> tenants;
    std::unique_ptr<pb::AdHocChecks::Stub> ad_hoc;
    std::unique_ptr<pb::Telemetry::Stub> telemetry;
    std::unique_ptr<pb::K6::Stub> k6;
    std::int64_t tenant = 0;
    std::int64_t probe = 0;
    std::string token;
};

}  // namespace sonde::tests
