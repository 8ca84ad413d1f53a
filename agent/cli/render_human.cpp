#include "agent/cli/expectations.h"
#include "agent/cli/next_step.h"
#include "agent/cli/render.h"
#include "agent/cli/upper.h"
#include "checkers/reasons.h"

#include <fmt/chrono.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace sonde::cli {
namespace {

using checkers::Phase;
using checkers::Report;

constexpr std::string_view bold_green = "\x1b[1;32m";
constexpr std::string_view bold_yellow = "\x1b[1;33m";
constexpr std::string_view bold_red = "\x1b[1;31m";
constexpr std::string_view plain = "\x1b[0m";
constexpr int indent = 6;

/// Columns that a text takes: characters, not bytes.
int width(std::string_view text)
{
    return static_cast<int>(std::count_if(text.begin(), text.end(),
        [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(std::string_view text, int columns)
{
    return fmt::format("{}{:{}}", text, "", std::max(columns - width(text), 0));
}

/// Cut to `columns`, with an ellipsis.
std::string cut(std::string text, int columns)
{
    if (width(text) <= columns)
        return text;
    while (!text.empty() && width(text) >= columns) {
        while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U)
            text.pop_back();
        text.pop_back();
    }
    return text + "…";
}

std::string counted(double count, std::string_view what)
{
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// The phase that a run has failed in; empty: in none, or it passed.
std::string_view failed_phase(const checkers::Verdict& verdict)
{
    const std::string_view code = verdict.code;
    if (code == "timeout")
        for (const checkers::LogField& attribute : verdict.attributes)
            if (attribute.key == "phase")
                return attribute.value;
    if (code == "http_request")
        return "processing";
    if (code == "dns_response")
        return "request";
    if (code == "socket")
        return "setup";
    if (code.starts_with("icmp_"))
        return "rtt";
    return code.starts_with("tcp_") ? "query" : code;  // "resolve", "connect", "tls"
}

/// "200 · HTTP/2 · TLS 1.3 · IPv6"
std::string facts(const Outcome& outcome)
{
    const Report& report = outcome.report;
    std::vector<std::string> parts;
    const std::string_view kind = outcome.kind.name;
    if (const double status = series_value(report, "probe_http_status_code"); status > 0) {
        parts.push_back(fmt::format("{}", status));
        parts.push_back(fmt::format("HTTP/{}", series_value(report, "probe_http_version")));
    }
    if (kind == "dns" && series_value(report, "probe_dns_query_succeeded") > 0)
        parts.push_back(counted(series_value(report, "probe_dns_answer_rrs"), "answer"));
    if (kind == "ping" && series_value(report, "probe_icmp_packets_sent_count") > 0)
        parts.push_back(
            fmt::format("{}/{} replies", series_value(report, "probe_icmp_packets_received_count"),
                series_value(report, "probe_icmp_packets_sent_count")));
    if (report.certificate && !report.certificate->tls_version.empty())
        parts.push_back(report.certificate->tls_version);
    if (report.address)
        parts.emplace_back(report.address->is_v4() ? "IPv4" : "IPv6");
    return fmt::format("{}", fmt::join(parts, " · "));
}

std::string reason_text(const Report& report)
{
    const auto& verdict = report.verdict;
    return verdict.cause.empty() ? std::string{verdict.code}
                                 : fmt::format("{}.{}", verdict.code, verdict.cause);
}

/// Breaks at blanks into lines of at most `columns`; a longer word is left whole.
std::vector<std::string> wrapped(std::string_view text, int columns)
{
    std::vector<std::string> lines{""};
    while (!text.empty()) {
        const auto blank = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, blank);
        text.remove_prefix(std::min(blank + 1, text.size()));
        if (!lines.back().empty() && width(lines.back()) + 1 + width(word) > columns)
            lines.emplace_back();
        lines.back().append(lines.back().empty() ? "" : " ").append(word);
    }
    return lines;
}

class Page {
public:
    Page(const Outcome& outcome, const Style& style) : outcome_{outcome}, style_{style} {}

    std::string text(bool verbose)
    {
        headline();
        expectations();
        phases();
        details();
        if (verbose)
            for (const auto& entry : outcome_.report.log)
                log_line(entry);
        next();
        return std::move(out_);
    }

    void headline()
    {
        const CheckStatus status = outcome_.status();
        const std::string verdict = upper(name_of(status));
        const auto colour = status == CheckStatus::ok         ? bold_green
                            : status == CheckStatus::critical ? bold_red
                                                              : bold_yellow;
        const std::string took = duration_text(outcome_.report.duration_seconds);
        const std::string said =
            outcome_.report.verdict.passed() ? facts(outcome_) : reason_text(outcome_.report);
        const int room = style_.columns - 2 - width(verdict) - 2;
        const std::string target = cut(outcome_.check.target(), room);
        out_ += "  ";
        out_ += style_.colour ? fmt::format("{}{}{}", colour, verdict, plain) : verdict;
        out_ += "  " + target;
        const std::string rest = fmt::format("{}  {}", said, took);
        if (width(target) + 3 + width(rest) <= room)
            out_ += fmt::format("   {}\n", rest);
        else
            out_ += fmt::format("\n{:{}}{}\n", "", indent, cut(rest, style_.columns - indent));
        if (!outcome_.report.verdict.passed())
            for (const std::string& line :
                wrapped(outcome_.report.verdict.message, style_.columns - indent))
                out_ += fmt::format("{:{}}{}\n", "", indent, line);
    }

    void expectations()
    {
        static constexpr std::string_view words[] = {"ok", "FAILED", "—"};
        const auto all = expectations_of(outcome_);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto word = words[static_cast<std::size_t>(all[i].state)];
            const int value = std::max(width(all[i].value), 8);
            const int what = style_.columns - indent - 2 - value - 2 - 8;
            out_ += fmt::format("{:{}}{} {}  {}  {}\n", "", indent, i + 1 == all.size() ? "└" : "├",
                padded(cut(all[i].what, what), std::min(what, 40)), padded(all[i].value, value),
                word);
        }
    }

    void phases()
    {
        const auto& all = outcome_.report.phases;
        constexpr int cell = 11;  // five of them in 60 columns
        const std::string_view failed = failed_phase(outcome_.report.verdict);
        std::string names;
        std::string times;
        for (const Phase& phase : all) {
            names += padded(phase.name, cell);
            times += padded(phase.reached          ? duration_text(phase.seconds)
                            : phase.name == failed ? "FAILED"
                                                   : "—",
                cell);
        }
        const auto line = [&](std::string text) {
            while (text.ends_with(' '))
                text.pop_back();
            out_ += fmt::format("    {}\n", text);
        };
        out_ += '\n';
        line(names);
        line(times);
        if (style_.bars)
            bars(all);
        out_ += '\n';
    }

    /// The phases to scale.
    void bars(const std::vector<Phase>& all)
    {
        double total = 0;
        for (const Phase& phase : all)
            total += phase.seconds;
        if (total <= 0)
            return;
        const double room =
            std::min(style_.columns - 4, 76) - 2.0 * static_cast<double>(all.size());
        std::string line;
        for (const Phase& phase : all) {
            if (!phase.reached)
                continue;
            line += "▕";
            for (int i = 0; i < static_cast<int>(phase.seconds / total * room + 0.5); ++i)
                line += "█";
            line += "▏";
        }
        out_ += fmt::format("    {}\n", line);
    }

    /// `value` begins at `column`, and so do the lines that it takes.
    void detail(std::string_view name, const std::string& value, int column = 13)
    {
        bool first = true;
        for (const std::string& line : wrapped(value, style_.columns - indent - column)) {
            out_ += fmt::format("{:{}}{:<{}}{}\n", "", indent, first ? name : "", column, line);
            first = false;
        }
    }

    void details()
    {
        const Report& report = outcome_.report;
        if (report.address)
            detail("address", report.address->to_string());
        if (const double hops = series_value(report, "probe_http_redirects"); hops > 0)
            detail("hops", counted(hops, "redirect"));
        if (const double limit = series_value(report, "probe_icmp_reply_hop_limit"); limit > 0)
            detail("hop limit", fmt::format("{} in the reply", limit));
        if (report.certificate)
            certificate(*report.certificate);
        detail("series", fmt::format("{} basic / {} full", Pushed::count(outcome_, true),
                             Pushed::count(outcome_, false)));
    }

    void certificate(const checkers::CertificateSummary& shown)
    {
        const auto end = std::chrono::system_clock::from_time_t(shown.not_after);
        const auto days =
            std::chrono::floor<std::chrono::days>(end - std::chrono::system_clock::now()).count();
        detail("certificate", fmt::format("{}, {}, {}", shown.subject,
                                  days < 0 ? fmt::format("expired {} days ago", -days)
                                           : fmt::format("{} days left", days),
                                  shown.verified ? "verified" : "not verified"));
        if (!shown.dns_names.empty())
            detail("names", fmt::format("{}", fmt::join(shown.dns_names, ", ")));
        if (!shown.cipher.empty())
            detail("cipher", shown.cipher);
    }

    void log_line(const checkers::LogEntry& entry)
    {
        static constexpr std::string_view levels[] = {"debug", "info", "warn", "error"};
        std::string line = entry.message;
        for (const checkers::LogField& field : entry.fields)
            line += fmt::format(" {}={}", field.key, field.value);
        std::replace(line.begin(), line.end(), '\n', ' ');
        detail(levels[static_cast<std::size_t>(entry.level)], line, 6);
    }

    void next()
    {
        const auto [command, why] = next_step(outcome_);
        if (!command.empty())
            out_ += fmt::format("\n  Try: {}\n       {}\n", command, why);
    }

private:
    const Outcome& outcome_;
    const Style& style_;
    std::string out_;
};

}  // namespace

std::string duration_text(double seconds)
{
    if (seconds < 1e-3)
        return fmt::format("{:.0f} µs", seconds * 1e6);
    if (seconds < 0.1)
        return fmt::format("{:.1f} ms", seconds * 1e3);
    if (seconds < 1)
        return fmt::format("{:.0f} ms", seconds * 1e3);
    return fmt::format("{:.2f} s", seconds);
}

double series_value(const Report& report, std::string_view name, double fallback)
{
    for (const auto& sample : report.observed.samples())
        if (sample.metric->name == name)
            return sample.value;
    return fallback;
}

Style Style::of_terminal(bool no_colour)
{
    Style style;
    if (::isatty(STDOUT_FILENO) == 0)
        return style;
    const char* const unwanted = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view{terminal} == "dumb";
    style.colour = !no_colour && !dumb && (unwanted == nullptr || *unwanted == '\0');
    style.bars = !dumb;
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        style.columns = std::clamp<int>(size.ws_col, 60, 120);
    return style;
}

std::string render_human(const Outcome& outcome, const Style& style, bool verbose)
{
    return Page{outcome, style}.text(verbose);
}

std::string render_row(const Outcome& outcome, const Style& style)
{
    const std::string said =
        outcome.report.verdict.passed() ? facts(outcome) : reason_text(outcome.report);
    const auto second = std::chrono::floor<std::chrono::seconds>(outcome.report.started_at);
    const std::string line = fmt::format("{:%H:%M:%S}  {:8}  {:>8}  {}  {}",
        fmt::gmtime(std::chrono::system_clock::to_time_t(second)), upper(name_of(outcome.status())),
        duration_text(outcome.report.duration_seconds), outcome.check.target(), said);
    return cut(line, style.columns) + "\n";
}

void Statistics::take(const Outcome& outcome)
{
    ++runs_;
    if (!outcome.report.verdict.passed())
        return;
    ++passed_;
    seconds_.push_back(outcome.report.duration_seconds);
}

std::string Statistics::text(std::string_view target, const Style& style) const
{
    const std::string passed = fmt::format(
        ": {} of {} passed ({:.1f} %)", passed_, runs_, runs_ == 0 ? 0 : 100.0 * passed_ / runs_);
    std::string out =
        fmt::format("\n{}{}\n", cut(std::string{target}, style.columns - width(passed)), passed);
    if (seconds_.empty())
        return out;
    auto sorted = seconds_;
    std::sort(sorted.begin(), sorted.end());
    double sum = 0;
    for (const double each : sorted)
        sum += each;
    const auto p95 = sorted[(sorted.size() * 95 + 99) / 100 - 1];
    return out + fmt::format("min {}, mean {}, p95 {}, max {}\n", duration_text(sorted.front()),
                     duration_text(sum / static_cast<double>(sorted.size())), duration_text(p95),
                     duration_text(sorted.back()));
}

}  // namespace sonde::cli
