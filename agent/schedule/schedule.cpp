#include "agent/schedule/schedule.h"

#include "agent/base/log.h"
#include "agent/schedule/state.h"
#include "config/ids.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace sonde::schedule {
namespace {

constexpr log::Logger logger{"schedule"};

using exporters::GapReason;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

std::size_t default_in_flight()
{
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto descriptors = std::min<rlim_t>(limit.rlim_cur, 1U << 20U);
    return std::max<std::size_t>(descriptors * 8 / 10, 1);
}

config::ScheduleConfig complete(config::ScheduleConfig config)
{
    if (config.max_in_flight == 0)
        config.max_in_flight = default_in_flight();
    return config;
}

exporters::TenantKey tenant_of(Origin origin, const pb::Check& check)
{
    const auto region = config::split_id(check.id()).region;
    return {origin, config::global_id(config::split_id(check.tenantid()).local, region)};
}

JobPtr make_job(Origin origin, const pb::Check& check, std::shared_ptr<const pb::Probe> probe,
    std::shared_ptr<SeriesPlans> plans)
{
    auto job = std::make_shared<Job>(check, std::move(plans));
    job->origin = origin;
    job->probe = std::move(probe);
    job->prepared = checkers::make(check);
    job->kind = checkers::settings_name(check.settings());
    job->pointed_at = job->can_run() ? job->prepared.kind->pointed_at(check) : check.target();
    job->tenant = tenant_of(origin, check);
    return job;
}

}  // namespace

Schedule::State::State(const asio::any_io_executor& loop, net::Services& its_net,
    exporters::TenantSource& its_tenants, Results& its_results,
    const config::ScheduleConfig& its_config, const config::CheckersConfig& its_checkers,
    prometheus::Registry& registry, const config::EgressConfig& its_egress,
    const Timings& its_timings)
    : net{its_net}, tenants{its_tenants}, results{its_results}, config{complete(its_config)},
      checkers{std::make_shared<const config::CheckersConfig>(its_checkers)}, timings{its_timings},
      secrets{its_net.curl}, metrics{registry},
      egress{loop, its_net, its_egress, metrics.egress_up}, clock{its_timings.clocks}, wake{loop},
      tasks{loop}
{
    tasks.spawn(keep_time());
}

Schedule::Schedule(const asio::any_io_executor& loop, net::Services& net,
    exporters::TenantSource& tenants, exporters::Publisher& publisher,
    const config::ScheduleConfig& config, const config::CheckersConfig& checkers,
    prometheus::Registry& registry, const config::EgressConfig& egress)
{
    auto results = results_for(publisher);
    state_ = std::make_unique<State>(
        loop, net, tenants, *results, config, checkers, registry, egress, Timings{});
    state_->own_results = std::move(results);
}

Schedule::Schedule(const asio::any_io_executor& loop, net::Services& net,
    exporters::TenantSource& tenants, Results& results, const config::ScheduleConfig& config,
    const config::CheckersConfig& checkers, prometheus::Registry& registry,
    const config::EgressConfig& egress, const Timings& timings)
    : state_{std::make_unique<State>(
          loop, net, tenants, results, config, checkers, registry, egress, timings)}
{}

Schedule::~Schedule() = default;

void Schedule::put(Origin origin, const pb::Check& check, std::shared_ptr<const pb::Probe> probe)
{
    State& s = *state_;
    if (s.stopped)
        return;
    const CheckKey key{origin, check.id()};
    const bool replaces = s.current.contains(key);
    remove(key);
    const JobPtr job = make_job(origin, check, std::move(probe), s.plans);
    job->number = s.next_number++;
    s.current[key] = job;
    s.metrics.scrapers.Add({{"type", job->kind}}).Increment();
    if (!job->can_run()) {
        logger.warning("a check of an unknown kind is not run",
            {{"check_id", check.id()}, {"kind", job->kind}, {"target", check.target()}});
        return;
    }
    const Time now = s.look();
    const Grid grid = grid_of(check, job->probe->id(), s.config.start_spread);
    const auto last_run = replaces ? std::nullopt : s.results.last_run(key);
    const bool resumed = last_run && *last_run < to_ms(s.started);
    if (resumed)
        s.account_for_absence(*job, *last_run, grid, now);
    s.by_number[job->number] = job;
    s.runs.put(job->number, s.first_due(*job, grid, resumed, now), grid);
    s.rewake();
}

