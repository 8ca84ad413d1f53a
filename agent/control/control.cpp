#include "agent/control/control.h"

#include "agent/base/log.h"
#include "agent/control/api.h"
#include "agent/control/directory.h"
#include "agent/control/feed.h"
#include "agent/control/metrics.h"
#include "agent/control/rpc/server.h"
#include "agent/control/store/adhoc.h"
#include "agent/control/store/changes.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/sessions.h"
#include "agent/control/store/store.h"
#include "agent/control/store/telemetry.h"
#include "agent/control/store/tenants.h"
#include "agent/net/http_server.h"
#include "agent/net/worker.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <filesystem>
#include <utility>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr std::chrono::seconds directory_period{10};
// Spec 04 §9.3, §13.4.
constexpr std::chrono::seconds expire_every{5};
constexpr std::chrono::seconds prune_every{60};
constexpr std::chrono::seconds note_tokens_every{60};  // spec 04 §8.3

Database database_of(const config::ControlConfig& config)
{
    return {config.database_file, config.database_url, config.database_password,
        config.database_connections};
}

/// A database that exists has been sealed with some key; one of our own would not open it.
Seal::Missing without_key(const config::ControlConfig& config)
{
    const bool new_file =
        config.database_url.empty() && !std::filesystem::exists(config.database_file);
    return new_file ? Seal::Missing::make : Seal::Missing::refuse;
}

/// The entry of the probe in this process. Where there may be replicas, each with its probe, they
/// are told apart by name.
std::string embedded_key(const config::ControlConfig& config, const pb::Probe& probe)
{
    return config.database_url.empty() ? "@embedded" : "@embedded/" + probe.name();
}

std::filesystem::file_time_type changed(const std::string& file)
{
    std::error_code missing;
    return std::filesystem::last_write_time(file, missing);
}

/// What a look at the directory's file has found; the time is from before the text was read.
struct Look {
    std::filesystem::file_time_type time;
    Result<std::shared_ptr<const Directory>> directory;
};

/// Something that is over, however it ends.
struct Ending {
    bool& going_on;
    explicit Ending(bool& flag) : going_on{flag} {}
    ~Ending() { going_on = false; }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
};

/// Makes what is stored follow the directory: the operator's probes, what tenants may do.
Result<> apply(Transaction& db, const Directory& directory)
{
    if (auto applied = store::apply_public_probes(db, directory.public_probes()); !applied)
        return applied;
    store::apply_directory(db, directory);
    return {};
}

}  // namespace

struct Control::State {
    State(const asio::any_io_executor& its_loop, asio::thread_pool& its_workers,
        const config::ControlConfig& its_config, prometheus::Registry& registry)
        : loop{its_loop}, workers{its_workers}, config{its_config},
          connections{config.database_url.empty() ? 1 : config.database_connections},
          feed{its_loop}, store{config.database_url.empty() ? its_workers : connections, feed},
          metrics{registry}, api{ApiParts{store, config, [this] { return directory; }, metrics}},
          http{its_loop,
              [this](const net::HttpRequest& request, const net::HttpPeer& peer) {
                  return api.handle(request, peer);
              },
              limits()},
          rpc{its_loop, its_workers, store, feed, config, replica, metrics}, tasks{its_loop}
    {}

    net::HttpLimits limits()
    {
        net::HttpLimits out;
        out.body_bytes = [this](
                             const net::HttpRequest& request) { return api.body_limit(request); };
        out.complete = [this](net::HttpReply& reply) { api.complete_refusal(reply); };
        return out;
    }

    Result<> listen_http()
    {
        for (const HostPort& address : config.http.listen) {
            const auto port =
                config.http.tls_cert_file.empty()
                    ? http.listen(address)
                    : http.listen(address, {config.http.tls_cert_file, config.http.tls_key_file});
            if (!port)
                return error("bind", "control.http.listen: {}", port.error().message);
            http_ports.push_back(*port);
        }
        return {};
    }

    /// At start, before the loop runs.
    Result<> set_directory(std::shared_ptr<const Directory> next)
    {
        auto work = [&](Transaction& db) { return apply(db, *next); };
        if (auto applied = store.write_now(work); !applied)
            return applied;
        use(std::move(next));
        return {};
    }

