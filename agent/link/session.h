#pragma once

#include "agent/link/metrics.h"
#include "agent/link/registration.h"
#include "agent/link/timings.h"
#include "agent/schedule/schedule.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace sonde::link {

namespace asio = boost::asio;

class Memory;
class Tenants;

/// What a session works with; outlives it.
struct SessionParts {
    std::shared_ptr<grpc::Channel> channel;
    const std::string& token;
    schedule::Schedule& schedule;
    Tenants& tenants;
    Memory& memory;
    Metrics& metrics;
    const Timings& timings;
    bool& connected;  ///< true while the API has accepted this probe
    bool& ever_connected;
    std::shared_ptr<const pb::Probe>& probe;  ///< as the API knows it; null at first
};

/// One session: registers, then follows changes and pings until either ends.
asio::awaitable<SessionEnd> run_session(SessionParts parts);

}  // namespace sonde::link
