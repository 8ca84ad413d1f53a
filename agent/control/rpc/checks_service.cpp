#include "agent/control/rpc/checks_service.h"

#include "agent/base/log.h"
#include "agent/control/rpc/difference.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"

#include <algorithm>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};

std::int64_t us(std::chrono::milliseconds time)
{
    return std::chrono::microseconds{time}.count();
}

/// Capabilities as agents must see them: kinds that this server does not have are off.
pb::Probe for_agents(pb::Probe probe, const config::ControlConfig& config)
{
    const auto enabled = [&](std::string_view kind) {
        return std::find(config.enabled_kinds.begin(), config.enabled_kinds.end(), kind) !=
               config.enabled_kinds.end();
    };
    if (!enabled("scripted") && !enabled("multihttp"))
        probe.mutable_capabilities()->set_disablescriptedchecks(true);
    if (!enabled("browser"))
        probe.mutable_capabilities()->set_disablebrowserchecks(true);
    return probe;
}

/// What a stream looks at, in one snapshot.
struct Snapshot {
    store::StoredProbe probe;
    std::int64_t session = 0;
    store::ToRun to_run;
};

Result<Snapshot> look(Transaction& db, std::int64_t probe, const std::string& token)
{
    if (store::probe_of_token(db, token) != probe)
        return error("revoked", "the token of this probe was revoked");
    Snapshot snapshot;
    snapshot.probe = *store::find_probe(db, probe);
    snapshot.session = store::current_session(db, probe);
    snapshot.to_run = store::checks_to_run(db, probe);
    return snapshot;
}

grpc::Status unavailable(const std::string& why)
{
    return {grpc::StatusCode::UNAVAILABLE, why};
}

}  // namespace

grpc::Status status_of(const Error& error)
{
    if (error.reason == "unknown")
        return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    if (error.reason == "missing")
        return {grpc::StatusCode::UNAUTHENTICATED, error.message};
    if (error.reason == "not_found")
        return {grpc::StatusCode::NOT_FOUND, error.message};
    return {grpc::StatusCode::UNAVAILABLE, error.message};
}

asio::awaitable<Result<std::int64_t>> authenticate(Store& store, std::string token)
{
    if (token.empty())
        co_return error("missing", "metadata authorization: Bearer TOKEN is required");
    auto find = [&token](Transaction& db) -> Result<std::int64_t> {
        const auto probe = store::probe_of_token(db, token);
        return probe ? Result<std::int64_t>{*probe} : Error{"unknown", "unknown probe token"};
    };
    co_return co_await store.read(find);
}

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
    const auto probe = co_await authenticate(parts_.store, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto begin = [&](Transaction& db) -> Result<std::optional<store::StoredProbe>> {
        const std::int64_t until =
            db.now_us() + us(std::chrono::seconds{10});  // GetChanges makes it longer
        if (!store::begin_session(db, *probe, *request, until))
            return std::optional<store::StoredProbe>{};
        return store::find_probe(db, *probe);
    };
    const auto begun = co_await parts_.store.write(begin);
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
    asio::post(parts_.loop, [this, reactor, token = token_of(*context)] {
        parts_.tasks.spawn(ping(UnaryCall{reactor}, token));
    });
    return reactor;
}

asio::awaitable<void> ChecksService::ping(UnaryCall call, std::string token)
{
    const auto probe = co_await authenticate(parts_.store, std::move(token));
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
    struct AtEnd {  // never with OK: agents would wait for ever (spec 01 §7.6)
        Stream stream;
        grpc::Status status = unavailable("the control plane is stopping");
        ~AtEnd() { stream->finish(status); }
    } at_end{stream};
    at_end.status = co_await follow(stream, std::move(token), std::move(state));
}

asio::awaitable<grpc::Status> ChecksService::follow(
    Stream stream, std::string token, pb::ProbeState state)
{
    const auto probe = co_await authenticate(parts_.store, token);
    if (!probe)
        co_return status_of(probe.error());
    struct Subscription {
        Feed& feed;
        std::uint64_t number;
        ~Subscription() { feed.unsubscribe(number); }
    } const subscription{parts_.feed, parts_.feed.subscribe(*probe, [stream] { stream->wake(); })};

    auto look_now = [&](Transaction& db) -> Result<Snapshot> { return look(db, *probe, token); };
    auto snapshot = co_await parts_.store.read(look_now);
    if (!snapshot)
        co_return unavailable(snapshot.error().message);
    const std::int64_t session = snapshot->session;
    const std::int64_t meta = snapshot->probe.meta_version;
    if (session == 0)
        co_return unavailable("register first");
    struct GiveUp {  // the lease goes with the stream
        ChecksService& service;
        std::int64_t probe;
        std::int64_t session;
        ~GiveUp() { service.parts_.tasks.spawn(service.give_up(probe, session)); }
    } const give_up{*this, *probe, session};

    std::map<std::int64_t, double> known;
    for (const pb::EntityRef& ref : state.checks())
        known[ref.id()] = ref.lastmodified();
    Told told{std::move(known), snapshot->probe.delivered_meta_version != meta};
    bool written = co_await stream->write(told.first(snapshot->to_run));
    auto renew = [&](Transaction& db) -> Result<bool> {
        store::note_delivered(db, *probe, meta);
        return store::renew_session(
            db, *probe, session, db.now_us() + us(parts_.config.presence_lease));
    };
    auto renew_at = std::chrono::steady_clock::now();
    while (written && !stream->over()) {
        if (snapshot->probe.meta_version != meta)
            co_return unavailable("the probe has changed, come back for its new data");
        auto changes = told.next(snapshot->to_run);
        if (changes)
            written = co_await stream->write(std::move(*changes));
        if (std::chrono::steady_clock::now() >= renew_at) {
            const auto renewed = co_await parts_.store.write(renew);
            if (renewed && !*renewed)
                co_return unavailable("another agent of this probe is connected");
            renew_at = std::chrono::steady_clock::now() + parts_.config.presence_lease / 3;
        }
        co_await stream->await_news(renew_at);
        snapshot = co_await parts_.store.read(look_now);
        if (!snapshot)
            co_return unavailable(snapshot.error().message);
    }
    co_return unavailable("the probe has gone");
}

asio::awaitable<void> ChecksService::give_up(std::int64_t probe, std::int64_t session)
{
    auto end = [&](Transaction& db) -> Result<> {
        store::end_session(db, probe, session);
        return {};
    };
    (void)co_await parts_.store.write(
        end);  // a failure is logged there, and the lease ends by itself
}

}  // namespace sonde::control
