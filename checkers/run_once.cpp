#include "checkers/run_once.h"

#include "agent/base/log.h"
#include "agent/base/stopwatch.h"
#include "agent/net/deadline.h"
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

void finish(Report& report, Run& run, const Kind& kind)
{
    CheckLog::Fields ends;
    ends.emplace_back("duration_seconds", report.duration_seconds);
    ends.emplace_back("walltime_seconds", report.wall_seconds);
    if (report.verdict.passed())
        run.log.frame(CheckLog::Level::info, "Check succeeded", std::move(ends));
    else
        run.log.frame(CheckLog::Level::error, "Check failed", std::move(ends));
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

Verdict Checker::at_deadline(Run& run) const
{
    return fail(run, "Check timed out", {}, timed_out(run));
}

Verdict timed_out(const Run& run)
{
    const auto cause = deadline_cause(run);
    const std::string_view why =
        cause == run.phase ? "" : ": this probe hears of no resolver of /etc/resolv.conf";
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
    Run run{net, options, subject, deadline, "resolve", {}, CheckLog{kind.layout}, {}, {}, 0, {}};
    CheckLog::Fields begins;
    begins.emplace_back("type", kind.name);
    begins.emplace_back("timeout_seconds", std::chrono::duration<double>(subject.timeout).count());
    run.log.frame(CheckLog::Level::info, "Beginning check", std::move(begins));

    if (kind.begin)
        kind.begin(run.observed);
    const Stopwatch running;
    auto verdict = co_await net::until(deadline, guarded(checker, run));
    if (!verdict)
        verdict = checker.at_deadline(run);
    report.verdict = std::move(*verdict);
    report.wall_seconds = running.seconds();
    report.duration_seconds =
        report.verdict.passed() && run.duration != 0 ? run.duration : report.wall_seconds;
    finish(report, run, kind);
    co_return report;
}

}  // namespace sonde::checkers
