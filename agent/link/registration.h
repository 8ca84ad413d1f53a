#pragma once

#include "agent/base/error.h"
#include "config/schema.h"

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace grpc {
class Channel;
class Status;
}  // namespace grpc

namespace sonde::link {

namespace asio = boost::asio;

/// How a session ended and what follows (spec 01 §7.4, §7.6).
struct SessionEnd {
    enum class Kind { transient, generic, fatal };

    Kind kind = Kind::generic;
    Error why{"session_ended", "the API ended the stream"};
    bool was_connected = false;
    /// There is no API, or it is not well; not so when it says that it does not want this probe.
    bool away = false;
};

/// What the status of a call means for its session.
SessionEnd end_of(const grpc::Status& status, std::string_view call);

/// What no header can carry would end the process inside gRPC.
/// @return Error "bad_token" unless all of it is printable ASCII.
Result<> check_token(const std::string& token);

/// Registers this probe with a service, "Checks" or "AdHocChecks", within `limit`.
/// @return the probe as the API knows it, or how the session ended.
asio::awaitable<boost::system::result<pb::Probe, SessionEnd>> register_probe(
    std::shared_ptr<grpc::Channel> channel, std::string service, std::string token,
    std::chrono::milliseconds limit);

}  // namespace sonde::link
