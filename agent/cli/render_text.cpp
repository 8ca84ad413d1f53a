#include "agent/cli/render.h"
#include "agent/cli/upper.h"

#include <algorithm>

namespace sonde::cli {
namespace {

using checkers::Report;

double phase(const Report& report, std::string_view name)
{
    for (const checkers::Phase& each : report.phases)
        if (each.name == name)
            return each.seconds;
    return 0;
}

std::string seconds_text(const std::optional<std::chrono::milliseconds>& limit)
{
    return limit ? fmt::format("{:.3f}", std::chrono::duration<double>(*limit).count())
                 : std::string{};
}

/// What a plug-in says before its data.
std::string summary(const Outcome& outcome)
{
    const Report& report = outcome.report;
    std::string what = report.verdict.message;
    if (report.verdict.passed())
        what = outcome.kind.name == "http"
                   ? fmt::format("{} in {:.3f}s", series_value(report, "probe_http_status_code"),
                         report.duration_seconds)
                   : fmt::format("done in {:.3f}s", report.duration_seconds);
    std::replace(what.begin(), what.end(), '|', '/');  // what follows a bar is data
    std::replace(what.begin(), what.end(), '\n', ' ');
    return what;
}

/// The phase in which the first byte of an answer comes.
std::string_view waiting_phase(std::string_view kind)
{
    return kind == "http"   ? "processing"
           : kind == "dns"  ? "request"
           : kind == "ping" ? "rtt"
                            : "query";
}

}  // namespace

std::string render_nagios(const Outcome& outcome)
{
    const Report& report = outcome.report;
    std::string line = fmt::format("{} {} - {} | time={:.6f}s;{};{};0;{}", upper(outcome.kind.name),
        upper(name_of(outcome.status())), summary(outcome), report.duration_seconds,
        seconds_text(outcome.limits.warn), seconds_text(outcome.limits.crit),
        static_cast<double>(outcome.check.timeout()) / 1000);
    for (const checkers::Phase& each : report.phases)
        if (each.reached)
            line += fmt::format(" {}={:.6f}s", each.name, each.seconds);
    return line + "\n";
}

std::string render_curl(const Outcome& outcome)
{
    const Report& report = outcome.report;
    const std::string_view kind = outcome.kind.name;
    const double resolved = phase(report, "resolve");
    const double connected = resolved + phase(report, kind == "ping" ? "setup" : "connect");
    const double secured = connected + phase(report, "tls");
    std::string out;
    const auto add = [&out](std::string_view name, const auto& value) {
        out += fmt::format("{}: {}\n", name, value);
    };
    const auto seconds = [&add](std::string_view name, double value) {
        add(name, fmt::format("{:.6f}", value));
    };
    seconds("time_namelookup", resolved);
    seconds("time_connect", connected);
    seconds("time_appconnect", phase(report, "tls") > 0 ? secured : 0);
    seconds("time_pretransfer", secured);
    seconds("time_starttransfer", secured + phase(report, waiting_phase(kind)));
    seconds("time_total", report.duration_seconds);
    if (kind == "http") {
        add("http_code", fmt::format("{:03.0f}", series_value(report, "probe_http_status_code")));
        add("http_version", series_value(report, "probe_http_version"));
        add("num_redirects", series_value(report, "probe_http_redirects"));
        add("size_download", series_value(report, "probe_http_uncompressed_body_length"));
    }
    add("remote_ip", report.address ? report.address->to_string() : "");
    add("exitcode", static_cast<int>(outcome.status()));
    add("errormsg", report.verdict.message);
    return out;
}

}  // namespace sonde::cli
