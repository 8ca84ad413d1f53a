#pragma once

#include "agent/base/error.h"
#include "agent/link/timings.h"
#include "agent/net/services.h"
#include "config/agent_config.h"
#include "exporters/payload.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
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

/// How much at a time.
struct AdHocLimits {
    std::size_t in_flight = 50;  ///< runs; others wait
    std::size_t waiting = 1000;  ///< beyond these the asker is told that it is too much
};

/// Checks that somebody wants run once, now: a session with the API of its own (spec 01 §8). Each
/// is answered by one log entry of the tenant that asked, also one that cannot be run. An API
/// without this service, or one that does not want us there, is asked again every five minutes.
/// Loop thread only.
class AdHoc {
public:
    using Publish = std::function<void(exporters::Payload)>;

    AdHoc(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
        const config::Secret& token, net::Services& net, Tenants& tenants, Publish publish,
        const config::CheckersConfig& checkers, prometheus::Registry& registry,
        const Timings& timings = {}, const AdHocLimits& limits = {});
    ~AdHoc();

    /// Goes on until cancelled, which ends the runs in progress, too.
    asio::awaitable<void> run();

    /// For later sessions: this one goes on.
    void set_token(const config::Secret& token);
    /// For later runs.
    void reconfigure(const config::CheckersConfig& checkers);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::link
