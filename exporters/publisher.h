#pragma once

#include "agent/net/http_client.h"
#include "config/agent_config.h"
#include "exporters/gap.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"
#include "exporters/timings.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace prometheus {
class Registry;
}

namespace sonde::exporters {

class Ledger;

/// Takes what runs publish and brings it to each tenant's remotes: two lanes for each tenant,
/// samples and log lines, bounded in memory and, with a journal, on disk. Each run of which it is
/// told arrives, or is in a gap that says why not. The only class of this room that others call.
/// Loop thread only.
class Publisher {
public:
    /// Where to keep what is not yet delivered. `workers` do what blocks; they outlive the
    /// publisher and are joined after shut_down().
    struct Disk {
        asio::thread_pool& workers;
        config::JournalConfig config;
    };

    /// With a journal, unless `disk` says that it is switched off: then, as without one, in memory
    /// only.
    Publisher(const asio::any_io_executor& loop, net::HttpClient& client, TenantSource& tenants,
        const config::PublisherConfig& config, prometheus::Registry& registry, const Disk& disk,
        const Timings& timings = {});
    Publisher(const asio::any_io_executor& loop, net::HttpClient& client, TenantSource& tenants,
        const config::PublisherConfig& config, prometheus::Registry& registry,
        const Timings& timings = {});
    ~Publisher();

    /// To be awaited before anything is published, and before last_run() is asked: reads what
    /// earlier processes have left and begins to send it. In memory only, it has nothing to do.
    /// @return Error "journal_locked", "journal_io": names the option and what to do.
    asio::awaitable<Result<>> open();

    /// Never blocks, never throws for a remote's faults.
    void publish(Payload payload);

    /// Runs that have no result to publish.
    void record(const Gap& gap);

    /// When the last run of a check was due that is accounted for, in this process or one before
    /// it, as a result or in a gap; nullopt when nothing is known of it.
    std::optional<std::int64_t> last_run(CheckKey check) const;

    /// What has become of everything so far.
    const Ledger& ledger() const;

    /// Sizes and times; a journal is not switched on or off, nor moved.
    void reconfigure(
        const config::PublisherConfig& publisher, const config::JournalConfig& journal);

    /// A last flush of what is in memory, until `deadline`. What is left then stays in the journal;
    /// without one it is lost, each record with a gap. Nothing is sent afterwards.
    asio::awaitable<void> shut_down(std::chrono::steady_clock::time_point deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::exporters
