// `schedule`, `checkers` and `egress`: when and how this probe measures (spec 07 §4).
#include "config/sections.h"

namespace sonde::config {
namespace {

using Canary = EgressConfig::Canary;

constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view ping_scheme = "ping://";

Error bad_canary(std::string_view text, std::string_view why)
{
    return error("bad_value",
        "\"{}\": {}; write tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets", text, why);
}

/// "[::1]" without its brackets, which an IPv6 address must have. @return empty: is no host.
std::string host_of(std::string_view text)
{
    const bool bracketed = text.size() > 2 && text.starts_with('[') && text.ends_with(']');
    if (bracketed)
        text = text.substr(1, text.size() - 2);
    const bool is_ipv6 = text.find(':') != std::string_view::npos;
    return bracketed == is_ipv6 && is_host(text, true) ? std::string{text} : "";
}

Result<Canary> parse_canary(const std::string& text)
{
    const std::string_view all{text};
    if (all.starts_with(ping_scheme)) {
        std::string host = host_of(all.substr(ping_scheme.size()));
        if (host.empty())
            return bad_canary(all, "has no host alone behind ping://");
        return Canary{Canary::Kind::ping, std::move(host), 0};
    }
    if (!all.starts_with(tcp_scheme))
        return bad_canary(all, "begins with neither tcp:// nor ping://");
    auto address = split_host_port(all.substr(tcp_scheme.size()));
    if (!address)
        return bad_canary(all, "has no host and port behind tcp://");
    if (!is_host(address->host, true))
        return bad_canary(all, "has no host name or address");
    if (address->port == 0)
        return bad_canary(all, "port 0 cannot be asked");
    return Canary{Canary::Kind::tcp, std::move(address->host), address->port};
}

}  // namespace

void read_schedule(Section section, ScheduleConfig& config)
{
    section.read("start_spread", config.start_spread);
    section.read("max_in_flight", config.max_in_flight);
    section.read("starts_per_tick", config.starts_per_tick);
    section.read("republish_every", config.republish_every);
    if (config.starts_per_tick == 0)
        section.problem("starts_per_tick", "must be at least 1");
    section.at_least("republish_every", config.republish_every, 1s);
}

void read_checkers(Section section, CheckersConfig& config)
{
    section.read_bytes("http_body_bytes", config.http_body_bytes);
    section.read("tcp_phases", config.tcp_phases);
    section.read("dns_retries", config.dns_retries);
    section.read_list("blocked_nets", config.blocked_nets, "", IpNetwork::parse);
}

void read_egress(Section section, EgressConfig& config)
{
    section.read_list("targets", config.targets, "", parse_canary);
    section.read("quorum", config.quorum);
    section.read("timeout", config.timeout);
    section.read("valid_for", config.valid_for);
    section.read("withhold_failures", config.withhold_failures);
    if (config.quorum == 0)
        section.problem("quorum", "must be at least 1");
    else if (!config.targets.empty() && config.quorum > config.targets.size())
        section.problem("quorum",
            fmt::format("must be at most {}, the number of targets", config.targets.size()));
    section.at_least("timeout", config.timeout, 1ms);
}

}  // namespace sonde::config
