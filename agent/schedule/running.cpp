#include "agent/base/log.h"
#include "agent/schedule/publish.h"
#include "agent/schedule/state.h"
#include "config/ids.h"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace sonde::schedule {
namespace {

constexpr log::Logger logger{"schedule"};

using exporters::GapReason;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr auto withheld_lines_every = 30s;

}  // namespace

asio::awaitable<void> Schedule::State::run(JobPtr job, Late cause)
{
    struct Leave {  // however a run ends, its place becomes free and its check can run again
        State& state;
        const JobPtr& job;
        ~Leave()
        {
            job->running = job->due.has_value();  // again, and waiting for a place
            state.in_flight.erase(job);
            state.metrics.in_flight.Set(static_cast<double>(state.in_flight.size()));
            state.rewake();
        }
    } const leave{*this, job};
    co_await attempt(*job, cause);
    if (stopped)
        co_return;
    if (job->ended)
        co_return end_series(*job);
    if (is_repeated(*job) && repeats.next(job->number) == Time::max()) {
        const Time first = clock.now() + config.republish_every;
        repeats.put(job->number, first, Grid::through(first, config.republish_every));
    }
    if (job->pending) {  // behind the others: a slow target must not keep its place for ever
        job->due = std::exchange(job->pending, std::nullopt);
        ready.push_back({job, Late::previous_run, tick});
    }
}

void Schedule::State::begin(Job& job, Late cause)
{
    const auto late = clock.now() - job.due->moment;
    metrics.lateness.Observe(std::chrono::duration<double>(late).count());
    if (late > still_on_time)
        metrics.late(cause).Increment();
    if (job.operations == nullptr)
        job.operations = &metrics.operations.Add(labels_of(job));
    job.operations->Increment();
    job.last_due = job.due->moment;
}

/// A run whose end nobody foresaw has no result and tells nothing of the target, but its check goes
/// on, and its series will be ended.
asio::awaitable<void> Schedule::State::attempt(Job& job, Late cause)
{
    std::string why;
    try {
        begin(job, cause);
        co_await run_and_publish(job);
        co_return;
    } catch (const boost::system::system_error& failure) {
        if (stopped)
            throw;
        why = failure.code().message();
    } catch (const std::exception& failure) {
        if (stopped)
            throw;
        why = failure.what();
    }
    collector_error(job, {"internal", why}, GapReason::internal);
}

asio::awaitable<void> Schedule::State::run_and_publish(Job& job)
{
    const auto tenant = co_await tenants.tenant(job.tenant);
    if (stopped)
        co_return;
    if (!tenant) {
        job.last.reset();
        co_return collector_error(job, tenant.error(), GapReason::no_tenant);
    }
    if (!label(job, **tenant)) {
        job.last.reset();
        co_return collector_error(job, job.labels->info.error(), GapReason::too_many_labels);
    }
    checkers::Subject subject;
    subject.target = job.check.target();
    subject.timeout = milliseconds{job.check.timeout()};
    subject.check_id = job.check.id();
    subject.probe_id = job.probe->id();
    const auto tenant_secrets = secrets.of(job.tenant, *tenant);
    subject.secrets = tenant_secrets.get();
    const auto options = checkers;
    const auto report = co_await checkers::run_once(
        *job.prepared.kind, *job.prepared.checker, net, *options, subject);
    if (stopped)
        co_return;
    if (egress.asks() && may_be_our_way_out(report.verdict)) {
        const bool up = co_await egress.up();
        if (stopped)
            co_return;
        if (!up && egress.withholds_failures())
            co_return withhold(job, report.verdict);
    }
    conclude(job, report);
}

/// False: there are more labels than the tenant may have.
bool Schedule::State::label(Job& job, const exporters::Tenant& tenant)
{
    if (!job.labels || !job.labels->holds_for(tenant)) {
        const LabelSource source{job.check, *job.probe, job.kind};
        job.labels = std::make_shared<const Labelling>(source, job.pointed_at, tenant);
    }
    return job.labels->info.has_value();
}

