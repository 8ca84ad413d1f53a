#pragma once

#include "agent/base/error.h"
#include "agent/link/timings.h"
#include "config/agent_config.h"
#include "config/schema.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace grpc {
class Channel;
}
namespace prometheus {
class Registry;
}
namespace sonde::schedule {
class Schedule;
}

namespace sonde::link {

namespace asio = boost::asio;

class Tenants;

/// The line to the API: a session, and after it another, with back-off between (spec 01 §7).
class Link {
public:
    Link(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
        const config::Secret& token, schedule::Schedule& schedule, Tenants& tenants,
        prometheus::Registry& registry, const Timings& timings = {});
    ~Link();

    /// Goes on until cancelled. @return why it gave up: Error "not_authorized" or "unimplemented".
    asio::awaitable<Error> run();

    bool connected() const;       ///< a session is established now
    bool ever_connected() const;  ///< the API has accepted this probe once

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A channel to the API of `config`, plain or TLS, with the keep-alive of spec 01.
/// @return Error "tls_config" when `ca_file` cannot be used, "bad_token" when no header can carry
/// the token.
Result<std::shared_ptr<grpc::Channel>> open_channel(
    const config::ApiConfig& config, const Timings& timings = {});

}  // namespace sonde::link
