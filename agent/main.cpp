#include "agent/base/log.h"
#include "agent/base/version.h"
#include "agent/cli/cli.h"
#include "agent/control/control.h"
#include "agent/link/link.h"
#include "agent/link/tenants.h"
#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/services.h"
#include "agent/net/task_group.h"
#include "agent/net/tls.h"
#include "agent/schedule/schedule.h"
#include "agent/status/status_server.h"
#include "exporters/publisher.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <prometheus/registry.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

namespace {

using namespace sonde;
namespace asio = boost::asio;

constexpr log::Logger logger{"main"};

/// This probe as it describes itself, where the API does not.
pb::Probe probe_of(const config::ProbeConfig& config)
{
    pb::Probe probe;
    probe.set_id(config.id);
    probe.set_name(config.name);
    probe.set_region(config.region);
    probe.set_latitude(static_cast<float>(config.latitude));
    probe.set_longitude(static_cast<float>(config.longitude));
    for (const auto& [name, value] : config.labels) {
        auto* label = probe.add_labels();
        label->set_name(name);
        label->set_value(value);
    }
    return probe;
}

/// Builds every part of the daemon from the ground up, runs it, and takes it down in reverse.
class Daemon {
public:
    explicit Daemon(config::AgentConfig config) : config_{std::move(config)} {}

    int run()
    {
        tasks_.spawn(live());
        loop_.run();
        workers_.join();
        return status_;
    }

private:
    asio::awaitable<void> live();
    asio::awaitable<Result<>> start();
    Result<> listen();
    asio::awaitable<Result<>> connect();
    void add_local_checks();
    asio::awaitable<void> follow_api();
    asio::awaitable<void> stop();
    std::string not_ready() const;

    config::AgentConfig config_;
    asio::io_context loop_{1};
    asio::thread_pool workers_{2};
    prometheus::Registry registry_;
    net::TaskGroup tasks_{loop_.get_executor()};
    asio::signal_set signals_{loop_, SIGINT, SIGTERM};

    std::unique_ptr<net::Resolver> resolver_ = net::make_resolver(loop_.get_executor());
    net::CurlMulti curl_{loop_.get_executor()};
    net::TlsContexts tls_;
    net::IcmpSockets icmp_{loop_.get_executor()};
    net::Services services_{*resolver_, curl_, tls_, icmp_};
    net::HttpClient client_{curl_, {config_.publisher.ca_file, config_.publisher.proxy.value_or(""),
                                       !config_.publisher.proxy}};

