#include "agent/control/rpc/other_services.h"

#include "agent/base/log.h"
#include "agent/control/rpc/agent_view.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/sessions.h"
#include "agent/control/store/telemetry.h"
#include "agent/control/store/tenants.h"

#include <string_view>
#include <vector>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr std::size_t most_versions = 16;

/// As of `k6 version`: "v1.2.3-rc.1+build".
bool is_version(std::string_view text)
{
    return !text.empty() && text.size() <= 64 &&
           text.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") ==
               std::string_view::npos;
}

}  // namespace

grpc::ServerUnaryReactor* TenantsService::GetTenant(
    grpc::CallbackServerContext* context, const pb::TenantInfo* request, pb::Tenant* response)
{
    auto* const reactor = context->DefaultReactor();
    asio::post(
        parts_.loop, [this, reactor, token = token_of(*context), id = request->id(), response] {
            parts_.tasks.spawn(get(UnaryCall{reactor}, token, id, response));
        });
    return reactor;
}

asio::awaitable<void> TenantsService::get(
    UnaryCall call, std::string token, std::int64_t id, pb::Tenant* response)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto find = [&](Transaction& db) -> Result<pb::Tenant> {
        // Of a public probe any tenant may have checks; a private one knows its own alone.
        const auto stored = store::find_probe(db, *probe);
        const bool may_know = stored && (stored->probe.public_() || stored->probe.tenantid() == id);
        const auto tenant = may_know ? store::find_tenant(db, id) : std::nullopt;
        if (!tenant || !tenant->has_metricsremote() || !tenant->has_eventsremote())
            return error("not_found", "tenant {} not found", id);
        return for_agents(db, *tenant, parts_.metrics);
    };
    const auto tenant = co_await parts_.store.read(find);
    if (tenant)
        *response = *tenant;
    call.finish(tenant ? grpc::Status::OK : status_of(tenant.error()));
}

grpc::ServerUnaryReactor* TelemetryService::PushTelemetry(grpc::CallbackServerContext* context,
    const pb::RegionTelemetry* request, pb::PushTelemetryResponse* response)
{
    response->mutable_status();  // there even when empty: without it stock agents crash
    auto* const reactor = context->DefaultReactor();
    asio::post(parts_.loop, [this, reactor, token = token_of(*context), request] {
        parts_.tasks.spawn(push(UnaryCall{reactor}, token, request));
    });
    return reactor;
}

asio::awaitable<void> TelemetryService::push(
    UnaryCall call, std::string token, const pb::RegionTelemetry* request)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto add = [&](Transaction& db) -> Result<store::Reckoned> {
        return store::add_telemetry(db, *probe, *request);
    };
    const auto reckoned = co_await parts_.store.write(add);
    if (reckoned && reckoned->dropped > 0)
        logger.warning("telemetry of a probe could not be taken",
            {{"probe", *probe}, {"entries", reckoned->dropped}});
    call.finish(reckoned ? grpc::Status::OK : status_of(reckoned.error()));
}

grpc::ServerUnaryReactor* K6Service::RegisterK6Version(grpc::CallbackServerContext* context,
    const pb::RegisterK6VersionRequest* request, pb::RegisterK6VersionResponse* response)
{
    response->mutable_status();
    auto* const reactor = context->DefaultReactor();
    asio::post(parts_.loop, [this, reactor, token = token_of(*context), request] {
        parts_.tasks.spawn(note(UnaryCall{reactor}, token, request));
    });
    return reactor;
}

asio::awaitable<void> K6Service::note(
    UnaryCall call, std::string token, const pb::RegisterK6VersionRequest* request)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    std::vector<std::string> versions;
    for (const pb::K6Version& each : request->versions())
        if (is_version(each.version()) && versions.size() < most_versions)
            versions.push_back(each.version());
    auto keep = [&](Transaction& db) -> Result<> {
        store::note_k6_versions(db, *probe, versions);
        return {};
    };
    const auto kept = co_await parts_.store.presence(keep);
    call.finish(kept ? grpc::Status::OK : status_of(kept.error()));
}

}  // namespace sonde::control
