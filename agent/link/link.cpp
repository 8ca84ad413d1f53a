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

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};

// Spec 01 §7.7: 2 s up to 30 s, reached after eight steps.
Backoff session_backoff()
{
    return {std::chrono::seconds{2}, std::chrono::seconds{30}, std::pow(15.0, 1.0 / 8)};
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
    asio::steady_timer pause;
    Backoff backoff = session_backoff();
    std::mt19937 random{std::random_device{}()};
    bool connected = false;
    bool ever_connected = false;
};

Link::Link(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, schedule::Schedule& schedule, Tenants& tenants,
    prometheus::Registry& registry)
    : state_{new State{channel, pb::Checks::NewStub(channel), token.reveal(), schedule, tenants,
          Metrics{registry}, asio::steady_timer{loop}}}
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
    const SessionParts parts{
        *s.stub, s.token, s.schedule, s.tenants, s.metrics, s.connected, s.ever_connected};
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

Result<std::shared_ptr<grpc::Channel>> open_channel(const config::ApiConfig& config)
{
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 90'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 30'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
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
