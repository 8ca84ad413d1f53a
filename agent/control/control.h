#pragma once

#include "agent/base/error.h"
#include "config/agent_config.h"
#include "config/schema.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Channel;
}
namespace prometheus {
class Registry;
}

namespace sonde::control {

namespace asio = boost::asio;

/// The embedded API: the Synthetic Monitoring HTTP API and the gRPC services for probes over one
/// database. Loop thread only; SQL runs on `workers`. Its metrics are in `registry`, which outlives
/// it.
class Control {
public:
    Control(const asio::any_io_executor& loop, asio::thread_pool& workers,
        const config::ControlConfig& config, prometheus::Registry& registry);
    ~Control();

    /// Opens database, directory and all listeners, or none of them.
    /// @return Error that names what cannot be opened and why.
    Result<> start();

    /// Reads the directory's file again, as is done whenever it has changed. One with problems
    /// changes nothing; they are logged.
    void reload_directory();

    /// The probe of this very process (`api.embedded`): makes or renews its entry and a token that
    /// lives as long as the process.
    asio::awaitable<Result<config::Secret>> embed(pb::Probe probe);
    /// A channel to the gRPC services inside this process; valid after start().
    std::shared_ptr<grpc::Channel> channel();

    /// The ports in use, in the order of the options; for port 0.
    std::vector<std::uint16_t> http_ports() const;
    std::vector<std::uint16_t> grpc_ports() const;

    bool ready() const;  ///< the database answers

    /// Closes listeners, ends streams with UNAVAILABLE, awaits what is in progress.
    asio::awaitable<void> stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::control
