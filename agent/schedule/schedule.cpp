#include "agent/schedule/schedule.h"

#include "agent/base/log.h"
#include "agent/schedule/job.h"
#include "agent/schedule/metrics.h"
#include "agent/schedule/publish.h"
#include "agent/schedule/secret_stores.h"
#include "agent/schedule/wall_time.h"
#include "checkers/run_once.h"
#include "config/ids.h"
#include "exporters/publisher.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace sonde::schedule {
namespace {

constexpr log::Logger logger{"schedule"};

using Clock = std::chrono::steady_clock;
using Time = Timetable::Time;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr milliseconds away_from_runs = 10s;  // a republication keeps this far from real samples

std::size_t default_in_flight()
{
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto descriptors = std::min<rlim_t>(limit.rlim_cur, 1U << 20U);
    return std::max<std::size_t>(descriptors * 8 / 10, 1);
}

exporters::TenantKey tenant_of(Origin origin, const pb::Check& check)
{
    const auto region = config::split_id(check.id()).region;
    return {origin, config::global_id(config::split_id(check.tenantid()).local, region)};
}

}  // namespace

using JobPtr = std::shared_ptr<Job>;

struct Schedule::State {
    State(const asio::any_io_executor& its_loop, net::Services& its_net,
        exporters::TenantSource& its_tenants, exporters::Publisher& its_publisher,
        const config::ScheduleConfig& its_config, const config::CheckersConfig& its_checkers,
        prometheus::Registry& registry)
        : net{its_net}, tenants{its_tenants}, publisher{its_publisher}, config{its_config},
          checkers{its_checkers}, secrets{its_net.curl}, metrics{registry}, wake{its_loop},
          tasks{its_loop}
    {
        if (config.max_in_flight == 0)
            config.max_in_flight = default_in_flight();
    }

    struct Ready {
        JobPtr job;
        Time due;
    };

    asio::awaitable<void> keep_time();
    void collect_due(Time now);
    void start_ready();
    void rewake() { wake.cancel(); }
    asio::awaitable<void> run(JobPtr job, Time due);
    asio::awaitable<void> run_and_publish(Job& job, Time due);
    void publish(Job& job, exporters::Payload payload);
    void collector_error(Job& job, const Error& why);
    void republish(Job& job, Time now);
    void retire(const JobPtr& job);
    void end_series(Job& job);
    prometheus::Labels labels_of(const Job& job) const;

    net::Services& net;
    exporters::TenantSource& tenants;
    exporters::Publisher& publisher;
    config::ScheduleConfig config;
    config::CheckersConfig checkers;
    SecretStores secrets;
    Metrics metrics;
    WallTime wall;

    std::uint64_t next_number = 1;
    std::map<CheckKey, JobPtr> current;
    std::map<std::uint64_t, JobPtr> by_number;  // those that still come due
    Timetable runs;
    Timetable repeats;
    std::deque<Ready> ready;  // due, waiting for a place
    std::size_t in_flight = 0;
    bool stopped = false;
    asio::steady_timer wake;
    net::TaskGroup tasks;
};

Schedule::Schedule(const asio::any_io_executor& loop, net::Services& net,
    exporters::TenantSource& tenants, exporters::Publisher& publisher,
    const config::ScheduleConfig& config, const config::CheckersConfig& checkers,
    prometheus::Registry& registry)
    : state_{std::make_unique<State>(loop, net, tenants, publisher, config, checkers, registry)}
{
    state_->tasks.spawn(state_->keep_time());
}

Schedule::~Schedule() = default;

