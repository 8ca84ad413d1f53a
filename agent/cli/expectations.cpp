#include "agent/cli/expectations.h"

#include "agent/cli/render.h"
#include "checkers/http/judge.h"

#include <algorithm>

namespace sonde::cli {
namespace {

using State = Expectation::State;
using checkers::Report;

std::string_view value_of(const checkers::LogEntry& line, std::string_view key)
{
    for (const checkers::LogField& field : line.fields)
        if (field.key == key)
            return field.value;
    return {};
}

/// What the line of the log that explains a failure says under `key`: checkers::fail() wrote it.
std::string_view attribute(const Report& report, std::string_view key)
{
    for (const checkers::LogEntry& line : report.log)
        if (value_of(line, "reason") == report.verdict.code)
            return value_of(line, key);
    return {};
}

/// Whether the run failed for `code` and, where that alone does not tell, for this `value` of an
/// attribute.
bool failed_for(const Report& report, std::string_view code, std::string_view key = {},
    std::string_view value = {})
{
    return report.verdict.code == code && (key.empty() || attribute(report, key) == value);
}

/// Gathers expectations in the order in which they are judged.
class List {
public:
    explicit List(const Report& report) : report_{report} {}

    void add(std::string what, std::string value, bool broken)
    {
        const State state = report_.verdict.passed() ? State::holds
                            : broken && !past_       ? State::broken
                                                     : State::unknown;
        past_ = past_ || broken;
        all_.push_back({std::move(what), std::move(value), state});
    }
    template <class Patterns>
    void patterns(std::string_view what, const Patterns& patterns, std::string_view code)
    {
        for (const std::string& pattern : patterns)
            add(fmt::format("{} /{}/", what, pattern), "",
                failed_for(report_, code, "regexp", pattern));
    }

    /// Those before the broken one hold. Not so patterns of DNS records, which are judged record by
    /// record: there the first expectation does, the response code.
    std::vector<Expectation> take()
    {
        auto last = std::find_if(all_.begin(), all_.end(),
            [](const Expectation& each) { return each.state == State::broken; });
        if (last == all_.end())
            last = all_.begin();
        if (report_.verdict.code.starts_with("dns_rr_") && last != all_.begin())
            last = all_.begin() + 1;
        std::for_each(all_.begin(), last, [](Expectation& each) { each.state = State::holds; });
        return std::move(all_);
    }

private:
    const Report& report_;
    bool past_ = false;  // the broken one has been met
    std::vector<Expectation> all_;
};

std::string joined(std::vector<std::string> texts, std::string_view if_empty)
{
    return texts.empty() ? std::string{if_empty} : fmt::format("{}", fmt::join(texts, ", "));
}

void of_http(const pb::HttpSettings& wire, const Report& report, List& list)
{
    const double status = series_value(report, "probe_http_status_code");
    const auto& statuses = wire.validstatuscodes();
    list.add("status in " + checkers::http::accepted_text(
                                {statuses.data(), static_cast<std::size_t>(statuses.size())}),
        status > 0 ? fmt::format("{}", status) : "", failed_for(report, "http_status"));
    const auto headers = [&](std::string_view sign, const auto& matches, std::string_view code) {
        for (const pb::HeaderMatch& match : matches)
            list.add(fmt::format("header {} {} /{}/", match.header(), sign, match.regexp()), "",
                failed_for(report, code, "regexp", match.regexp()) ||
                    failed_for(report, "http_header_missing", "header", match.header()));
    };
    headers("not", wire.failifheadermatchesregexp(), "http_header_present");
    headers("~", wire.failifheadernotmatchesregexp(), "http_header_absent");
    list.patterns("body not", wire.failifbodymatchesregexp(), "http_body_present");
    list.patterns("body ~", wire.failifbodynotmatchesregexp(), "http_body_absent");
    if (wire.validhttpversions_size() > 0)
        list.add("version in " +
                     joined({wire.validhttpversions().begin(), wire.validhttpversions().end()}, ""),
            fmt::format("HTTP/{}", series_value(report, "probe_http_version")),
            failed_for(report, "http_version"));
    if (wire.failifssl())
        list.add("final response without TLS", "", failed_for(report, "http_ssl"));
    if (wire.failifnotssl())
        list.add("final response over TLS", "", failed_for(report, "http_not_ssl"));
}

void of_dns(const pb::DnsSettings& wire, const Report& report, List& list)
{
    list.add("response code in " +
                 joined({wire.validrcodes().begin(), wire.validrcodes().end()}, "NOERROR"),
        report.verdict.code == "dns_rcode" ? std::string{report.verdict.cause} : "",
        failed_for(report, "dns_rcode"));
    const std::pair<std::string_view, const pb::DNSRRValidator&> sections[] = {
        {"answer", wire.validateanswer()}, {"authority", wire.validateauthority()},
        {"additional", wire.validateadditional()}};
    for (const auto& [section, validator] : sections) {
        for (const std::string& pattern : validator.failifmatchesregexp())
            list.add(fmt::format("no {} ~ /{}/", section, pattern), "",
                failed_for(report, "dns_rr_forbidden", "regexp", pattern) &&
                    attribute(report, "section") == section);
        for (const std::string& pattern : validator.failifnotmatchesregexp())
            list.add(fmt::format("every {} ~ /{}/", section, pattern), "",
                (failed_for(report, "dns_rr_required", "regexp", pattern) ||
                    failed_for(report, "dns_rr_none")) &&
                    attribute(report, "section") == section);
    }
}

void of_ping(const pb::PingSettings& wire, const Report& report, List& list)
{
    const auto sent = series_value(report, "probe_icmp_packets_sent_count");
    list.add(wire.packetcount() > 0 ? fmt::format("all of {} answered", wire.packetcount())
                                    : std::string{"1 of 3 answered"},
        fmt::format("{} of {}", series_value(report, "probe_icmp_packets_received_count"), sent),
        failed_for(report, "icmp_loss"));
}

void of_tcp(const pb::TcpSettings& wire, const Report& report, List& list)
{
    for (const pb::TCPQueryResponse& step : wire.queryresponse())
        if (!step.expect().empty())
            list.add(fmt::format("a line ~ /{}/", step.expect()), "",
                failed_for(report, "tcp_expect", "regexp", step.expect()));
}

void of_limits(const Outcome& outcome, std::vector<Expectation>& all)
{
    const auto add = [&](const std::optional<std::chrono::milliseconds>& limit,
                         std::string_view name) {
        if (!limit)
            return;
        const double seconds = std::chrono::duration<double>(*limit).count();
        const bool passed = outcome.report.verdict.passed();
        all.push_back({fmt::format("total <= {} ({})", duration_text(seconds), name),
            passed ? duration_text(outcome.report.duration_seconds) : "",
            !passed                                     ? State::unknown
            : outcome.report.duration_seconds > seconds ? State::broken
                                                        : State::holds});
    };
    add(outcome.limits.warn, "warn");
    add(outcome.limits.crit, "crit");
}

}  // namespace

std::vector<Expectation> expectations_of(const Outcome& outcome)
{
    List list{outcome.report};
    const pb::CheckSettings& settings = outcome.check.settings();
    if (settings.has_http())
        of_http(settings.http(), outcome.report, list);
    else if (settings.has_dns())
        of_dns(settings.dns(), outcome.report, list);
    else if (settings.has_ping())
        of_ping(settings.ping(), outcome.report, list);
    else if (settings.has_tcp())
        of_tcp(settings.tcp(), outcome.report, list);
    auto all = list.take();
    of_limits(outcome, all);
    return all;
}

}  // namespace sonde::cli
