#pragma once

#include "agent/net/http_client.h"
#include "config/agent_config.h"
#include "exporters/gap.h"
#include "exporters/payload.h"
#include "exporters/sender.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace prometheus {
class Registry;
}

namespace sonde::exporters {

/// Takes what runs publish and brings it to each tenant's remotes: a queue and a sender for each
/// tenant and type, retried in order, bounded in bytes and age; what is dropped is counted and
/// logged. The only class of this room that others call. Loop thread only.
class Publisher {
public:
    Publisher(const asio::any_io_executor& loop, net::HttpClient& client, TenantSource& tenants,
        const config::PublisherConfig& config, prometheus::Registry& registry,
        const Timings& timings = {});
    ~Publisher();

    /// Never blocks, never throws for a remote's faults.
    void publish(Payload payload);

    /// Runs that have no result to publish.
    void record(const Gap& gap);

    /// When the last run of a check was due that is accounted for, in this process or one before
    /// it, as a result or in a gap; nullopt when nothing is known of it.
    std::optional<std::int64_t> last_run(CheckKey check) const;

    /// Awaits empty queues until `deadline`; what is left then is counted as dropped and logged.
    /// Senders are stopped afterwards.
    asio::awaitable<void> shut_down(std::chrono::steady_clock::time_point deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::exporters
