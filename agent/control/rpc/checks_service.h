#pragma once

#include "agent/control/feed.h"
#include "agent/control/rpc/difference.h"
#include "agent/control/rpc/reactors.h"
#include "agent/control/store/sessions.h"
#include "agent/control/store/store.h"
#include "agent/net/task_group.h"
#include "config/agent_config.h"
#include "config/services.h"

#include <chrono>
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
};

/// The status that a refusal becomes (spec 04 §9.1).
grpc::Status status_of(const Error& error);

/// The probe of a token. @return Error "missing", "unknown" or "unavailable".
asio::awaitable<Result<std::int64_t>> authenticate(Store& store, std::string token);

/// RegisterProbe, GetChanges, Ping.
class ChecksService final : public pb::Checks::CallbackService {
public:
    explicit ChecksService(RpcParts parts) : parts_{parts} {}

    grpc::ServerUnaryReactor* RegisterProbe(grpc::CallbackServerContext* context,
        const pb::ProbeInfo* request, pb::RegisterProbeResult* response) override;
    grpc::ServerWriteReactor<pb::Changes>* GetChanges(
        grpc::CallbackServerContext* context, const pb::ProbeState* request) override;
    grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context,
        const pb::PingRequest* request, pb::PongResponse* response) override;

private:
    using Stream = std::shared_ptr<WriteStream<pb::Changes>>;

    asio::awaitable<void> register_probe(UnaryCall call, std::string token,
        const pb::ProbeInfo* request, pb::RegisterProbeResult* response);
    asio::awaitable<void> ping(UnaryCall call, std::string token, std::int64_t sequence);
    asio::awaitable<void> serve(Stream stream, std::string token, pb::ProbeState state);
    asio::awaitable<grpc::Status> follow(Stream stream, std::string token, pb::ProbeState state);
    /// A stream that has authenticated and confirmed its session.
    struct Follower {
        std::int64_t probe;
        std::string token;
        store::Session session;
        std::chrono::steady_clock::time_point renew_at;
        std::chrono::steady_clock::time_point held_until;
    };
    asio::awaitable<grpc::Status> tell(Stream stream, Follower of, pb::ProbeState state);
    asio::awaitable<grpc::Status> tell_news(
        Stream stream, Follower of, Told told, std::int64_t version);
    asio::awaitable<bool> keep_lease(Follower& of);
    asio::awaitable<void> give_up(std::int64_t probe, std::int64_t session);

    RpcParts parts_;
};

}  // namespace sonde::control
