#pragma once

#include "agent/control/rpc/checks_service.h"

namespace sonde::control {

/// GetTenant: remotes with their passwords, limits, label mode.
class TenantsService final : public pb::Tenants::CallbackService {
public:
    explicit TenantsService(RpcParts parts) : parts_{parts} {}
    grpc::ServerUnaryReactor* GetTenant(grpc::CallbackServerContext* context,
        const pb::TenantInfo* request, pb::Tenant* response) override;

private:
    asio::awaitable<void> get(
        UnaryCall call, std::string token, std::int64_t id, pb::Tenant* response);
    RpcParts parts_;
};

/// Agents of other makers stop for good where this service is missing (spec 01 §1). There are no
/// ad-hoc checks to ask for yet: the stream stays open and silent.
class AdHocService final : public pb::AdHocChecks::CallbackService {
public:
    explicit AdHocService(RpcParts parts) : parts_{parts} {}
    grpc::ServerUnaryReactor* RegisterProbe(grpc::CallbackServerContext* context,
        const pb::ProbeInfo* request, pb::RegisterProbeResult* response) override;
    grpc::ServerWriteReactor<pb::AdHocRequest>* GetAdHocChecks(
        grpc::CallbackServerContext* context, const pb::Void* request) override;

private:
    using Stream = std::shared_ptr<WriteStream<pb::AdHocRequest>>;
    asio::awaitable<void> register_probe(
        UnaryCall call, std::string token, pb::RegisterProbeResult* response);
    asio::awaitable<void> keep_open(Stream stream, std::string token);
    RpcParts parts_;
};

}  // namespace sonde::control