void Schedule::remove(CheckKey key)
{
    State& s = *state_;
    if (s.stopped)
        return;
    const auto gone = s.current.extract(key);
    if (!gone)
        return;
    const JobPtr& job = gone.mapped();
    s.metrics.scrapers.Add({{"type", job->kind}}).Decrement();
    s.collect_due(s.look());  // what was due before this moment is to be accounted for
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

std::vector<exporters::Payload> Schedule::last_results() const
{
    std::vector<exporters::Payload> out;
    for (const auto& [key, job] : state_->current)
        if (job->last && job->repeatable)
            out.push_back(*job->last);
    return out;
}

bool Schedule::on_time()
{
    State& s = *state_;
    if (s.stopped)
        return true;
    const Time now = s.look();
    s.collect_due(now);  // after a suspension it is nobody's fault that this has not happened yet
    return std::none_of(s.ready.begin(), s.ready.end(), [&](const State::Ready& waiting) {
        return now - waiting.job->due->moment > milliseconds{waiting.job->check.frequency()};
    });
}

void Schedule::tell(Completed completed)
{
    state_->completed = std::move(completed);
}

void Schedule::reconfigure(const config::ScheduleConfig& config,
    const config::CheckersConfig& checkers, const config::EgressConfig& egress)
{
    State& s = *state_;
    const bool repeats_otherwise = config.republish_every != s.config.republish_every;
    s.config = complete(config);
    s.checkers = std::make_shared<const config::CheckersConfig>(checkers);
    s.egress.reconfigure(egress);
    if (repeats_otherwise)
        s.repeat_anew();
    s.rewake();
}

void Schedule::stop()
{
    State& s = *state_;
    if (s.stopped)
        return;
    s.collect_due(s.look());
    s.stopped = true;
    s.give_up();
    s.egress.stop();
    s.tasks.cancel();
}

asio::awaitable<void> Schedule::State::keep_time()
{
    while (!stopped) {
        ++tick;
        collect_due(look());
        start_ready();
        wake.expires_after(sleep_time());
        boost::system::error_code early;  // a nearer due time, or a place has become free
        co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, early));
    }
}

nanoseconds Schedule::State::sleep_time() const
{
    const Time now = clock.now();
    if (!ready.empty() && in_flight.size() < config.max_in_flight)
        return std::chrono::ceil<milliseconds>(now + 1us) - now;  // the next tick
    const nanoseconds left = std::min(runs.next(), repeats.next()) - now;
    return std::clamp<nanoseconds>(left, 0ns, timings.longest_sleep);
}

/// The time, after the timetables have followed a step of the wall clock, in whole milliseconds: by
/// less the two clocks differ for being read one after the other.
Time Schedule::State::look()
{
    const nanoseconds ahead = clock.ahead();
    if (std::chrono::abs(ahead) > timings.step)
        step(std::chrono::round<milliseconds>(ahead));
    return clock.now();
}

/// What came due by the clock of before keeps the name that this had for it, begun or not.
void Schedule::State::step(nanoseconds size)
{
    collect_due(clock.now());
    clock.follow(size);
    started += size;
    for (const Ready& waiting : ready)
        waiting.job->due->moment += size;
    for (const auto& [number, job] : by_number) {
        job->last_due += size;
        if (job->pending)
            job->pending->moment += size;
    }
    repeats.step(size, clock.now());
    for (const auto& [number, left_out] : runs.step(size, clock.now())) {
        metrics.skipped.Increment(static_cast<double>(left_out.times));
        record(*by_number.at(number), left_out, GapReason::not_running);
    }
    metrics.clock_steps.Increment();
    logger.warning("the wall clock was set; the checks follow it",
        {{"by_seconds", std::chrono::duration<double>(size).count()},
            {"checks", by_number.size()}});
}

void Schedule::State::collect_due(Time now)
{
    for (const Timetable::Due& due : runs.take_due(now))
        come_due(by_number.at(due.job), due, now);
    for (const Timetable::Due& due : repeats.take_due(now))
        republish(*by_number.at(due.job), now);
}

