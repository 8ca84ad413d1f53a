#include "agent/link/adhoc.h"

#include "agent/base/log.h"
#include "agent/link/adhoc_result.h"
#include "agent/link/grpc_call.h"
#include "agent/link/grpc_stream.h"
#include "agent/link/metrics.h"
#include "agent/link/registration.h"
#include "agent/link/session_backoff.h"
#include "agent/link/tenants.h"
#include "agent/net/task_group.h"
#include "agent/schedule/secret_stores.h"
#include "checkers/registry.h"
#include "checkers/run_once.h"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <deque>
#include <optional>
#include <random>
#include <utility>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
using std::chrono::milliseconds;
using ProbePtr = std::shared_ptr<const pb::Probe>;

constexpr std::int64_t longest_timeout_ms = 180'000;

/// A check as the checkers want it: only what they read.
pb::Check to_check(const pb::AdHocCheck& asked)
{
    pb::Check check;
    check.set_tenantid(asked.tenantid());
    check.set_target(asked.target());
    check.set_timeout(asked.timeout());
    *check.mutable_settings() = asked.settings();
    return check;
}

/// Somebody's wish, and as whom we shall fulfil it.
struct Request {
    pb::AdHocCheck asked;
    pb::Check check;
    ProbePtr probe;
};

AdHocResult result_of(const Request& request)
{
    AdHocResult result{request.asked, *request.probe,
        std::string{checkers::settings_name(request.check.settings())}, request.check.target(),
        std::chrono::system_clock::now()};
    if (const auto kind = checkers::kind_of(request.check.settings()))
        result.target = (*kind)->pointed_at(request.check);
    return result;
}

Result<> fit(const Request& request)
{
    if (const auto kind = checkers::kind_of(request.check.settings()); !kind)
        return kind.error();
    const auto timeout = request.check.timeout();
    if (timeout < 1 || timeout > longest_timeout_ms)
        return error(
            "bad_value", "timeout: {} ms is not from 1 to {}", timeout, longest_timeout_ms);
    return {};
}

}  // namespace

struct AdHoc::State {
    State(const asio::any_io_executor& its_loop, std::shared_ptr<grpc::Channel> its_channel,
        std::string its_token, net::Services& its_net, Tenants& its_tenants, Publish its_publish,
        const config::CheckersConfig& its_checkers, prometheus::Registry& registry,
        const Timings& its_timings, const AdHocLimits& its_limits)
        : channel{std::move(its_channel)}, token{std::move(its_token)}, net{its_net},
          tenants{its_tenants}, publish{std::move(its_publish)},
          options{std::make_shared<const config::CheckersConfig>(its_checkers)},
          secrets{its_net.curl}, metrics{registry}, timings{its_timings}, limits{its_limits},
          pause{its_loop}, runs{its_loop}
    {}

    asio::awaitable<SessionEnd> session();
    milliseconds wait_after(const SessionEnd& end);
    void receive(const pb::AdHocRequest& message, const ProbePtr& probe);
    void refuse(const Request& request, const Error& why);
    void start_waiting();
    asio::awaitable<void> run(std::shared_ptr<const Request> request);
    asio::awaitable<void> run_and_publish(const Request& request);

    std::shared_ptr<grpc::Channel> channel;
    std::string token;
    net::Services& net;
    Tenants& tenants;
    Publish publish;
    std::shared_ptr<const config::CheckersConfig> options;  ///< runs keep those they began with
    schedule::SecretStores secrets;
    AdHocMetrics metrics;
    Timings timings;
    AdHocLimits limits;
    Backoff backoff = session_backoff(timings);
    std::mt19937 random{std::random_device{}()};
    asio::steady_timer pause;
    bool complained = false;  // that this service is not for us
    bool stopped = false;
    std::deque<std::shared_ptr<const Request>> waiting;
    std::size_t in_flight = 0;
    net::TaskGroup runs;
};

AdHoc::AdHoc(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, net::Services& net, Tenants& tenants, Publish publish,
    const config::CheckersConfig& checkers, prometheus::Registry& registry, const Timings& timings,
    const AdHocLimits& limits)
    : state_{std::make_unique<State>(loop, std::move(channel), token.reveal(), net, tenants,
          std::move(publish), checkers, registry, timings, limits)}
{}

AdHoc::~AdHoc() = default;

void AdHoc::set_token(const config::Secret& token)
{
    state_->token = token.reveal();
}

void AdHoc::reconfigure(const config::CheckersConfig& checkers)
{
    state_->options = std::make_shared<const config::CheckersConfig>(checkers);
}

asio::awaitable<void> AdHoc::run()
{
    State& s = *state_;
    struct StopRuns {
        State& state;
        ~StopRuns()
        {
            state.stopped = true;
            state.waiting.clear();
            state.runs.cancel();
        }
    } const stop_runs_at_end{s};
    s.stopped = false;
    for (;;) {
        const SessionEnd end = co_await s.session();
        s.pause.expires_after(s.wait_after(end));
        co_await s.pause.async_wait(asio::use_awaitable);
        if (end.was_connected)
            s.backoff.reset();
    }
}

