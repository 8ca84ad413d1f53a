#include "agent/daemon.h"

#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/base/version.h"
#include "agent/control/control.h"
#include "agent/link/adhoc.h"
#include "agent/link/link.h"
#include "agent/link/state_file.h"
#include "agent/link/telemetry.h"
#include "agent/link/tenants.h"
#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/services.h"
#include "agent/net/task_group.h"
#include "agent/net/tls.h"
#include "agent/net/worker.h"
#include "agent/reload.h"
#include "agent/schedule/schedule.h"
#include "agent/status/metrics.h"
#include "agent/status/metrics_push.h"
#include "agent/status/notify.h"
#include "agent/status/status_server.h"
#include "config/locate.h"
#include "exporters/publisher.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <google/protobuf/stubs/logging.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

namespace sonde {
namespace {

namespace asio = boost::asio;

constexpr log::Logger logger{"main"};
constexpr std::chrono::seconds last_words{1};  // for the last push of telemetry

/// Gives back what was read, and the far more that reading it took: for the thread that read it.
auto tidying(std::shared_ptr<Reread> read)
{
    return [read = std::move(read)]() mutable {
        read.reset();
        memory::release_startup_pages();
        return true;
    };
}

/// Protobuf writes lines of another form beside ours.
void take_line_of_protobuf(google::protobuf::LogLevel, const char*, int, const std::string& said)
{
    constexpr log::Logger protobuf_logger{"protobuf"};
    protobuf_logger.debug("the library says", {{"said", said}});
}

}  // namespace

struct Daemon::Parts {
    Parts(config::AgentConfig its_config, cli::RunCommand its_command)
        : config{std::move(its_config)}, command{std::move(its_command)}
    {}

    asio::awaitable<void> live();
    asio::awaitable<Result<>> start();
    Result<> listen();
    asio::awaitable<Result<>> connect();
    asio::awaitable<Result<>> reach_api();
    void join_api();
    asio::awaitable<void> follow_api();
    std::optional<status::Owner> owner() const;
    asio::awaitable<void> obey_signals();
    asio::awaitable<std::vector<std::string>> reload();
    void apply(config::AgentConfig wanted);
    void change_token();
    std::chrono::milliseconds step_aside();
    void tell_state() const;
    asio::awaitable<void> stop();
    status::Actions actions();
    std::string not_ready() const;

    config::AgentConfig config;
    const cli::RunCommand command;
    asio::io_context loop{1};
    asio::thread_pool workers{2};
    asio::thread_pool heavy{1};  // of its own: a slow pattern must not hold up files and SQL
    prometheus::Registry registry;
    net::TaskGroup tasks{loop.get_executor()};
    asio::signal_set ending{loop, SIGINT, SIGTERM};
    asio::signal_set orders{loop, SIGHUP, SIGUSR1, SIGUSR2};

    std::unique_ptr<net::Resolver> resolver = net::make_resolver(loop.get_executor());
    net::CurlMulti curl{loop.get_executor()};
    net::TlsContexts tls;
    net::IcmpSockets icmp{loop.get_executor()};
    net::Services services{*resolver, curl, tls, icmp, heavy.get_executor()};
    net::HttpClient client{curl,
        {config.publisher.ca_file, config.publisher.proxy.value_or(""), !config.publisher.proxy}};