void Schedule::State::conclude(Job& job, const checkers::Report& report)
{
    if (!report.verdict.passed()) {
        auto labels = labels_of(job);
        labels.emplace("source", "check");
        metrics.errors.Add(labels).Increment();
    }
    metrics.own_delay.Observe(std::chrono::duration<double>(report.probe_late).count());
    if (completed)
        completed(job.check, job.tenant, report.duration_seconds);
    const std::string execution_id = new_execution_id();
    const PublishContext context{
        job.labels, job.tenant, job.key(), to_ms(job.due->name), execution_id};
    auto payload = to_payload(report, context, job.series);
    job.last_published_ms = std::max(job.last_published_ms, payload.timestamp_ms);
    job.last = republished(payload, payload.timestamp_ms);
    job.repeatable = true;
    job.unable = {};
    job.due.reset();
    results.publish(std::move(payload));
}

/// Neither is the failure published nor the success before it repeated: whether the target answers
/// is not known, and to say it did would be as untrue as to say it did not. The series stay open:
/// `last` still ends them.
void Schedule::State::withhold(Job& job, const checkers::Verdict& verdict)
{
    job.repeatable = false;
    metrics.withheld.Increment();
    lose(job, GapReason::egress_down);
    ++withheld_unlogged;
    const auto now = std::chrono::steady_clock::now();
    if (now - withheld_logged < withheld_lines_every)
        return;
    withheld_logged = now;
    logger.warning("failed runs are withheld: our own way out is down",
        {{"runs", std::exchange(withheld_unlogged, 0)}, {"check_id", job.check.id()},
            {"reason", verdict.code}, {"why", verdict.message}});
}

void Schedule::State::collector_error(Job& job, const Error& why, GapReason reason)
{
    auto labels = labels_of(job);
    labels.emplace("source", "collector");
    metrics.errors.Add(labels).Increment();
    job.repeatable = false;
    lose(job, reason);
    if (std::exchange(job.unable, why.reason) == why.reason)
        return;  // a line for each run would hide all others
    logger.error(
        "a check was not run", {{"check_id", job.check.id()}, {"tenant", job.check.tenantid()},
                                   {"reason", why.reason}, {"why", why.message}});
}

/// Not while a run is due or under way: its samples will carry the time it was due, and a receiver
/// refuses what is older than it has.
void Schedule::State::republish(Job& job, Time now)
{
    const bool too_near = now - job.last_due < timings.away_from_runs ||
                          runs.next(job.number) - now < timings.away_from_runs;
    if (!job.last || !job.repeatable || job.running || too_near)
        return;
    const auto at = to_ms(now);
    job.last_published_ms = std::max(job.last_published_ms, at);
    results.publish(republished(*job.last, at));
}

void Schedule::State::end_series(Job& job)
{
    if (job.last)
        results.publish(ended(*job.last, job.last_published_ms + 1));
    job.last.reset();
}

void Schedule::State::lose(Job& job, GapReason reason)
{
    if (const auto due = std::exchange(job.due, std::nullopt))
        record(job, {due->name, due->name, 1}, reason);
}

void Schedule::State::lose_pending(Job& job, GapReason reason)
{
    if (const auto due = std::exchange(job.pending, std::nullopt))
        record(job, {due->name, due->name, 1}, reason);
}

void Schedule::State::record(
    const Job& job, const Timetable::Missed& missed, GapReason reason) const
{
    exporters::Gap gap;
    gap.check = job.key();
    gap.tenant = job.tenant;
    gap.from_ms = to_ms(missed.from);
    gap.to_ms = to_ms(missed.to);
    gap.runs = missed.times;
    gap.reason = reason;
    results.record(gap);
}

prometheus::Labels Schedule::State::labels_of(const Job& job) const
{
    return {{"type", job.kind},
        {"tenantId", std::to_string(config::split_id(job.check.tenantid()).local)},
        {"regionId", std::to_string(config::split_id(job.check.id()).region)}};
}

}  // namespace sonde::schedule
