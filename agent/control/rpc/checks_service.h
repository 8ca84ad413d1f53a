#pragma once

#include "agent/control/rpc/parts.h"
#include "agent/control/rpc/reactors.h"
#include "config/services.h"

#include <cstdint>
#include <memory>
#include <string>

namespace sonde::control {

/// RegisterProbe, GetChanges, Ping.
class ChecksService final : public pb::Checks::CallbackService {
public:
    explicit ChecksService(RpcParts parts) : parts_{std::move(parts)} {}

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
    asio::awaitable<void> give_up(std::int64_t probe, std::int64_t session);

    RpcParts parts_;
};

}  // namespace sonde::control
