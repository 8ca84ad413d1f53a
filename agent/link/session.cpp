#include "agent/link/session.h"

#include "agent/base/log.h"
#include "agent/base/version.h"
#include "agent/link/changes.h"
#include "agent/link/grpc_call.h"
#include "agent/link/grpc_stream.h"
#include "agent/link/memory.h"
#include "agent/link/tenants.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <exception>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};

void carry_out(const Plan& plan, const std::shared_ptr<const pb::Probe>& probe, SessionParts& parts)
{
    for (const auto id : plan.remove)
        parts.schedule.remove({schedule::Origin::api, id});
    for (const pb::Check* check : plan.put)
        parts.schedule.put(schedule::Origin::api, *check, probe);
    for (const auto& [operation, problem, id] : plan.handled) {
        const prometheus::Labels type{{"type", std::string{operation}}};
        parts.metrics.changes.Add(type).Increment();
        if (problem.empty())
            continue;
        parts.metrics.change_errors.Add(type).Increment();
        logger.warning("a change was not carried out",
            {{"operation", operation}, {"check_id", id}, {"why", problem}});
    }
}

asio::awaitable<SessionEnd> follow_changes(
    SessionParts parts, std::shared_ptr<const pb::Probe> probe)
{
    using Stream = GrpcStream<pb::ProbeState, pb::Changes>;
    const auto loop = co_await asio::this_coro::executor;
    const Stream::Ptr stream{new Stream{loop}};
    const auto known = parts.schedule.known(schedule::Origin::api);
    for (const auto& [id, modified] : known) {
        auto* ref = stream->request.add_checks();
        ref->set_id(id);
        ref->set_lastmodified(modified);
    }
    authorize(stream->context, parts.token);
    stream->start(parts.channel, "/synthetic_monitoring.Checks/GetChanges");
    ChangeReader reader{known};
    while (const auto changes = co_await stream->next()) {
        logger.info("changes received",
            {{"checks", changes->checks_size()}, {"tenants", changes->tenants_size()}});
        const Plan plan = reader.read(*changes);
        if (!plan.snapshot)  // those of a snapshot are not meant (spec 01 §7.5)
            for (const pb::Tenant& tenant : changes->tenants())
                parts.tenants.told(tenant);
        carry_out(plan, probe, parts);
        parts.memory.carried_out(plan, probe);
    }
    co_return end_of(stream->status(), "GetChanges");
}

asio::awaitable<SessionEnd> ping(SessionParts parts)
{
    using Call = GrpcCall<pb::PingRequest, pb::PongResponse>;
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (std::int64_t sequence = 0;; ++sequence) {
        const auto call =
            std::make_shared<Call>(timer.get_executor(), parts.token, parts.timings.answer_limit);
        call->request.set_sequence(sequence);
        const grpc::Status status =
            co_await finish(parts.channel, "/synthetic_monitoring.Checks/Ping", call);
        const bool not_offered =
            sequence == 0 && status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
        if (!status.ok() && !not_offered)
            co_return end_of(status, "Ping");
        // An API without pings: the stream alone tells when the session is over.
        timer.expires_after(not_offered ? std::chrono::hours{24 * 365} : parts.timings.ping_every);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

/// Marks the session as established for as long as it lasts.
class Established {
public:
    explicit Established(SessionParts& parts) : parts_{parts}
    {
        parts_.connected = true;
        parts_.ever_connected = true;
        parts_.metrics.connected.Set(1);
    }
    ~Established()
    {
        parts_.connected = false;
        parts_.metrics.connected.Set(0);
        parts_.metrics.sessions_lost.Increment();
    }
    Established(const Established&) = delete;
    Established& operator=(const Established&) = delete;

private:
    SessionParts& parts_;
};

}  // namespace

asio::awaitable<SessionEnd> run_session(SessionParts parts)
{
    const auto registered =
        co_await register_probe(parts.channel, "Checks", parts.token, parts.timings.answer_limit);
    if (!registered)
        co_return registered.error();
    const auto probe = std::make_shared<const pb::Probe>(*registered);
    parts.probe = probe;
    const Established established{parts};
    parts.metrics.info
        .Add({{"id", std::to_string(probe->id())}, {"name", probe->name()},
            {"version", std::string{version::number}}, {"commit", std::string{version::commit}},
            {"buildstamp", std::string{version::built}}})
        .Set(1);
    logger.info("connected", {{"probe_id", probe->id()}, {"probe", probe->name()}});

    const auto loop = co_await asio::this_coro::executor;
    auto race = asio::experimental::make_parallel_group(
        asio::co_spawn(loop, follow_changes(parts, probe), asio::deferred),
        asio::co_spawn(loop, ping(parts), asio::deferred));
    auto [order, changes_failure, changes_end, ping_failure, ping_end] =
        co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const bool changes_first = order[0] == 0;
    if (const auto& failure = changes_first ? changes_failure : ping_failure)
        std::rethrow_exception(failure);
    SessionEnd end = std::move(changes_first ? changes_end : ping_end);
    end.was_connected = true;
    co_return end;
}

}  // namespace sonde::link
