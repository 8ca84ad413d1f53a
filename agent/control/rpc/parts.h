#pragma once

#include "agent/base/error.h"
#include "agent/control/feed.h"
#include "agent/control/metrics.h"
#include "agent/control/rpc/undelivered.h"
#include "agent/control/store/store.h"
#include "agent/net/task_group.h"
#include "config/agent_config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>

namespace sonde::control {

/// What the services share; outlives them.
struct RpcParts {
    asio::any_io_executor loop;
    Store& store;
    Feed& feed;
    const config::ControlConfig& config;
    net::TaskGroup& tasks;
    std::string replica;  ///< whose leases are ours
    Metrics& metrics;
    Undelivered& undelivered;
};

/// The status that a refusal becomes (spec 04 §9.1). What is not the caller's fault is UNAVAILABLE:
/// agents stop for good at PERMISSION_DENIED, and back off ever longer at others (spec 01 §7.6).
grpc::Status status_of(const Error& error);
grpc::Status unavailable(const std::string& why);

/// The probe of a token; who is refused is counted. @return Error "missing", "unknown" or
/// "unavailable".
asio::awaitable<Result<std::int64_t>> authenticate(const RpcParts& parts, std::string token);

}  // namespace sonde::control