    /// Replicas must have the same: the digest tells.
    void use(std::shared_ptr<const Directory> next)
    {
        directory = std::move(next);
        metrics.directory_read(directory->digest());
        logger.info("the directory was read", {{"sha256", directory->digest()}});
    }

    asio::awaitable<void> read_directory();
    asio::awaitable<void> read_directory_once();
    asio::awaitable<void> watch_directory();
    asio::awaitable<void> expire_leases();
    asio::awaitable<void> prune_log();
    asio::awaitable<void> count_stored();
    asio::awaitable<void> note_tokens();
    asio::awaitable<void> note_used_tokens();

    asio::any_io_executor loop;
    asio::thread_pool& workers;
    const config::ControlConfig config;
    const std::string replica = std::to_string(random_number());
    asio::thread_pool connections;  // a thread for each: who waits for PostgreSQL keeps no worker
    Feed feed;
    Store store;
    Metrics metrics;
    std::shared_ptr<const Directory> directory;
    std::filesystem::file_time_type directory_time;
    bool reading_directory = false;
    bool read_directory_again = false;  // asked for meanwhile
    Api api;
    net::HttpServer http;
    std::vector<std::uint16_t> http_ports;
    RpcServer rpc;
    net::TaskGroup tasks;
};

/// One reading at a time, so that the last to be applied is the last there was.
asio::awaitable<void> Control::State::read_directory()
{
    read_directory_again = true;
    if (std::exchange(reading_directory, true))
        co_return;
    const Ending ending{reading_directory};
    while (std::exchange(read_directory_again, false)) {
        auto once = read_directory_once();
        co_await std::move(once);
    }
}

/// One with problems changes nothing. When the database is away, the next look tries again.
asio::awaitable<void> Control::State::read_directory_once()
{
    auto look = [this] { return Look{changed(config.directory_file), Directory::load(config)}; };
    auto looking = net::on_worker(workers, look);
    const Look found = co_await std::move(looking);
    if (!found.directory) {
        directory_time = found.time;
        metrics.directory_refused();
        logger.error("the directory has problems, the old one stays",
            {{"why", found.directory.error().message}});
        co_return;
    }
    auto work = [&](Transaction& db) { return apply(db, **found.directory); };
    const auto applied = co_await store.write(work);
    if (applied || applied.error().reason != "unavailable")
        directory_time = found.time;
    if (applied) {
        use(*found.directory);
        co_return;
    }
    metrics.directory_refused();
    logger.error(
        "the directory cannot be applied, the old one stays", {{"why", applied.error().message}});
}

asio::awaitable<void> Control::State::watch_directory()
{
    asio::steady_timer timer{loop};
    for (;;) {
        timer.expires_after(directory_period);
        co_await timer.async_wait(asio::use_awaitable);
        auto look = [this] { return changed(config.directory_file); };
        auto looking = net::on_worker(workers, look);
        const auto time = co_await std::move(looking);
        if (time == directory_time)
            continue;
        auto reading = read_directory();
        co_await std::move(reading);
    }
}

