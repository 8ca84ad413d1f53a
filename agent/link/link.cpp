#include "agent/link/link.h"

#include "agent/base/backoff.h"
#include "agent/base/log.h"
#include "agent/link/metrics.h"
#include "agent/link/session.h"
#include "agent/link/tenants.h"
#include "agent/schedule/schedule.h"
#include "config/services.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <string_view>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};

// Spec 01 §7.7.
Backoff session_backoff(const Timings& timings)
{
    const double steps = 8;
    const Backoff::Milliseconds first = timings.first_backoff;
    return {first, timings.longest_backoff, std::pow(timings.longest_backoff / first, 1 / steps)};
}

/// What gRPC takes as the value of a header; anything else ends the process.
bool fits_header(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Result<std::string> read_file(const std::string& path)
{
    std::ifstream file{path};
    std::ostringstream content;
    if (!file || !(content << file.rdbuf()))
        return error("tls_config", "api.ca_file: {} cannot be read", path);
    return content.str();
}

}  // namespace

struct Link::State {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<pb::Checks::Stub> stub;
    std::string token;
    schedule::Schedule& schedule;
    Tenants& tenants;
    Metrics metrics;
    Timings timings;
    asio::steady_timer pause;
    Backoff backoff = session_backoff(timings);
    std::mt19937 random{std::random_device{}()};
    bool connected = false;
    bool ever_connected = false;
};

Link::Link(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, schedule::Schedule& schedule, Tenants& tenants,
    prometheus::Registry& registry, const Timings& timings)
    : state_{new State{channel, pb::Checks::NewStub(channel), token.reveal(), schedule, tenants,
          Metrics{registry}, timings, asio::steady_timer{loop}}}
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

asio::awaitable<Error> Link::run()
{
    State& s = *state_;
    const SessionParts parts{s.channel, *s.stub, s.token, s.schedule, s.tenants, s.metrics,
        s.timings, s.connected, s.ever_connected};
    for (;;) {
        // The channel has a back-off of its own, up to two minutes: ours alone shall count.
        grpc::experimental::ChannelResetConnectionBackoff(s.channel.get());
        const SessionEnd end = co_await run_session(parts);
        if (end.kind == SessionEnd::Kind::fatal)
            co_return end.why;
        const auto wait = s.backoff.next(std::uniform_real_distribution{0.0, 1.0}(s.random));
        logger.warning("no session with the API, trying again",
            {{"reason", end.why.reason}, {"why", end.why.message}, {"wait_ms", wait.count()}});
        s.pause.expires_after(wait);
        co_await s.pause.async_wait(asio::use_awaitable);
        if (end.was_connected && end.kind == SessionEnd::Kind::transient)
            s.backoff.reset();
    }
}

Result<std::shared_ptr<grpc::Channel>> open_channel(
    const config::ApiConfig& config, const Timings& timings)
{
    if (!fits_header(config.token.reveal()))
        return error("bad_token", "api.token: only printable ASCII characters can be sent");
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
            auto anchors = read_file(config.ca_file);
            if (!anchors)
                return anchors.error();
            options.pem_root_certs = *anchors;
        }
        credentials = grpc::SslCredentials(options);
        if (!config.server_name.empty())
            arguments.SetSslTargetNameOverride(config.server_name);
    }
    return grpc::CreateCustomChannel(config.address.text(), credentials, arguments);
}

}  // namespace sonde::link