/// Whoever does not offer this service, or not to us, will hardly do so in a moment, and does well
/// without: said once, asked seldom.
milliseconds AdHoc::State::wait_after(const SessionEnd& end)
{
    if (end.kind == SessionEnd::Kind::fatal) {
        if (!std::exchange(complained, true))
            logger.warning("the API has no ad-hoc checks for this probe",
                {{"reason", end.why.reason}, {"why", end.why.message},
                    {"wait_ms", timings.service_retry.count()}});
        return timings.service_retry;
    }
    const auto wait = backoff.next(std::uniform_real_distribution{0.0, 1.0}(random));
    logger.info("no session for ad-hoc checks, trying again",
        {{"reason", end.why.reason}, {"why", end.why.message}, {"wait_ms", wait.count()}});
    return wait;
}

asio::awaitable<SessionEnd> AdHoc::State::session()
{
    const auto registered =
        co_await register_probe(channel, "AdHocChecks", token, timings.answer_limit);
    if (!registered)
        co_return registered.error();
    const auto probe = std::make_shared<const pb::Probe>(*registered);

    using Stream = GrpcStream<pb::Void, pb::AdHocRequest>;
    const auto loop = co_await asio::this_coro::executor;
    const Stream::Ptr stream{new Stream{loop}};
    authorize(stream->context, token);
    stream->start(channel, "/synthetic_monitoring.AdHocChecks/GetAdHocChecks");
    while (const auto message = co_await stream->next()) {
        complained = false;
        receive(*message, probe);
    }
    SessionEnd end = end_of(stream->status(), "GetAdHocChecks");
    end.was_connected = end.kind != SessionEnd::Kind::fatal;
    co_return end;
}

void AdHoc::State::receive(const pb::AdHocRequest& message, const ProbePtr& probe)
{
    const auto request = std::make_shared<const Request>(
        Request{message.adhoccheck(), to_check(message.adhoccheck()), probe});
    const auto kind = checkers::settings_name(request->check.settings());
    metrics.requests.Add({{"type", kind.empty() ? "unknown" : std::string{kind}}}).Increment();
    if (message.has_tenant())
        tenants.told(message.tenant());
    if (const auto fits = fit(*request); !fits)
        return refuse(*request, fits.error());
    if (request->check.tenantid() == 0)
        return refuse(*request, {"bad_value", "tenantId: there is none"});
    if (waiting.size() >= limits.waiting)
        return refuse(*request, {"busy", "too many ad-hoc checks wait for this probe"});
    waiting.push_back(request);
    start_waiting();
}

/// Who asks shall hear of it, not only who reads our log; without a tenant there is nobody to tell.
void AdHoc::State::refuse(const Request& request, const Error& why)
{
    metrics.refused.Add({{"reason", std::string{why.reason}}}).Increment();
    logger.warning("an ad-hoc check was not run",
        {{"id", request.asked.id()}, {"tenant", request.asked.tenantid()}, {"reason", why.reason},
            {"why", why.message}});
    if (request.asked.tenantid() == 0)
        return;
    AdHocResult result = result_of(request);
    result.refusal = why;
    publish(to_payload(result));
}

void AdHoc::State::start_waiting()
{
    while (!stopped && in_flight < limits.in_flight && !waiting.empty()) {
        ++in_flight;
        const auto request = std::move(waiting.front());
        waiting.pop_front();
        runs.spawn(run(request));
    }
    metrics.in_flight.Set(static_cast<double>(in_flight));
}

asio::awaitable<void> AdHoc::State::run(std::shared_ptr<const Request> request)
{
    struct Leave {  // however a run ends, its place becomes free
        State& state;
        ~Leave()
        {
            --state.in_flight;
            state.start_waiting();
        }
    } const leave{*this};
    std::string why;
    try {
        co_await run_and_publish(*request);
        co_return;
    } catch (const boost::system::system_error& failure) {
        if (stopped)
            throw;
        why = failure.code().message();
    } catch (const std::exception& failure) {
        why = failure.what();
    }
    refuse(*request, {"internal", why});
}

asio::awaitable<void> AdHoc::State::run_and_publish(const Request& request)
{
    const exporters::TenantKey tenant{exporters::Origin::api, request.check.tenantid()};
    std::unique_ptr<checkers::SecretSource> its_secrets;
    if (request.check.settings().http().secretmanagerenabled()) {
        const auto known = co_await tenants.tenant(tenant);
        if (known)
            its_secrets = secrets.of(tenant, *known);
    }
    checkers::Subject subject;
    subject.target = request.check.target();
    subject.timeout = milliseconds{request.check.timeout()};  // no ids: no `x-sm-id` is sent
    subject.secrets = its_secrets.get();
    const auto prepared = checkers::make(request.check);
    const auto its_options = options;
    const auto report =
        co_await checkers::run_once(*prepared.kind, *prepared.checker, net, *its_options, subject);
    AdHocResult result = result_of(request);
    result.time = report.started_at;
    result.report = &report;
    publish(to_payload(result));
}

}  // namespace sonde::link
