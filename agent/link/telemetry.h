#pragma once

#include "agent/link/timings.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

namespace grpc {
class Channel;
}
namespace prometheus {
class Registry;
}

namespace sonde::link {

namespace asio = boost::asio;

class Tenants;

/// Tells the API how many runs there were and how long they took, by tenant, class of checks and
/// the labels by which the tenant attributes costs (spec 01 §11.1). Each region is told of its own
/// figures, which only grow for as long as the process lives. Loop thread only.
class Telemetry {
public:
    /// @param every period of the pushes; each region's is up to 59 s longer.
    Telemetry(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
        const config::Secret& token, const Tenants& tenants, prometheus::Registry& registry,
        std::chrono::milliseconds every, const Timings& timings = {});
    ~Telemetry();

    /// A run of a check has come to a result; one of another origin than the API does not count.
    /// @param seconds its duration as published.
    void completed(const pb::Check& check, exporters::TenantKey tenant, double seconds);

    /// For shutdown: no more pushes but a last one for each region, within `limit`.
    asio::awaitable<void> push_last(std::chrono::milliseconds limit);

    void set_token(const config::Secret& token);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The class a check's costs are reckoned in (spec 01 §3).
pb::CheckClass class_of(const pb::CheckSettings& settings);

}  // namespace sonde::link