void Schedule::State::come_due(const JobPtr& job, const Timetable::Due& due, Time now)
{
    if (due.missed.times > 0) {
        metrics.skipped.Increment(static_cast<double>(due.missed.times));
        record(*job, due.missed, GapReason::not_running);
    }
    if (!std::exchange(job->running, true)) {
        job->due = {due.at, due.at};
        const bool late = now - due.at > still_on_time;
        ready.push_back({job, late ? std::optional{Late::loop} : std::nullopt, tick});
    } else if (!job->pending) {
        job->pending = {due.at, due.at};
    } else {
        metrics.missed.Increment();
        record(*job, {due.at, due.at, 1}, GapReason::overrun);
    }
}

void Schedule::State::start_ready()
{
    for (std::size_t started_now = 0;
        started_now < config.starts_per_tick && !ready.empty() && !stopped; ++started_now) {
        if (in_flight.size() >= config.max_in_flight) {
            last_full_tick = tick;
            break;
        }
        const Ready next = std::move(ready.front());
        ready.pop_front();
        in_flight.insert(next.job);
        tasks.spawn(run(next.job, cause_of(next)));
    }
    metrics.in_flight.Set(static_cast<double>(in_flight.size()));
}

/// Why this one is late, should it be.
Late Schedule::State::cause_of(const Ready& waited) const
{
    if (waited.cause || waited.tick == tick)
        return waited.cause.value_or(Late::loop);
    return last_full_tick >= waited.tick ? Late::in_flight : Late::starts_per_tick;
}

/// What was due between the last run of a process before this one and now. As the timetable does
/// after a step, nothing is wanted within half a period from a run.
void Schedule::State::account_for_absence(
    const Job& job, std::int64_t last_ms, const Grid& grid, Time now)
{
    const Time from =
        grid.not_before(from_ms(last_ms) + std::max(grid.period / 2, milliseconds{1}));
    const Time next = grid.after(now);
    if (const std::uint64_t times = grid.points(from, next); times > 0)
        record(job, {from, next - grid.period, times}, GapReason::not_running);
}

/// The next point of the grid; before it a run within the spread of the starts if the check is new
/// and would be without a result for longer.
Time Schedule::State::first_due(const Job& job, const Grid& grid, bool resumed, Time now) const
{
    const Time on_grid = grid.after(now);
    const milliseconds soon = std::min(grid.period, config.start_spread);
    if (resumed || on_grid - now <= soon)
        return on_grid;
    const pb::Check& check = job.check;
    return now + (check.offset() > 0
                         ? std::min(milliseconds{check.offset()}, soon)
                         : stable_offset(check.id(), check.tenantid(), job.probe->id(), soon));
}

void Schedule::State::retire(const JobPtr& job)
{
    job->ended = true;
    lose_pending(*job, GapReason::overrun);
    runs.remove(job->number);
    repeats.remove(job->number);
    by_number.erase(job->number);
    const auto waiting =
        std::find_if(ready.begin(), ready.end(), [&](const Ready& r) { return r.job == job; });
    if (waiting != ready.end()) {
        lose(*job, GapReason::removed);
        ready.erase(waiting);
        job->running = false;
    }
    if (!job->running)
        end_series(*job);
}

bool Schedule::State::is_repeated(const Job& job) const
{
    return milliseconds{job.check.frequency()} > config.republish_every;
}

void Schedule::State::repeat_anew()
{
    const Time first = clock.now() + config.republish_every;
    for (const auto& [number, job] : by_number) {
        repeats.remove(number);
        if (job->last && is_repeated(*job))
            repeats.put(number, first, Grid::through(first, config.republish_every));
    }
}

/// A result that will not come is told, too.
void Schedule::State::give_up()
{
    const std::size_t given_up = in_flight.size() + ready.size();
    if (given_up > 0)
        logger.warning("runs are given up, the process ends", {{"runs", given_up}});
    for (const Ready& waiting : ready) {
        lose(*waiting.job, GapReason::stopped);
        lose_pending(*waiting.job, GapReason::stopped);
    }
    ready.clear();
    for (const JobPtr& job : in_flight) {
        lose(*job, GapReason::stopped);
        lose_pending(*job, GapReason::stopped);
    }
}

}  // namespace sonde::schedule
