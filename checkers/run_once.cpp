#include "checkers/run_once.h"

#include "agent/base/log.h"
#include "agent/base/stopwatch.h"
#include "agent/net/deadline.h"
#include "agent/net/kernel_stamp.h"
#include "checkers/dial.h"
#include "checkers/reasons.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace sonde::checkers {
namespace {

constexpr log::Logger logger{"checkers"};

/// The one place where trouble a checker did not expect becomes a verdict.
asio::awaitable<Verdict> guarded(const Checker& checker, Run& run)
{
    std::string what;
    try {
        co_return co_await checker.run(run);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;  // the deadline, or the end of the program
        what = error.code().message();
    } catch (const std::exception& error) {
        what = error.what();
    }
    logger.error("a checker failed", {{"target", run.subject.target}, {"why", what}});
    CheckLog::Fields fields;
    fields.emplace_back("err", what);
    co_return fail(
        run, "Check failed inside the agent", std::move(fields), Verdict::fail("internal", what));
}

/// Our own delay counts from here on, or from a tenth of the run.
constexpr std::chrono::milliseconds least_delay{1};

double seconds_of(std::chrono::nanoseconds time)
{
    return std::chrono::duration<double>(time).count();
}

/// Says so when the times of the run are not all the target's.
void judge_own_delay(Report& report, Run& run)
{
    const OwnDelay own = delay_of(run);
    report.probe_late = own.least();
    report.late = report.probe_late > least_delay &&
                  seconds_of(report.probe_late) > report.duration_seconds / 10;
    if (!report.late)
        return;
    CheckLog::Fields fields;
    fields.emplace_back("loop_late_seconds", seconds_of(own.loop_late));
    fields.emplace_back("starved_seconds", seconds_of(own.starved));
    run.log.frame(CheckLog::Level::warn, probe_was_late, std::move(fields));
}

void finish(Report& report, Run& run, const Kind& kind)
{
    judge_own_delay(report, run);
    CheckLog::Fields ends;
    ends.emplace_back("duration_seconds", report.duration_seconds);
    ends.emplace_back("walltime_seconds", report.wall_seconds);
    for (LogField& more : run.closing)
        ends.push_back(std::move(more));
    if (report.verdict.passed())
        run.log.frame(CheckLog::Level::info, "Check succeeded", std::move(ends));
    else
        run.log.frame(CheckLog::Level::error, "Check failed", std::move(ends));
    report.phases.reserve(kind.phases.size());
    for (const std::string_view name : kind.phases) {
        const auto found = std::find_if(run.phases.begin(), run.phases.end(),
            [&](const Phase& phase) { return phase.name == name; });
        report.phases.push_back(found == run.phases.end() ? Phase{name, 0, false} : *found);
    }
    report.observed = std::move(run.observed);
    report.log = run.log.take();
    report.address = run.address;
    report.certificate = std::move(run.certificate);
}

}  // namespace

void Run::took(std::string_view phase_name, double seconds)
{
    for (Phase& known : phases)
        if (known.name == phase_name) {
            known.seconds += seconds;
            return;
        }
    phases.push_back({phase_name, seconds, true});
}

OwnDelay delay_of(const Run& run)
{
    const auto starved = net::starved_lately() - run.starved_before;
    return {run.late, std::max(starved, std::chrono::nanoseconds::zero())};
}

Verdict Checker::at_deadline(Run& run) const
{
    return fail(run, "Check timed out", {}, timed_out(run));
}

Verdict timed_out(const Run& run)
{
    const auto cause = deadline_cause(run);
    std::string why;
    if (cause == "local_exhausted")
        why = lateness_of(run);
    else if (cause != run.phase)
        why = ": this probe hears of no resolver of /etc/resolv.conf";
    return Verdict::fail(
        "timeout", fmt::format("deadline reached in phase {}{}", run.phase, why), cause)
        .with("phase", run.phase);
}

Verdict fail(Run& run, std::string_view log_message, CheckLog::Fields fields, Verdict verdict)
{
    fields.emplace_back("reason", verdict.code);
    if (!verdict.cause.empty())
        fields.emplace_back("cause", verdict.cause);
    for (const LogField& attribute : verdict.attributes)
        if (std::none_of(fields.begin(), fields.end(),
                [&](const LogField& field) { return field.key == attribute.key; }))
            fields.push_back(attribute);
    run.log.error(log_message, std::move(fields));
    return verdict;
}

asio::awaitable<Report> run_once(const Kind& kind, const Checker& checker, net::Services& net,
    const config::CheckersConfig& options, const Subject& subject)
{
    Report report;
    report.started_at = std::chrono::system_clock::now();
    const auto deadline = net::Clock::now() + subject.timeout;
    Run run{net, options, subject, deadline, "resolve", {}, CheckLog{kind.layout}, {}, {}, 0, {},
        net::starved_lately()};
    CheckLog::Fields begins;
    begins.emplace_back("type", kind.name);
    begins.emplace_back("timeout_seconds", std::chrono::duration<double>(subject.timeout).count());
    run.log.frame(CheckLog::Level::info, "Beginning check", std::move(begins));

    if (kind.begin)
        kind.begin(run.observed);
    const Stopwatch running;
    auto verdict = co_await net::until(deadline, guarded(checker, run));
    if (!verdict) {
        run.late += net::Clock::now() - deadline;
        verdict = checker.at_deadline(run);
    }
    report.verdict = std::move(*verdict);
    report.wall_seconds = running.seconds();
    report.duration_seconds =
        report.verdict.passed() && run.duration != 0 ? run.duration : report.wall_seconds;
    finish(report, run, kind);
    co_return report;
}

}  // namespace sonde::checkers
