#include "agent/control/rpc/checks_service.h"

#include "agent/base/log.h"
#include "agent/control/store/changes.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};

// Spec 04 §9.3, §9.5.
constexpr std::chrono::seconds confirm_within{10};
constexpr std::chrono::seconds delivered_after{60};

constexpr std::chrono::seconds retry_after{1};  // when the database does not answer
constexpr std::string_view probe_changed = "the probe has changed, come back for its new data";
constexpr std::string_view probe_gone = "the probe has gone";

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
    std::int64_t version = 0;            ///< of the change log
    std::optional<store::ToRun> to_run;  ///< absent: as before
};

Result<Snapshot> look(Transaction& db, std::int64_t probe, const std::string& token)
{
    if (store::probe_of_token(db, token) != probe)
        return error("revoked", "the token of this probe was revoked");
    Snapshot snapshot;
    snapshot.probe = *store::find_probe(db, probe);
    snapshot.version = store::change_state(db).version;
    return snapshot;
}

Result<Snapshot> look_at_all(Transaction& db, std::int64_t probe, const std::string& token)
{
    auto snapshot = look(db, probe, token);
    if (snapshot)
        snapshot->to_run = store::checks_to_run(db, probe);
    return snapshot;
}

/// What there is after a version of the change log (spec 04 §13.4).
Result<Snapshot> look_after(Transaction& db, std::int64_t probe, const std::string& token,
    std::int64_t version, std::size_t most)
{
    auto snapshot = look(db, probe, token);
    if (!snapshot)
        return snapshot;
    const auto pending = store::count_changes(db, probe, version);
    if (store::change_state(db).pruned > version || pending > static_cast<std::int64_t>(most))
        return error("behind", "too many changes are pending, come back for everything");
    if (pending > 0)
        snapshot->to_run = store::checks_to_run(db, probe);
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
    const auto probe = co_await authenticate(parts_.store, std::move(token));
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
    const auto now = std::chrono::steady_clock::now();
    Follower of{*probe, std::move(token), **session, now + parts_.config.presence_lease / 3,
        now + parts_.config.presence_lease};
    co_return co_await tell(stream, std::move(of), std::move(state));
}

asio::awaitable<grpc::Status> ChecksService::tell(Stream stream, Follower of, pb::ProbeState state)
{
    auto all = [&](Transaction& db) -> Result<Snapshot> {
        return look_at_all(db, of.probe, of.token);
    };
    const auto snapshot = co_await parts_.store.read(all);
    if (!snapshot)
        co_return unavailable(snapshot.error().message);
    const std::int64_t meta = of.session.meta_version;
    if (snapshot->probe.meta_version != meta)
        co_return unavailable(std::string{probe_changed});
    std::map<std::int64_t, double> known;
    for (const pb::EntityRef& ref : state.checks())
        known[ref.id()] = ref.lastmodified();
    Told told{std::move(known), snapshot->probe.delivered_meta_version != meta};
    bool written = co_await stream->write(told.first(*snapshot->to_run));
    auto tenants = told.next(*snapshot->to_run);
    if (written && tenants)
        written = co_await stream->write(std::move(*tenants));
    if (!written)
        co_return unavailable(std::string{probe_gone});
    co_return co_await tell_news(stream, std::move(of), std::move(told), snapshot->version);
}

asio::awaitable<grpc::Status> ChecksService::tell_news(
    Stream stream, Follower of, Told told, std::int64_t version)
{
    auto news = [&](Transaction& db) -> Result<Snapshot> {
        return look_after(db, of.probe, of.token, version, parts_.config.changes_max_backlog);
    };
    while (!stream->over()) {
        const bool ours = co_await keep_lease(of);
        if (!ours)
            co_return unavailable("another agent of this probe is connected");
        co_await stream->await_news(of.renew_at);
        const auto snapshot = co_await parts_.store.read(news);
        if (!snapshot && snapshot.error().reason != "unavailable")
            co_return unavailable(snapshot.error().message);
        if (!snapshot) {
            of.renew_at = std::chrono::steady_clock::now() + retry_after;
            continue;
        }
        if (snapshot->probe.meta_version != of.session.meta_version)
            co_return unavailable(std::string{probe_changed});
        version = snapshot->version;
        if (!snapshot->to_run)
            continue;
        auto changes = told.next(*snapshot->to_run);
        bool written = true;
        if (changes)
            written = co_await stream->write(std::move(*changes));
        if (!written)
            break;
    }
    co_return unavailable(std::string{probe_gone});
}

/// Renews the lease when it is time.
/// @return whether it is still ours. Without an answer of the database it is, until it ends: an
///     outage that is shorter costs nobody a reconnection.
asio::awaitable<bool> ChecksService::keep_lease(Follower& of)
{
    const auto now = std::chrono::steady_clock::now();
    if (now < of.renew_at)
        co_return true;
    auto renew = [&](Transaction& db) -> Result<bool> {
        return store::renew_session(db, of.probe, of.session.number, parts_.config.presence_lease);
    };
    const auto renewed = co_await parts_.store.presence(renew);
    if (!renewed) {
        of.renew_at = now + retry_after;
        co_return now < of.held_until;
    }
    of.renew_at = now + parts_.config.presence_lease / 3;
    of.held_until = now + parts_.config.presence_lease;
    co_return *renewed;
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