void Schedule::put(Origin origin, const pb::Check& check, std::shared_ptr<const pb::Probe> probe)
{
    State& s = *state_;
    if (s.stopped)
        return;
    const CheckKey key{origin, check.id()};
    remove(key);
    auto job = std::make_shared<Job>(check);
    job->number = s.next_number++;
    job->origin = origin;
    job->probe = std::move(probe);
    job->prepared = checkers::make(check);
    job->kind = checkers::settings_name(check.settings());
    job->pointed_at = job->can_run() ? job->prepared.kind->pointed_at(check) : check.target();
    job->tenant = tenant_of(origin, check);
    s.current[key] = job;
    s.metrics.scrapers.Add({{"type", job->kind}}).Increment();
    if (!job->can_run()) {
        logger.warning("a check of an unknown kind is not run",
            {{"check_id", check.id()}, {"kind", job->kind}, {"target", check.target()}});
        return;
    }
    const milliseconds period{check.frequency()};
    const milliseconds offset = check.offset() > 0 ? milliseconds{check.offset()}
                                                   : stable_offset(check.id(), check.tenantid(),
                                                         std::min(period, s.config.start_spread));
    s.by_number[job->number] = job;
    s.runs.put(job->number, Clock::now() + offset, period);
    s.rewake();
}

void Schedule::remove(CheckKey key)
{
    State& s = *state_;
    const auto gone = s.current.extract(key);
    if (!gone)
        return;
    const JobPtr& job = gone.mapped();
    s.metrics.scrapers.Add({{"type", job->kind}}).Decrement();
    s.retire(job);
}

std::vector<Known> Schedule::known(Origin origin) const
{
    std::vector<Known> out;
    for (const auto& [key, job] : state_->current)
        if (key.origin == origin)
            out.push_back({key.id, job->check.modified()});
    return out;
}

std::size_t Schedule::size() const
{
    return state_->current.size();
}

void Schedule::stop()
{
    const std::size_t given_up = state_->in_flight + state_->ready.size();
    if (given_up > 0 && !state_->stopped)  // a result that will not come is told, too
        logger.warning("runs are given up, the process ends", {{"runs", given_up}});
    state_->stopped = true;
    state_->ready.clear();
    state_->tasks.cancel();
}

asio::awaitable<void> Schedule::State::keep_time()
{
    while (!stopped) {
        const bool more_this_tick = !ready.empty() && in_flight < config.max_in_flight;
        const Time soon = std::chrono::ceil<milliseconds>(Clock::now() + 1us);
        wake.expires_at(more_this_tick ? soon : std::min(runs.next(), repeats.next()));
        boost::system::error_code early;  // a nearer due time, or a place has become free
        co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, early));
        collect_due(Clock::now());
        start_ready();
    }
}

void Schedule::State::collect_due(Time now)
{
    for (const auto& [number, at] : runs.take_due(now)) {
        const JobPtr job = by_number.at(number);
        if (!std::exchange(job->running, true))
            ready.push_back({job, at});
        else if (!job->pending)
            job->pending = at;
        else
            metrics.missed.Increment();
    }
    for (const auto& due : repeats.take_due(now))
        republish(*by_number.at(due.job), now);
}

void Schedule::State::start_ready()
{
    for (std::size_t started = 0; started < config.starts_per_tick && !ready.empty() &&
                                  in_flight < config.max_in_flight && !stopped;
        ++started) {
        auto [job, due] = std::move(ready.front());
        ready.pop_front();
        ++in_flight;
        tasks.spawn(run(std::move(job), due));
    }
    metrics.in_flight.Set(static_cast<double>(in_flight));
}

asio::awaitable<void> Schedule::State::run(JobPtr job, Time due)
{
    struct Leave {  // however a run ends, its place becomes free and its check can run again
        State& state;
        Job& job;
        ~Leave()
        {
            --state.in_flight;
            job.running = false;
            state.rewake();
        }
    } const leave{*this, *job};
    for (;;) {
        co_await run_and_publish(*job, due);
        if (job->ended || !job->pending)
            break;
        due = *std::exchange(job->pending, std::nullopt);
    }
    if (job->ended)
        end_series(*job);
    else if (milliseconds{job->check.frequency()} > config.republish_every &&
             repeats.next(job->number) == Time::max())
        repeats.put(job->number, Clock::now() + config.republish_every, config.republish_every);
}

