#include "agent/control/rpc/checks_service.h"

#include "agent/base/log.h"
#include "agent/control/rpc/agent_view.h"
#include "agent/control/rpc/change_tail.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/sessions.h"

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};

// Spec 04 §9.3, §9.5.
constexpr std::chrono::seconds confirm_within{10};
constexpr std::chrono::seconds delivered_after{60};

}  // namespace

grpc::ServerUnaryReactor* ChecksService::RegisterProbe(grpc::CallbackServerContext* context,
    const pb::ProbeInfo* request, pb::RegisterProbeResult* response)
{
    auto* const reactor = context->DefaultReactor();
    asio::post(parts_.loop, [this, reactor, token = token_of(*context), request, response] {
        parts_.tasks.spawn(register_probe(UnaryCall{reactor}, token, request, response));
    });
    return reactor;
}

asio::awaitable<void> ChecksService::register_probe(UnaryCall call, std::string token,
    const pb::ProbeInfo* request, pb::RegisterProbeResult* response)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto begin = [&](Transaction& db) -> Result<std::optional<store::StoredProbe>> {
        if (!store::begin_session(db, *probe, *request, confirm_within))
            return std::optional<store::StoredProbe>{};
        return store::find_probe(db, *probe);
    };
    const auto begun = co_await parts_.store.presence(begin);
    if (!begun)
        co_return call.finish(status_of(begun.error()));
    if (*begun) {
        *response->mutable_probe() = for_agents((*begun)->probe, parts_.config);
        response->mutable_status()->set_code(pb::OK);
        logger.info("a probe has registered", {{"probe", *probe}, {"version", request->version()}});
    } else {
        response->mutable_status()->set_code(pb::ALREADY_EXISTS);
        response->mutable_status()->set_message("another agent of this probe is connected");
    }
    call.finish(grpc::Status::OK);
}

grpc::ServerUnaryReactor* ChecksService::Ping(grpc::CallbackServerContext* context,
    const pb::PingRequest* request, pb::PongResponse* response)
{
    response->set_sequence(request->sequence());
    auto* const reactor = context->DefaultReactor();
    asio::post(
        parts_.loop, [this, reactor, token = token_of(*context), sequence = request->sequence()] {
            parts_.tasks.spawn(ping(UnaryCall{reactor}, token, sequence));
        });
    return reactor;
}

asio::awaitable<void> ChecksService::ping(UnaryCall call, std::string token, std::int64_t sequence)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (probe && sequence >= 1) {
        auto note = [&](Transaction& db) -> Result<> {
            store::note_delivered(db, *probe, delivered_after);
            return {};
        };
        (void)co_await parts_.store.presence(note);  // else the next ping notes it
    }
    call.finish(probe ? grpc::Status::OK : status_of(probe.error()));
}

grpc::ServerWriteReactor<pb::Changes>* ChecksService::GetChanges(
    grpc::CallbackServerContext* context, const pb::ProbeState* request)
{
    const auto stream = std::make_shared<WriteStream<pb::Changes>>(parts_.loop);
    auto* const reactor = stream->start();
    asio::post(parts_.loop, [this, stream, token = token_of(*context), state = *request] {
        parts_.tasks.spawn(serve(stream, token, state));
    });
    return reactor;
}

asio::awaitable<void> ChecksService::serve(Stream stream, std::string token, pb::ProbeState state)
{
    EndOfStream<pb::Changes> end{stream};
    end.status = co_await follow(stream, std::move(token), std::move(state));
}

asio::awaitable<grpc::Status> ChecksService::follow(
    Stream stream, std::string token, pb::ProbeState state)
{
    const auto probe = co_await authenticate(parts_, token);
    if (!probe)
        co_return status_of(probe.error());
    auto confirm = [&](Transaction& db) -> Result<std::optional<store::Session>> {
        return store::confirm_session(db, *probe, parts_.replica, parts_.config.presence_lease);
    };
    const auto session = co_await parts_.store.presence(confirm);
    if (!session)
        co_return unavailable(session.error().message);
    if (!*session)
        co_return unavailable("register first");
    struct GiveUp {  // the lease goes with the stream
        ChecksService& service;
        std::int64_t probe;
        std::int64_t session;
        ~GiveUp() { service.parts_.tasks.spawn(service.give_up(probe, session)); }
    } const give_up{*this, *probe, (*session)->number};
    const Metrics::Stream live{parts_.metrics, StreamKind::changes};
    ChangeTail tail{parts_, stream, {*probe, std::move(token)}, **session, std::move(state)};
    co_return co_await tail.run();
}

asio::awaitable<void> ChecksService::give_up(std::int64_t probe, std::int64_t session)
{
    auto end = [&](Transaction& db) -> Result<> {
        store::end_session(db, probe, session);
        return {};
    };
    // A failure is logged there, and the lease ends by itself.
    (void)co_await parts_.store.presence(end);
}

}  // namespace sonde::control
