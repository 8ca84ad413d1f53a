#pragma once

#include "agent/base/error.h"
#include "agent/control/feed.h"
#include "agent/control/metrics.h"
#include "agent/control/store/store.h"
#include "config/agent_config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Channel;
}

namespace sonde::control {

/// The gRPC services that probes call (spec 01 §1). gRPC's threads only post; all else is on the
/// loop.
class RpcServer {
public:
    /// @param replica a name that no other replica of the database has: whose leases are ours.
    RpcServer(const asio::any_io_executor& loop, asio::thread_pool& workers, Store& store,
        Feed& feed, const config::ControlConfig& config, std::string replica, Metrics& metrics);
    ~RpcServer();

    /// @return Error "bind" or "tls_config" that names the address or the file.
    Result<> start();
    std::shared_ptr<grpc::Channel> channel();  ///< inside this process
    std::vector<std::uint16_t> ports() const;

    /// For how long the agent of a stream has waited for changes, of the one that has waited most.
    std::chrono::steady_clock::duration undelivered_age() const;

    /// Ends all streams with UNAVAILABLE, so that probes come back soon, then stops.
    asio::awaitable<void> stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::control
