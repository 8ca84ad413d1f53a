#pragma once

#include "agent/base/error.h"
#include "agent/link/timings.h"
#include "config/agent_config.h"
#include "config/schema.h"

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
namespace sonde::schedule {
class Schedule;
}

namespace sonde::link {

namespace asio = boost::asio;

class StateFile;
class Tenants;

/// The line to the API: a session, and after it another, with back-off between (spec 01 §7).
class Link {
public:
    Link(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
        const config::Secret& token, schedule::Schedule& schedule, Tenants& tenants,
        prometheus::Registry& registry, const Timings& timings = {});
    ~Link();

    /// What the API says is kept in `file`, and what it has is run should the API be away at the
    /// start. Before run(); the file outlives the link.
    void remember_in(StateFile& file);

    /// Goes on until cancelled. @return why it gave up: Error "not_authorized" or "unimplemented".
    asio::awaitable<Error> run();

    /// Gives up the change stream and the pings, now and for that long, so that another agent can
    /// have the probe; the checks go on (spec 01 §7.9).
    void step_aside(std::chrono::milliseconds duration);

    /// Another token from now on: a session begins with it at once.
    /// @return Error "bad_token" when no header can carry it; then nothing has changed.
    Result<> set_token(const config::Secret& token);

    bool connected() const;       ///< a session is established now
    bool ever_connected() const;  ///< the API has accepted this probe once
    /// This probe as the API knows it; null before it has accepted it once.
    std::shared_ptr<const pb::Probe> probe() const;

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