    status::DaemonMetrics own_metrics{registry};
    status::Notifier notifier = status::Notifier::from_environment();
    status::StatusServer status_server{loop.get_executor(), registry, config.status, actions()};
    std::unique_ptr<control::Control> control;
    std::unique_ptr<link::Tenants> tenants;
    std::unique_ptr<exporters::Publisher> publisher;
    std::unique_ptr<schedule::Schedule> schedule;
    std::shared_ptr<grpc::Channel> channel;  // null: there is no API
    config::Secret token;
    std::unique_ptr<link::StateFile> state_file;
    std::unique_ptr<link::Telemetry> telemetry;
    std::unique_ptr<link::Link> link;
    std::unique_ptr<link::AdHoc> ad_hoc;
    std::unique_ptr<status::MetricsPush> metrics_push;
    std::unique_ptr<status::Watchdog> watchdog;
    LocalChecks local_checks;
    Reloads reloads{loop.get_executor(), [this] { return reload(); }};
    net::TaskGroup following{loop.get_executor()};  // what stops before the rest
    int exit_status = EXIT_SUCCESS;
};

asio::awaitable<void> Daemon::Parts::live()
{
    const auto started = co_await start();
    if (!started) {
        std::fprintf(stderr, "sonde: %s\n",
            config::located(command.config_file, command.options, started.error().message).c_str());
        exit_status = EXIT_FAILURE;
    } else {
        logger.info("started", {{"version", version::number}, {"checks", schedule->size()}});
        memory::release_startup_pages();
        notifier.ready();
        boost::system::error_code woken;  // by a signal, or by follow_api() giving up
        co_await ending.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        logger.info("stopping");
        notifier.stopping();
    }
    ending.clear();  // whoever sends a second signal means it
    co_await stop();
}

/// Listeners and database first: where one of them cannot be had, nothing has begun.
asio::awaitable<Result<>> Daemon::Parts::start()
{
    if (auto listening = listen(); !listening)
        co_return listening;
    // Reading the system's trust store takes 15 ms, which would be part of all runs of that time.
    static_cast<void>(tls.get({}));
    if (auto connected = co_await connect(); !connected)
        co_return connected;
    const WantedChecks checks = take_checks(config);
    co_await local_checks.apply(checks, *schedule);
    following.spawn(reloads.run());
    following.spawn(obey_signals());
    if (link)
        following.spawn(follow_api());
    co_return Result<>{};
}

Result<> Daemon::Parts::listen()
{
    if (config.control) {
        control = std::make_unique<control::Control>(
            loop.get_executor(), workers, *config.control, registry);
        if (auto started = control->start(); !started)
            return started;
    }
    if (config.status.listen)
        if (const auto port = status_server.listen(*config.status.listen); !port)
            return error("bind", "status.listen: {}", port.error().message);
    return {};
}

asio::awaitable<Result<>> Daemon::Parts::connect()
{
    if (auto reached = co_await reach_api(); !reached)
        co_return reached;
    const auto executor = loop.get_executor();
    tenants = std::make_unique<link::Tenants>(executor, config.tenants, channel, token);
    publisher = std::make_unique<exporters::Publisher>(executor, client, *tenants, config.publisher,
        registry, exporters::Publisher::Disk{workers, config.journal});
    if (auto opened = co_await publisher->open(); !opened)
        co_return opened;
    schedule = std::make_unique<schedule::Schedule>(executor, services, *tenants, *publisher,
        config.schedule, config.checkers, registry, config.egress);
    if (channel)
        join_api();
    if (const auto timeout = status::watchdog_timeout()) {
        watchdog = std::make_unique<status::Watchdog>(
            notifier, *timeout, [this] { return schedule->on_time(); });
        following.spawn(watchdog->run());
    }
    if (config.status.push_every) {
        metrics_push = std::make_unique<status::MetricsPush>(
            registry, *publisher, *config.status.push_every, [this] { return owner(); });
        following.spawn(metrics_push->run());
    }
    co_return Result<>{};
}

/// A channel to the API, embedded or not, and the token for it.
asio::awaitable<Result<>> Daemon::Parts::reach_api()
{
    if (config.api && config.api->embedded) {
        auto embedded = co_await control->embed(probe_of(config.probe));
        if (!embedded)
            co_return embedded.error();
        token = *embedded;
        channel = control->channel();
    } else if (config.api) {
        auto opened = link::open_channel(*config.api);
        if (!opened)
            co_return opened.error();
        channel = *opened;
        token = config.api->token;
    }
    co_return Result<>{};
}

void Daemon::Parts::join_api()
{
    const auto executor = loop.get_executor();
    telemetry = std::make_unique<link::Telemetry>(
        executor, channel, token, *tenants, registry, config.api->telemetry_every);
    schedule->tell([this](const pb::Check& check, exporters::TenantKey tenant, double seconds) {
        telemetry->completed(check, tenant, seconds);
    });
    link = std::make_unique<link::Link>(executor, channel, token, *schedule, *tenants, registry);
    if (!config.api->embedded && !config.api->state_file.empty()) {
        state_file = std::make_unique<link::StateFile>(
            executor, workers, config.api->state_file, config.api->address.text());
        link->remember_in(*state_file);
        following.spawn(state_file->run());
    }
    ad_hoc = std::make_unique<link::AdHoc>(
        executor, channel, token, services, *tenants,
        [this](exporters::Payload payload) { publisher->publish(std::move(payload)); },
        config.checkers, registry);
    following.spawn(ad_hoc->run());
}

asio::awaitable<void> Daemon::Parts::follow_api()
{
    const Error why = co_await link->run();
    logger.error("the API refuses this probe", {{"reason", why.reason}, {"why", why.message}});
    exit_status = EXIT_FAILURE;
    ending.cancel();
}

asio::awaitable<void> Daemon::Parts::obey_signals()
{
    for (;;) {
        const int number = co_await orders.async_wait(asio::use_awaitable);
        if (number == SIGUSR1)
            step_aside();
        else if (number == SIGUSR2)
            tell_state();
        else
            reloads.order();
    }
}

/// Reads the file on a thread that is there for it; what is applied of it is applied in turns with
/// all else that runs.
/// @return what kept the options from being applied, a line each: then nothing has changed.
asio::awaitable<std::vector<std::string>> Daemon::Parts::reload()
{
    notifier.reloading();
    auto read = std::make_shared<Reread>();
    auto reading = [read, running = config, command = command] {
        try {
            *read = read_again(command, running);
        } catch (const std::exception& failure) {
            read->problems = {failure.what()};
        }
        return true;
    };
    asio::thread_pool reader{1};  // a worker's heap would keep what reading took
    auto reading_it = net::on_worker(reader, std::move(reading));
    co_await std::move(reading_it);
    for (const std::string& warning : read->warnings)
        logger.warning("options", {{"warning", warning}});
    for (const std::string& problem : read->problems)
        logger.error("the options were not applied", {{"problem", problem}});
    const bool applied = read->problems.empty();
    if (applied) {
        apply(std::move(read->config));
        co_await local_checks.apply(read->checks, *schedule);
        if (control)
            control->reload_directory();
        logger.info("the options were read again", {{"checks", schedule->size()}});
    }
    own_metrics.reloaded(applied);
    notifier.ready();
    auto problems = std::move(read->problems);
    auto tidying_it = net::on_worker(reader, tidying(std::move(read)));
    co_await std::move(tidying_it);
    memory::release_free_pages();
    co_return problems;
}

void Daemon::Parts::apply(config::AgentConfig wanted)
{
    if (wanted.log != config.log)  // else a level set by hand stays
        configure_log(wanted.log);
    const bool has_new_token =
        link && !config.api->embedded && wanted.api->token != config.api->token;
    config = std::move(wanted);
    publisher->reconfigure(config.publisher, config.journal);
    schedule->reconfigure(config.schedule, config.checkers, config.egress);
    tenants->set_file_tenants(config.tenants);
    if (ad_hoc)
        ad_hoc->reconfigure(config.checkers);
    if (has_new_token)  // an unchanged one leaves the session alone
        change_token();
}

void Daemon::Parts::change_token()
{
    const auto changed = link->set_token(config.api->token);
    if (!changed)
        return logger.error("the new token cannot be used", {{"why", changed.error().message}});
    tenants->set_token(config.api->token);
    telemetry->set_token(config.api->token);
    ad_hoc->set_token(config.api->token);
}

/// Whose metrics the process's own are: of the tenant that owns the probe.
std::optional<status::Owner> Daemon::Parts::owner() const
{
    if (!link)
        return status::Owner{
            {exporters::Origin::file, config.tenants.empty() ? 1 : config.tenants.front().id},
            config.probe.name};
    const auto probe = link->probe();
    if (!probe)
        return std::nullopt;
    return status::Owner{{exporters::Origin::api, probe->tenantid()}, probe->name()};
}

std::chrono::milliseconds Daemon::Parts::step_aside()
{
    if (!link)
        return std::chrono::milliseconds{0};
    link->step_aside(config.api->step_aside);
    return config.api->step_aside;
}

/// For whoever has a shell on the host and no way to the status server: how it stands, and what
/// `/metrics` has but zeros. It was asked for: the level that is the default must show it.
void Daemon::Parts::tell_state() const
{
    const std::string why_not = not_ready();
    logger.warning("state", {{"checks", schedule->size()}, {"on_time", schedule->on_time()},
                                {"ready", why_not.empty() ? "yes" : why_not}});
    std::istringstream samples{
        prometheus::TextSerializer{}.Serialize(status::own_families(registry))};
    for (std::string sample; std::getline(samples, sample);)
        if (!sample.starts_with('#') && !sample.ends_with(" 0"))
            logger.warning("state", {{"sample", sample}});
}

/// In reverse: no new orders, no new runs, a last flush. The control plane of this process goes
/// last: its probe, too, has something to tell it at the end.
asio::awaitable<void> Daemon::Parts::stop()
{
    orders.cancel();
    following.cancel();
    status_server.stop();
    if (schedule)
        schedule->stop();
    if (telemetry)
        co_await telemetry->push_last(last_words);
    if (state_file)
        co_await state_file->save();
    if (publisher)
        co_await publisher->shut_down(
            std::chrono::steady_clock::now() + config.publisher.shutdown_flush);
    if (tenants)
        tenants->stop();
    if (control)
        co_await control->stop();
}

status::Actions Daemon::Parts::actions()
{
    return {
        .not_ready = [this] { return not_ready(); },
        .disconnect = [this] { return step_aside(); },
        .reload = [this] { return reloads.order_and_await(); },
        .results =
            [this] {
                return schedule ? schedule->last_results() : std::vector<exporters::Payload>{};
            },
        .workers = &workers,
    };
}

std::string Daemon::Parts::not_ready() const
{
    if (control && !control->ready())
        return "the database does not answer";
    if (!schedule)
        return "starting";
    if (!link)
        return {};
    const bool accepted = config.status.sticky_ready ? link->ever_connected() : link->connected();
    return accepted ? "" : "no session with the API";
}

Daemon::Daemon(config::AgentConfig config, cli::RunCommand command)
    : parts_{std::make_unique<Parts>(std::move(config), std::move(command))}
{}

Daemon::~Daemon() = default;

int Daemon::run()
{
    parts_->tasks.spawn(parts_->live());
    parts_->loop.run();
    parts_->workers.join();
    parts_->heavy.join();
    return parts_->exit_status;
}

void configure_log(const config::LogConfig& config)
{
    const bool journal = status::leads_to_journal(STDOUT_FILENO);
    const bool text = config.format == config::LogFormat::text ||
                      (config.format == config::LogFormat::automatic && journal);
    log::configure(config.level, text ? log::Format::text : log::Format::json, text && journal,
        log::Destination::standard_output);
    // gRPC writes lines of another form beside ours, which say the same.
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
    google::protobuf::SetLogHandler(take_line_of_protobuf);
}

}  // namespace sonde
