#pragma once

#include "agent/base/error.h"
#include "agent/link/metrics.h"
#include "agent/link/timings.h"
#include "agent/schedule/schedule.h"
#include "config/services.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace sonde::link {

namespace asio = boost::asio;

class Tenants;

/// What a session works with; outlives it.
struct SessionParts {
    std::shared_ptr<grpc::Channel> channel;
    pb::Checks::Stub& stub;
    const std::string& token;
    schedule::Schedule& schedule;
    Tenants& tenants;
    Metrics& metrics;
    const Timings& timings;
    bool& connected;  ///< true while the API has accepted this probe
    bool& ever_connected;
};

/// How a session ended and what follows (spec 01 §7.4, §7.6).
struct SessionEnd {
    enum class Kind { transient, generic, fatal };

    Kind kind = Kind::generic;
    Error why{"session_ended", "the API ended the stream"};
    bool was_connected = false;
};

/// One session: registers, then follows changes and pings until either ends.
asio::awaitable<SessionEnd> run_session(SessionParts parts);

}  // namespace sonde::link
