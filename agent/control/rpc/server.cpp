#include "agent/control/rpc/server.h"

#include "agent/control/rpc/adhoc_service.h"
#include "agent/control/rpc/checks_service.h"
#include "agent/control/rpc/other_services.h"
#include "agent/net/worker.h"
#include "config/reading.h"

#include <boost/asio/ip/tcp.hpp>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

namespace sonde::control {
namespace {

/// gRPC says only that it could not listen: the reason is asked of the kernel.
std::string why_not(const HostPort& address)
{
    boost::system::error_code failed;
    asio::io_context here;
    const auto ip = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1"
                                           : address.host.empty()      ? "0.0.0.0"
                                                                       : address.host,
        failed);
    asio::ip::tcp::acceptor acceptor{here};
    if (!failed)
        acceptor.open(ip.is_v4() ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), failed);
    if (!failed)
        acceptor.bind({ip, address.port}, failed);
    return failed ? failed.message() : "cannot listen";
}

}  // namespace

struct RpcServer::State {
    State(const asio::any_io_executor& loop, asio::thread_pool& its_workers, Store& store,
        Feed& feed, const config::ControlConfig& its_config, std::string replica, Metrics& metrics)
        : workers{its_workers}, config{its_config}, tasks{loop},
          parts{loop, store, feed, its_config, tasks, std::move(replica), metrics, undelivered},
          checks{parts}, tenants{parts}, ad_hoc{parts}, telemetry{parts}, k6{parts}
    {}

    asio::thread_pool& workers;
    const config::ControlConfig& config;
    net::TaskGroup tasks;
    Undelivered undelivered;
    RpcParts parts;
    ChecksService checks;
    TenantsService tenants;
    AdHocService ad_hoc;
    TelemetryService telemetry;
    K6Service k6;
    std::vector<int> ports;
    std::unique_ptr<grpc::Server> server;
};

RpcServer::RpcServer(const asio::any_io_executor& loop, asio::thread_pool& workers, Store& store,
    Feed& feed, const config::ControlConfig& config, std::string replica, Metrics& metrics)
    : state_{
          std::make_unique<State>(loop, workers, store, feed, config, std::move(replica), metrics)}
{}

RpcServer::~RpcServer() = default;

Result<> RpcServer::start()
{
    State& s = *state_;
    const auto& listen = s.config.grpc;
    auto credentials = grpc::InsecureServerCredentials();
    if (!listen.tls_cert_file.empty()) {
        const auto certificate = config::read_whole(listen.tls_cert_file);
        const auto key = config::read_whole(listen.tls_key_file);
        if (!certificate || !key)
            return error("tls_config", "control.grpc: {}",
                !certificate ? certificate.error().message : key.error().message);
        grpc::SslServerCredentialsOptions options;
        options.pem_key_cert_pairs.push_back({*key, *certificate});
        credentials = grpc::SslServerCredentials(options);
    }
    grpc::ServerBuilder builder;
    // Agents ping about every 90 s; we ping them, too: a stream whose agent is gone must end.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(
        GRPC_ARG_ALLOW_REUSEPORT, 0);  // two servers on one port would share it
    s.ports.resize(listen.listen.size());
    for (std::size_t i = 0; i < listen.listen.size(); ++i)
        builder.AddListeningPort(listen.listen[i].host.empty()
                                     ? fmt::format("[::]:{}", listen.listen[i].port)
                                     : listen.listen[i].text(),
            credentials, &s.ports[i]);
    builder.RegisterService(&s.checks);
    builder.RegisterService(&s.tenants);
    builder.RegisterService(&s.ad_hoc);
    builder.RegisterService(&s.telemetry);
    builder.RegisterService(&s.k6);
    s.server = builder.BuildAndStart();
    for (std::size_t i = 0; i < s.ports.size(); ++i)
        if (!s.server || s.ports[i] == 0)
            return error("bind", "control.grpc.listen: {}: {}", listen.listen[i].text(),
                why_not(listen.listen[i]));
    return {};
}

std::shared_ptr<grpc::Channel> RpcServer::channel()
{
    return state_->server->InProcessChannel(grpc::ChannelArguments{});
}

std::vector<std::uint16_t> RpcServer::ports() const
{
    return {state_->ports.begin(), state_->ports.end()};
}

std::chrono::steady_clock::duration RpcServer::undelivered_age() const
{
    return state_->undelivered.age(Undelivered::Clock::now());
}

asio::awaitable<void> RpcServer::stop()
{
    State& s = *state_;
    if (!s.server)
        co_return;
    s.tasks.cancel();  // streams end with UNAVAILABLE
    auto shut_down = [&s] {
        s.server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds{2});
        s.server->Wait();
        return true;
    };
    co_await net::on_worker(s.workers, shut_down);
}

}  // namespace sonde::control
