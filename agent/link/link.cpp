#include "agent/link/link.h"

#include "agent/base/log.h"
#include "agent/link/memory.h"
#include "agent/link/metrics.h"
#include "agent/link/session.h"
#include "agent/link/session_backoff.h"
#include "agent/link/tenants.h"
#include "agent/schedule/schedule.h"
#include "config/reading.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <random>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
using Clock = std::chrono::steady_clock;

}  // namespace

struct Link::State {
    State(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> its_channel,
        std::string its_token, schedule::Schedule& its_schedule, Tenants& its_tenants,
        prometheus::Registry& registry, const Timings& its_timings)
        : channel{std::move(its_channel)}, token{std::move(its_token)}, schedule{its_schedule},
          tenants{its_tenants}, memory{its_schedule, its_tenants}, metrics{registry},
          timings{its_timings}, interrupt{loop, Clock::time_point::max()}, pause{loop}, grace{loop}
    {}

    void await_api();
    asio::awaitable<std::optional<SessionEnd>> session();
    void take_up_again(const SessionEnd& end);
    asio::awaitable<void> rest();

    std::shared_ptr<grpc::Channel> channel;
    std::string token;
    schedule::Schedule& schedule;
    Tenants& tenants;
    Memory memory;
    Metrics metrics;
    Timings timings;
    asio::steady_timer interrupt;  // cancelled to end the session
    asio::steady_timer pause;
    asio::steady_timer grace;  // for the API to answer before the checks of before go on
    Clock::time_point next_session{};
    Backoff backoff = session_backoff(timings);
    std::mt19937 random{std::random_device{}()};
    bool connected = false;
    bool ever_connected = false;
    std::shared_ptr<const pb::Probe> probe;
};

Link::Link(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, schedule::Schedule& schedule, Tenants& tenants,
    prometheus::Registry& registry, const Timings& timings)
    : state_{std::make_unique<State>(
          loop, std::move(channel), token.reveal(), schedule, tenants, registry, timings)}
{}

Link::~Link() = default;

bool Link::connected() const
{
    return state_->connected;
}

bool Link::ever_connected() const
{
    return state_->ever_connected;
}

std::shared_ptr<const pb::Probe> Link::probe() const
{
    return state_->probe;
}

void Link::remember_in(StateFile& file)
{
    state_->tenants.remember_in(file);
    state_->memory.use(file);
}

void Link::step_aside(std::chrono::milliseconds duration)
{
    logger.warning(
        "stepping aside for another agent; the checks go on", {{"wait_ms", duration.count()}});
    state_->next_session = Clock::now() + duration;
    state_->backoff.reset();
    state_->interrupt.cancel();
    state_->pause.cancel();
}

Result<> Link::set_token(const config::Secret& token)
{
    if (auto fits = check_token(token.reveal()); !fits)
        return fits;
    if (token.reveal() == state_->token)
        return {};
    logger.info("the token is another: a session begins anew");
    state_->token = token.reveal();
    state_->next_session = {};
    state_->backoff.reset();
    state_->interrupt.cancel();
    state_->pause.cancel();
    return {};
}

asio::awaitable<Error> Link::run()
{
    State& s = *state_;
    struct NoGrace {
        asio::steady_timer& timer;
        ~NoGrace() { timer.cancel(); }
    } const no_grace_at_end{s.grace};
    s.await_api();
    for (;;) {
        // The channel has a back-off of its own, up to two minutes: ours alone shall count.
        grpc::experimental::ChannelResetConnectionBackoff(s.channel.get());
        const auto begun = Clock::now();
        const auto end = co_await s.session();
        if (end && end->kind == SessionEnd::Kind::fatal)
            co_return end->why;
        // Some servers have their own codes for "come again": they count as well-meant when rare.
        const bool good = end && end->was_connected &&
                          (end->kind == SessionEnd::Kind::transient ||
                              Clock::now() - begun > s.timings.longest_backoff);
        if (end)
            s.take_up_again(*end);
        co_await s.rest();
        if (good)
            s.backoff.reset();
    }
}

/// An API that says nothing in this time counts as away: the checks of before are not to wait.
void Link::State::await_api()
{
    if (!memory.has_stored())
        return;
    grace.expires_after(timings.first_backoff);
    grace.async_wait([this](boost::system::error_code stopped) {
        if (!stopped && !ever_connected)
            memory.resume();
    });
}

/// nullopt: it was interrupted.
asio::awaitable<std::optional<SessionEnd>> Link::State::session()
{
    const SessionParts parts{channel, token, schedule, tenants, memory, metrics, timings, connected,
        ever_connected, probe};
    interrupt.expires_at(Clock::time_point::max());
    const auto loop = co_await asio::this_coro::executor;
    auto race = asio::experimental::make_parallel_group(
        asio::co_spawn(loop, run_session(parts), asio::deferred),
        interrupt.async_wait(asio::deferred));
    auto [order, failure, end, interrupted] =
        co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (order[0] == 1)
        co_return std::nullopt;
    if (failure)
        std::rethrow_exception(failure);
    co_return std::move(end);
}

void Link::State::take_up_again(const SessionEnd& end)
{
    if (end.away) {
        grace.cancel();
        memory.resume();
    } else if (!end.was_connected) {
        grace.cancel();  // it is there and does not want us: somebody else may have the checks
    }
    const auto wait = backoff.next(std::uniform_real_distribution{0.0, 1.0}(random));
    next_session = std::max(next_session, Clock::now() + wait);
    logger.warning("no session with the API, trying again",
        {{"reason", end.why.reason}, {"why", end.why.message}, {"wait_ms", wait.count()}});
}

asio::awaitable<void> Link::State::rest()
{
    while (Clock::now() < next_session) {
        pause.expires_at(next_session);
        boost::system::error_code early;
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, early));
    }
}

Result<std::shared_ptr<grpc::Channel>> open_channel(
    const config::ApiConfig& config, const Timings& timings)
{
    if (auto fits = check_token(config.token.reveal()); !fits)
        return fits.error();
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(timings.keepalive_after.count()));
    arguments.SetInt(
        GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(timings.keepalive_limit.count()));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    // By itself gRPC stops after two: a peer that goes later without a word would not be missed.
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(config.max_message_bytes));
    auto credentials = grpc::InsecureChannelCredentials();
    if (config.tls) {
        grpc::SslCredentialsOptions options;
        if (!config.ca_file.empty()) {
            const auto anchors = config::read_whole(config.ca_file);
            if (!anchors)
                return error("tls_config", "api.ca_file: {}", anchors.error().message);
            options.pem_root_certs = *anchors;
        }
        credentials = grpc::SslCredentials(options);
        if (!config.server_name.empty())
            arguments.SetSslTargetNameOverride(config.server_name);
    }
    return grpc::CreateCustomChannel(config.address.text(), credentials, arguments);
}

}  // namespace sonde::link
