#include "agent/daemon.h"

#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/base/version.h"
#include "agent/control/control.h"
#include "agent/link/adhoc.h"
#include "agent/link/link.h"
#include "agent/link/registration.h"
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
#include "agent/schedule/schedule.h"
#include "agent/status/metrics.h"
#include "agent/status/metrics_push.h"
#include "agent/status/notify.h"
#include "agent/status/status_server.h"
#include "checkers/registry.h"
#include "config/judge_check.h"
#include "config/locate.h"
#include "config/reload.h"
#include "exporters/publisher.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <prometheus/registry.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

namespace sonde {
namespace {

namespace asio = boost::asio;

constexpr log::Logger logger{"main"};
constexpr std::chrono::seconds last_words{1};  // for the last push of telemetry

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

/// The checks of the file on the schedule, brought in line with what the file says now.
class LocalChecks {
public:
    void apply(const config::AgentConfig& config, schedule::Schedule& schedule)
    {
        const auto probe = std::make_shared<const pb::Probe>(probe_of(config.probe));
        const std::string as = probe->SerializeAsString();
        std::map<std::int64_t, std::string> wanted;
        for (const pb::Check& check : config.checks) {
            const auto& text = wanted[check.id()] = check.SerializeAsString() + as;
            const auto known = known_.find(check.id());
            if (known == known_.end() || known->second != text)
                schedule.put(schedule::Origin::file, check, probe);
        }
        for (const auto& [id, text] : known_)
            if (!wanted.contains(id))
                schedule.remove({schedule::Origin::file, id});
        known_ = std::move(wanted);
    }

private:
    std::map<std::int64_t, std::string> known_;  // id to check and probe as they were put
};

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
    std::vector<std::string> reload();
    void apply(config::AgentConfig wanted);
    void change_token();
    std::chrono::milliseconds step_aside();
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
    asio::signal_set orders{loop, SIGHUP, SIGUSR1};

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
    local_checks.apply(config, *schedule);
    following.spawn(obey_signals());
    if (link)
        following.spawn(follow_api());
    co_return Result<>{};
}

Result<> Daemon::Parts::listen()
{
    if (config.control) {
        control = std::make_unique<control::Control>(loop.get_executor(), workers, *config.control);
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
        else
            static_cast<void>(reload());
    }
}

/// @return what kept the options from being applied, a line each: then nothing has changed.
std::vector<std::string> Daemon::Parts::reload()
{
    notifier.reloading();
    auto loaded =
        config::load_agent_config(command.config_file, command.options, checkers::validate);
    std::vector<std::string> problems = std::move(loaded.problems);
    if (problems.empty())
        problems = config::needs_restart(config, loaded.config);
    if (problems.empty() && loaded.config.api)
        if (const auto usable = link::check_token(loaded.config.api->token.reveal()); !usable)
            problems.push_back(usable.error().message);
    for (const std::string& warning : loaded.warnings)
        logger.warning("options", {{"warning", warning}});
    for (const std::string& problem : problems)
        logger.error("the options were not applied", {{"problem", problem}});
    if (problems.empty())
        apply(std::move(loaded.config));
    own_metrics.reloaded(problems.empty());
    notifier.ready();
    return problems;
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
    local_checks.apply(config, *schedule);
    logger.info("the options were read again", {{"checks", schedule->size()}});
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
        .reload = [this]() -> asio::awaitable<std::vector<std::string>> { co_return reload(); },
        .results =
            [this] {
                return schedule ? schedule->last_results() : std::vector<exporters::Payload>{};
            },
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
}

}  // namespace sonde