asio::awaitable<void> Schedule::State::run_and_publish(Job& job, Time due)
{
    metrics.lateness.Observe(std::chrono::duration<double>(Clock::now() - due).count());
    if (job.operations == nullptr)
        job.operations = &metrics.operations.Add(labels_of(job));
    job.operations->Increment();
    job.last_due = due;
    const auto tenant = co_await tenants.tenant(job.tenant);
    if (!tenant)
        co_return collector_error(job, tenant.error());
    if (!job.labels || !job.labels->holds_for(**tenant)) {
        const LabelSource source{job.check, *job.probe, job.kind};
        job.labels = std::make_shared<const Labelling>(source, job.pointed_at, **tenant);
    }
    if (!job.labels->info)
        co_return collector_error(job, job.labels->info.error());

    const std::int64_t due_ms = wall.ms(due);
    checkers::Subject subject;
    subject.target = job.check.target();
    subject.timeout = milliseconds{job.check.timeout()};
    subject.check_id = job.check.id();
    subject.probe_id = job.probe->id();
    const auto tenant_secrets = secrets.of(job.tenant, *tenant);
    subject.secrets = tenant_secrets.get();
    const auto report = co_await checkers::run_once(
        *job.prepared.kind, *job.prepared.checker, net, checkers, subject);
    if (!report.verdict.passed()) {
        auto labels = labels_of(job);
        labels.emplace("source", "check");
        metrics.errors.Add(labels).Increment();
    }
    const std::string execution_id = new_execution_id();
    const PublishContext context{
        job.labels, job.tenant, {job.origin, job.check.id()}, due_ms, execution_id};
    publish(job, to_payload(report, context, job.series));
}

void Schedule::State::publish(Job& job, exporters::Payload payload)
{
    job.last_published_ms = std::max(job.last_published_ms, payload.timestamp_ms);
    job.last = republished(payload, payload.timestamp_ms);
    publisher.publish(std::move(payload));
}

void Schedule::State::collector_error(Job& job, const Error& why)
{
    auto labels = labels_of(job);
    labels.emplace("source", "collector");
    metrics.errors.Add(labels).Increment();
    job.last.reset();
    logger.error(
        "a check was not run", {{"check_id", job.check.id()}, {"tenant", job.check.tenantid()},
                                   {"reason", why.reason}, {"why", why.message}});
}

/// Not while a run is due or under way: its samples will carry the time it was due, and a receiver
/// refuses what is older than it has.
void Schedule::State::republish(Job& job, Time now)
{
    const bool too_near =
        now - job.last_due < away_from_runs || runs.next(job.number) - now < away_from_runs;
    if (!job.last || job.running || too_near)
        return;
    const auto at = wall.ms(now);
    job.last_published_ms = std::max(job.last_published_ms, at);
    publisher.publish(republished(*job.last, at));
}

void Schedule::State::retire(const JobPtr& job)
{
    job->ended = true;
    job->pending.reset();
    runs.remove(job->number);
    repeats.remove(job->number);
    by_number.erase(job->number);
    const auto waiting =
        std::find_if(ready.begin(), ready.end(), [&](const Ready& r) { return r.job == job; });
    if (waiting != ready.end()) {
        ready.erase(waiting);
        job->running = false;
    }
    if (!job->running)
        end_series(*job);
}

void Schedule::State::end_series(Job& job)
{
    if (job.last)
        publisher.publish(ended(*job.last, job.last_published_ms + 1));
    job.last.reset();
}

prometheus::Labels Schedule::State::labels_of(const Job& job) const
{
    return {{"type", job.kind},
        {"tenantId", std::to_string(config::split_id(job.check.tenantid()).local)},
        {"regionId", std::to_string(config::split_id(job.check.id()).region)}};
}

}  // namespace sonde::schedule
