#include "agent/control/rpc/other_services.h"

#include "agent/control/rpc/difference.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/tenants.h"

namespace sonde::control {

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
    const auto probe = co_await authenticate(parts_.store, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto find = [&](Transaction& db) -> Result<pb::Tenant> {
        // Of a public probe any tenant may have checks; a private one knows its own alone.
        const auto stored = store::find_probe(db, *probe);
        const bool may_know = stored && (stored->probe.public_() || stored->probe.tenantid() == id);
        const auto tenant = may_know ? store::find_tenant(db, id) : std::nullopt;
        if (!tenant || !tenant->has_metricsremote() || !tenant->has_eventsremote())
            return error("not_found", "tenant {} not found", id);
        return for_agents(*tenant);
    };
    const auto tenant = co_await parts_.store.read(find);
    if (tenant)
        *response = *tenant;
    call.finish(tenant ? grpc::Status::OK : status_of(tenant.error()));
}

grpc::ServerUnaryReactor* AdHocService::RegisterProbe(
    grpc::CallbackServerContext* context, const pb::ProbeInfo*, pb::RegisterProbeResult* response)
{
    auto* const reactor = context->DefaultReactor();
    asio::post(parts_.loop, [this, reactor, token = token_of(*context), response] {
        parts_.tasks.spawn(register_probe(UnaryCall{reactor}, token, response));
    });
    return reactor;
}

asio::awaitable<void> AdHocService::register_probe(
    UnaryCall call, std::string token, pb::RegisterProbeResult* response)
{
    const auto probe = co_await authenticate(parts_.store, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto find = [&](Transaction& db) -> Result<pb::Probe> {
        return store::find_probe(db, *probe)->probe;
    };
    const auto stored = co_await parts_.store.read(find);
    if (stored)
        *response->mutable_probe() = *stored;
    call.finish(stored ? grpc::Status::OK : status_of(stored.error()));
}

grpc::ServerWriteReactor<pb::AdHocRequest>* AdHocService::GetAdHocChecks(
    grpc::CallbackServerContext* context, const pb::Void*)
{
    const auto stream = std::make_shared<WriteStream<pb::AdHocRequest>>(parts_.loop);
    auto* const reactor = stream->start();
    asio::post(parts_.loop, [this, stream, token = token_of(*context)] {
        parts_.tasks.spawn(keep_open(stream, token));
    });
    return reactor;
}

asio::awaitable<void> AdHocService::keep_open(Stream stream, std::string token)
{
    struct AtEnd {
        Stream stream;
        grpc::Status status{grpc::StatusCode::UNAVAILABLE, "the control plane is stopping"};
        ~AtEnd() { stream->finish(status); }
    } at_end{stream};
    const auto probe = co_await authenticate(parts_.store, std::move(token));
    if (!probe)
        at_end.status = status_of(probe.error());
    while (probe && !stream->over())
        co_await stream->await_news(std::chrono::steady_clock::time_point::max());
}

}  // namespace sonde::control
