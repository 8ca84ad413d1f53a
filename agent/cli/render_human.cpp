#include "agent/cli/render.h"
#include "checkers/reasons.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>

namespace sonde::cli {
namespace {

std::string duration(double seconds)
{
    if (seconds < 1e-3)
        return fmt::format("{:.0f} µs", seconds * 1e6);
    if (seconds < 1)
        return fmt::format("{:.1f} ms", seconds * 1e3);
    return fmt::format("{:.2f} s", seconds);
}

std::string phase_line(const std::vector<checkers::Phase>& phases)
{
    std::string line;
    for (const checkers::Phase& phase : phases)  // a phase that was not reached has no time, not 0
        line += fmt::format("  {} {}", phase.name, phase.reached ? duration(phase.seconds) : "—");
    return line;
}

std::string certificate_line(const checkers::CertificateSummary& certificate)
{
    const auto end = std::chrono::system_clock::from_time_t(certificate.not_after);
    const auto days =
        std::chrono::floor<std::chrono::days>(end - std::chrono::system_clock::now()).count();
    return fmt::format("{}, {} until {:%Y-%m-%d} ({}), {}", certificate.subject,
        days < 0 ? "was valid" : "valid", fmt::gmtime(certificate.not_after),
        days < 0 ? fmt::format("{} days ago", -days) : fmt::format("{} days left", days),
        certificate.verified ? "verified" : "not verified");
}

}  // namespace

CheckStatus status_of(const checkers::Report& report)
{
    if (report.verdict.passed())
        return CheckStatus::ok;
    const auto* reason = checkers::find_reason(report.verdict.code);
    const bool ours = report.verdict.cause.starts_with("local_") || !reason ||
                      reason->layer == "config" || reason->layer == "agent";
    return ours ? CheckStatus::unknown : CheckStatus::critical;
}

std::string_view name_of(CheckStatus status)
{
    static constexpr std::string_view names[] = {"ok", "warning", "critical", "unknown"};
    return names[static_cast<std::size_t>(status)];
}

std::string render_human(
    std::string_view kind, std::string_view target, const checkers::Report& report)
{
    std::string verdict{name_of(status_of(report))};
    std::transform(verdict.begin(), verdict.end(), verdict.begin(),
        [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    std::string out =
        fmt::format("{}  {} {}  {}\n", verdict, kind, target, duration(report.duration_seconds));
    if (!report.verdict.passed()) {
        const auto& [code, message, cause] = report.verdict;
        out += fmt::format("    reason       {}{}{}\n                 {}\n", code,
            cause.empty() ? "" : ".", cause, message);
    }
    out += fmt::format("    phases     {}\n", phase_line(report.phases));
    if (report.address)
        out += fmt::format("    address      {}\n", report.address->to_string());
    if (report.certificate) {
        const auto& certificate = *report.certificate;
        out += fmt::format("    tls          {}{}{}\n", certificate.tls_version,
            certificate.cipher.empty() ? "" : " ", certificate.cipher);
        out += fmt::format("    certificate  {}\n", certificate_line(certificate));
    }
    return out;
}

}  // namespace sonde::cli