/// Of agents that registered and went, and of replicas that crashed. Ad-hoc checks that no agent
/// has asked for go as well.
asio::awaitable<void> Control::State::expire_leases()
{
    asio::steady_timer timer{loop};
    auto expire = [](Transaction& db) -> Result<store::ChangeState> {
        store::expire_sessions(db);
        store::expire_adhoc(db);
        return store::change_state(db);
    };
    for (;;) {
        const auto changes = co_await store.presence(expire);
        if (changes)  // else a failure is logged there; the next one comes
            metrics.change_version(changes->version);
        metrics.undelivered_age(rpc.undelivered_age());
        timer.expires_after(expire_every);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> Control::State::prune_log()
{
    asio::steady_timer timer{loop};
    const auto kept = std::chrono::microseconds{config.changes_retention}.count();
    auto prune = [kept](Transaction& db) -> Result<> {
        store::prune_changes(db, db.now_us() - kept);
        store::forget_silent_agents(db);
        return {};
    };
    for (;;) {
        auto counting = count_stored();
        co_await std::move(counting);
        timer.expires_after(prune_every);
        co_await timer.async_wait(asio::use_awaitable);
        (void)co_await store.write(prune);
    }
}

/// For the metrics: now and then, so that nobody who scrapes them makes the database work.
asio::awaitable<void> Control::State::count_stored()
{
    auto count = [](Transaction& db) -> Result<store::Totals> { return store::totals(db); };
    const auto totals = co_await store.read(count);
    if (totals)
        metrics.stored(*totals);
}

asio::awaitable<void> Control::State::note_used_tokens()
{
    const auto used = api.take_used_tokens();
    if (used.empty())
        co_return;
    auto note = [&used](Transaction& db) -> Result<> {
        store::note_used(db, used);
        return {};
    };
    (void)co_await store.presence(note);  // a failure is logged there
}

/// Beside the requests, none of which waits for it.
asio::awaitable<void> Control::State::note_tokens()
{
    asio::steady_timer timer{loop};
    for (;;) {
        timer.expires_after(note_tokens_every);
        co_await timer.async_wait(asio::use_awaitable);
        auto noting = note_used_tokens();
        co_await std::move(noting);
    }
}

Control::Control(const asio::any_io_executor& loop, asio::thread_pool& workers,
    const config::ControlConfig& config, prometheus::Registry& registry)
    : state_{std::make_unique<State>(loop, workers, config, registry)}
{}

Control::~Control() = default;

Result<> Control::start()
{
    State& s = *state_;
    auto directory = Directory::load(s.config);
    if (!directory)
        return directory.error();
    auto seal = Seal::load(s.config.secrets_key_file, without_key(s.config));
    if (!seal)
        return error("secrets", "control.{}", seal.error().message);
    if (auto opened = s.store.open(database_of(s.config), std::move(*seal)); !opened) {
        const std::string_view reason = opened.error().reason;
        return error(reason, "control.{}{}",
            reason == "secrets" ? "" : "database.url: ", opened.error().message);
    }
    if (auto applied = s.set_directory(*directory); !applied)
        return error("directory", "control.directory: {}", applied.error().message);
    if (auto listening = s.listen_http(); !listening)
        return listening;
    if (auto started = s.rpc.start(); !started)
        return started;
    s.tasks.spawn(s.expire_leases());
    s.tasks.spawn(s.prune_log());
    s.tasks.spawn(s.note_tokens());
    if (!s.config.directory_file.empty()) {
        s.directory_time = changed(s.config.directory_file);
        s.tasks.spawn(s.watch_directory());
    }
    return {};
}

asio::awaitable<Result<config::Secret>> Control::embed(pb::Probe probe)
{
    auto put = [&](Transaction& db) -> Result<store::ProbeWithToken> {
        return store::embed_probe(db, embedded_key(state_->config, probe), probe);
    };
    const auto made = co_await state_->store.write(put);
    if (!made)
        co_return error(made.error().reason, "probe: {}", made.error().message);
    co_return config::Secret{made->token};
}

void Control::reload_directory()
{
    if (!state_->config.directory_file.empty())
        state_->tasks.spawn(state_->read_directory());
}

std::shared_ptr<grpc::Channel> Control::channel()
{
    return state_->rpc.channel();
}

std::vector<std::uint16_t> Control::http_ports() const
{
    return state_->http_ports;
}

std::vector<std::uint16_t> Control::grpc_ports() const
{
    return state_->rpc.ports();
}

bool Control::ready() const
{
    return state_->store.answers();
}

asio::awaitable<void> Control::stop()
{
    State& s = *state_;
    s.http.stop();
    s.tasks.cancel();
    co_await s.rpc.stop();
    // So that probes need not wait for the leases' end before another replica takes them.
    auto end = [&s](Transaction& db) -> Result<> {
        store::end_sessions_of(db, s.replica);
        return {};
    };
    (void)co_await s.store.presence(end);
    auto noting = s.note_used_tokens();
    co_await std::move(noting);
    co_await net::on_worker(s.connections, [&s] {
        s.store.close();
        return true;
    });
}

}  // namespace sonde::control
