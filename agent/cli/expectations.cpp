#include "agent/cli/expectations.h"

#include "agent/cli/render.h"

#include <algorithm>

namespace sonde::cli {
namespace {

using State = Expectation::State;
using checkers::Report;

std::string attribute(const Report& report, std::string_view key)
{
    for (const checkers::LogField& field : report.verdict.attributes)
        if (field.key == key)
            return field.value;
    return {};
}

/// Gathers expectations: until one is broken all hold, after it nothing is known.
class List {
public:
    explicit List(const Outcome& outcome) : outcome_{outcome} {}

    /// `code` is the reason of a run in which this one is broken, and `detail` tells it from others
    /// of the same code (its pattern); both empty: judged by `state`.
    void add(
        std::string what, std::string value, std::string_view code, std::string_view detail = {})
    {
        const auto& verdict = outcome_.report.verdict;
        const bool named = detail.empty() || attribute(outcome_.report, "regexp") == detail ||
                           attribute(outcome_.report, "header") == detail;
        State state = State::holds;
        if (!verdict.passed()) {
            const bool broken = !past_ && verdict.code.starts_with(code) && named;
            state = broken ? State::broken : State::unknown;
            past_ = past_ || broken;
        }
        all_.push_back({std::move(what), std::move(value), state});
    }
    template <class Patterns>
    void patterns(std::string_view what, const Patterns& patterns, std::string_view code)
    {
        for (const std::string& pattern : patterns)
            add(fmt::format("{} /{}/", what, pattern), "", code, pattern);
    }

    std::vector<Expectation> take() { return std::move(all_); }

private:
    const Outcome& outcome_;
    bool past_ = false;  // the broken one has been met
    std::vector<Expectation> all_;
};

std::string joined(std::vector<std::string> texts, std::string_view if_empty)
{
    return texts.empty() ? std::string{if_empty} : fmt::format("{}", fmt::join(texts, ", "));
}

/// "200, 301, 4xx": whole classes are shortened.
std::string statuses(const google::protobuf::RepeatedField<int>& codes)
{
    std::vector<std::string> out;
    for (int i = 0; i < codes.size(); ++i) {
        const bool whole =
            codes[i] % 100 == 0 && i + 99 < codes.size() && codes[i + 99] == codes[i] + 99;
        out.push_back(whole ? fmt::format("{}xx", codes[i] / 100) : std::to_string(codes[i]));
        if (whole)
            i += 99;
    }
    return joined(std::move(out), "2xx");
}

void of_http(const pb::HttpSettings& wire, const Report& report, List& list)
{
    const double status = series_value(report, "probe_http_status_code");
    list.add("status in " + statuses(wire.validstatuscodes()),
        status > 0 ? fmt::format("{}", status) : "", "http_status");
    for (const pb::HeaderMatch& match : wire.failifheadermatchesregexp())
        list.add(fmt::format("header {} not /{}/", match.header(), match.regexp()), "",
            "http_header", match.header());
    for (const pb::HeaderMatch& match : wire.failifheadernotmatchesregexp())
        list.add(fmt::format("header {} ~ /{}/", match.header(), match.regexp()), "", "http_header",
            match.header());
    list.patterns("body not", wire.failifbodymatchesregexp(), "http_body_present");
    list.patterns("body ~", wire.failifbodynotmatchesregexp(), "http_body_absent");
    if (wire.validhttpversions_size() > 0)
        list.add("version in " +
                     joined({wire.validhttpversions().begin(), wire.validhttpversions().end()}, ""),
            fmt::format("HTTP/{}", series_value(report, "probe_http_version")), "http_version");
    if (wire.failifssl())
        list.add("final response without TLS", "", "http_ssl");
    if (wire.failifnotssl())
        list.add("final response over TLS", "", "http_not_ssl");
}

void of_dns(const pb::DnsSettings& wire, const Report& report, List& list)
{
    list.add("response code in " +
                 joined({wire.validrcodes().begin(), wire.validrcodes().end()}, "NOERROR"),
        report.verdict.code == "dns_rcode" ? std::string{report.verdict.cause} : "", "dns_rcode");
    const std::pair<std::string_view, const pb::DNSRRValidator&> sections[] = {
        {"answer", wire.validateanswer()}, {"authority", wire.validateauthority()},
        {"additional", wire.validateadditional()}};
    for (const auto& [section, validator] : sections) {
        list.patterns(
            fmt::format("no {} ~", section), validator.failifmatchesregexp(), "dns_rr_forbidden");
        list.patterns(fmt::format("every {} ~", section), validator.failifnotmatchesregexp(),
            report.verdict.code == "dns_rr_none" ? "dns_rr_none" : "dns_rr_required");
    }
}

void of_ping(const pb::PingSettings& wire, const Report& report, List& list)
{
    const auto sent = series_value(report, "probe_icmp_packets_sent_count");
    list.add(wire.packetcount() > 0 ? fmt::format("all of {} answered", wire.packetcount())
                                    : std::string{"1 of 3 answered"},
        fmt::format("{} of {}", series_value(report, "probe_icmp_packets_received_count"), sent),
        "icmp_loss");
}

void of_tcp(const pb::TcpSettings& wire, List& list)
{
    for (const pb::TCPQueryResponse& step : wire.queryresponse())
        if (!step.expect().empty())
            list.add(fmt::format("a line ~ /{}/", step.expect()), "", "tcp_expect", step.expect());
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
    List list{outcome};
    const pb::CheckSettings& settings = outcome.check.settings();
    if (settings.has_http())
        of_http(settings.http(), outcome.report, list);
    else if (settings.has_dns())
        of_dns(settings.dns(), outcome.report, list);
    else if (settings.has_ping())
        of_ping(settings.ping(), outcome.report, list);
    else if (settings.has_tcp())
        of_tcp(settings.tcp(), list);
    auto all = list.take();
    of_limits(outcome, all);
    return all;
}

}  // namespace sonde::cli
