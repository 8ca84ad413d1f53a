#pragma once

#include "agent/control/rpc/parts.h"
#include "agent/control/rpc/reactors.h"
#include "config/services.h"

#include <memory>
#include <string>

namespace sonde::control {

/// Checks that somebody wants run once, now (spec 01 §8). Sessions know of no lease: a request is
/// taken by one stream, however many agents of a probe there are.
class AdHocService final : public pb::AdHocChecks::CallbackService {
public:
    explicit AdHocService(RpcParts parts) : parts_{std::move(parts)} {}

    /// Never answers ALREADY_EXISTS: stock agents would back off for no reason.
    grpc::ServerUnaryReactor* RegisterProbe(grpc::CallbackServerContext* context,
        const pb::ProbeInfo* request, pb::RegisterProbeResult* response) override;
    grpc::ServerWriteReactor<pb::AdHocRequest>* GetAdHocChecks(
        grpc::CallbackServerContext* context, const pb::Void* request) override;

private:
    using Stream = std::shared_ptr<WriteStream<pb::AdHocRequest>>;

    asio::awaitable<void> register_probe(
        UnaryCall call, std::string token, pb::RegisterProbeResult* response);
    asio::awaitable<void> serve(Stream stream, std::string token);

    RpcParts parts_;
};

}  // namespace sonde::control
