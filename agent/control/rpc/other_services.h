#pragma once

#include "agent/control/rpc/parts.h"
#include "agent/control/rpc/reactors.h"
#include "config/services.h"

#include <cstdint>
#include <string>

namespace sonde::control {

/// GetTenant: remotes with their passwords, limits, label mode.
class TenantsService final : public pb::Tenants::CallbackService {
public:
    explicit TenantsService(RpcParts parts) : parts_{std::move(parts)} {}
    grpc::ServerUnaryReactor* GetTenant(grpc::CallbackServerContext* context,
        const pb::TenantInfo* request, pb::Tenant* response) override;

private:
    asio::awaitable<void> get(
        UnaryCall call, std::string token, std::int64_t id, pb::Tenant* response);
    RpcParts parts_;
};

/// PushTelemetry: how many runs there were, summed up for whoever bills them.
class TelemetryService final : public pb::Telemetry::CallbackService {
public:
    explicit TelemetryService(RpcParts parts) : parts_{std::move(parts)} {}
    /// Figures that cannot be taken are logged, and the answer is OK: an agent could mend nothing.
    grpc::ServerUnaryReactor* PushTelemetry(grpc::CallbackServerContext* context,
        const pb::RegionTelemetry* request, pb::PushTelemetryResponse* response) override;

private:
    asio::awaitable<void> push(
        UnaryCall call, std::string token, const pb::RegionTelemetry* request);
    RpcParts parts_;
};

/// RegisterK6Version: what the agent says of its k6.
class K6Service final : public pb::K6::CallbackService {
public:
    explicit K6Service(RpcParts parts) : parts_{std::move(parts)} {}
    /// Versions that cannot be one are left out, and the answer is OK: agents repeat others for
    /// ever.
    grpc::ServerUnaryReactor* RegisterK6Version(grpc::CallbackServerContext* context,
        const pb::RegisterK6VersionRequest* request,
        pb::RegisterK6VersionResponse* response) override;

private:
    asio::awaitable<void> note(
        UnaryCall call, std::string token, const pb::RegisterK6VersionRequest* request);
    RpcParts parts_;
};

}  // namespace sonde::control