    status::StatusServer status_server_{
        loop_.get_executor(), registry_, [this] { return not_ready(); }};
    std::unique_ptr<control::Control> control_;
    std::unique_ptr<link::Tenants> tenants_;
    std::unique_ptr<exporters::Publisher> publisher_;
    std::unique_ptr<schedule::Schedule> schedule_;
    std::unique_ptr<link::Link> link_;
    net::TaskGroup following_{loop_.get_executor()};  // the link alone: it stops first
    int status_ = EXIT_SUCCESS;
};

asio::awaitable<void> Daemon::live()
{
    const auto started = co_await start();
    if (!started) {
        std::fprintf(stderr, "sonde: %s\n", started.error().message.c_str());
        status_ = EXIT_FAILURE;
    } else {
        logger.info("started", {{"version", version::number}, {"checks", schedule_->size()}});
        boost::system::error_code woken;  // by a signal, or by follow_api() giving up
        co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        logger.info("stopping");
    }
    signals_.clear();  // whoever sends a second signal means it
    co_await stop();
}

/// Listeners and database first: where one of them cannot be had, nothing has begun.
asio::awaitable<Result<>> Daemon::start()
{
    if (auto listening = listen(); !listening)
        co_return listening;
    // Reading the system's trust store takes 15 ms, which would be part of all runs of that time.
    static_cast<void>(tls_.get({}));
    if (auto connected = co_await connect(); !connected)
        co_return connected;
    add_local_checks();
    if (link_)
        following_.spawn(follow_api());
    co_return Result<>{};
}

Result<> Daemon::listen()
{
    if (config_.control) {
        control_ =
            std::make_unique<control::Control>(loop_.get_executor(), workers_, *config_.control);
        if (auto started = control_->start(); !started)
            return started;
    }
    if (config_.status.listen)
        if (const auto port = status_server_.listen(*config_.status.listen); !port)
            return error("bind", "status.listen: {}", port.error().message);
    return {};
}

asio::awaitable<Result<>> Daemon::connect()
{
    std::shared_ptr<grpc::Channel> channel;
    config::Secret token;
    if (config_.api && config_.api->embedded) {
        auto embedded = co_await control_->embed(probe_of(config_.probe));
        if (!embedded)
            co_return embedded.error();
        token = *embedded;
        channel = control_->channel();
    } else if (config_.api) {
        auto opened = link::open_channel(*config_.api);
        if (!opened)
            co_return opened.error();
        channel = *opened;
        token = config_.api->token;
    }
    const auto loop = loop_.get_executor();
    tenants_ = std::make_unique<link::Tenants>(loop, config_.tenants, channel, token);
    publisher_ = std::make_unique<exporters::Publisher>(
        loop, client_, *tenants_, config_.publisher, registry_);
    schedule_ = std::make_unique<schedule::Schedule>(
        loop, services_, *tenants_, *publisher_, config_.schedule, config_.checkers, registry_);
    if (channel)
        link_ =
            std::make_unique<link::Link>(loop, channel, token, *schedule_, *tenants_, registry_);
    co_return Result<>{};
}

void Daemon::add_local_checks()
{
    const auto probe = std::make_shared<const pb::Probe>(probe_of(config_.probe));
    for (const pb::Check& check : config_.checks)
        if (check.enabled())
            schedule_->put(schedule::Origin::file, check, probe);
}

asio::awaitable<void> Daemon::follow_api()
{
    const Error why = co_await link_->run();
    logger.error("the API refuses this probe", {{"reason", why.reason}, {"why", why.message}});
    status_ = EXIT_FAILURE;
    signals_.cancel();
}

/// In reverse: no new orders, no new runs, a last flush.
asio::awaitable<void> Daemon::stop()
{
    following_.cancel();
    if (control_)
        co_await control_->stop();
    status_server_.stop();
    if (schedule_)
        schedule_->stop();
    if (publisher_)
        co_await publisher_->shut_down(
            std::chrono::steady_clock::now() + config_.publisher.shutdown_flush);
    if (tenants_)
        tenants_->stop();
}

std::string Daemon::not_ready() const
{
    if (control_ && !control_->ready())
        return "the database does not answer";
    if (!link_)
        return {};
    const bool accepted =
        config_.status.sticky_ready ? link_->ever_connected() : link_->connected();
    return accepted ? "" : "no session with the API";
}

/// The log as the options want it; under the journal with its priorities (spec 07 §2).
void configure_log(const config::LogConfig& config)
{
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
    const bool text = config.format == config::LogFormat::text ||
                      (config.format == config::LogFormat::automatic && journal);
    log::configure(config.level, text ? log::Format::text : log::Format::json, text && journal);
    // gRPC writes lines of another form beside ours, which say the same.
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
}

int run_daemon(const cli::RunCommand& command)
{
    auto config = cli::load(command.config_file, command.options);
    if (!config)
        return cli::usage;
    configure_log(config->log);
    std::error_code failed;
    if (config->control && !std::filesystem::exists(config->state_dir)) {
        std::filesystem::create_directories(config->state_dir, failed);
        if (!failed)
            ::chmod(config->state_dir.c_str(), 0700);
    }
    if (failed) {
        std::fprintf(stderr, "sonde: state_dir: %s: %s\n", config->state_dir.c_str(),
            failed.message().c_str());
        return EXIT_FAILURE;
    }
    std::signal(SIGPIPE, SIG_IGN);
    return Daemon{std::move(*config)}.run();
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        const auto asked = cli::parse(argc, argv);
        if (const auto* run = std::get_if<cli::RunCommand>(&asked))
            return run_daemon(*run);
        return std::get<int>(asked);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "sonde: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
