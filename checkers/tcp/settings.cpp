#include "checkers/settings_parts.h"
#include "checkers/tcp/tcp.h"

namespace sonde::checkers::tcp {

Result<Settings> parse_settings(const pb::Check& check)
{
    const pb::TcpSettings& wire = check.settings().tcp();
    Settings settings;
    auto target = split_host_port(check.target());
    if (!target || target->host.empty() || target->port == 0)
        return error("bad_target", "target: \"{}\" is not host:port", check.target());
    settings.target = std::move(*target);
    if (!is_host(settings.target.host, true))
        return error("bad_target", "target: \"{}\" is not a host name or an IP address",
            settings.target.host);
    const auto ip = parse_ip_version(wire.ipversion(), "settings.tcp.ipVersion");
    if (!ip)
        return ip.error();
    settings.ip = *ip;
    settings.source = wire.sourceipaddress();
    settings.tls = wire.tls();
    settings.tls_settings = parse_tls(wire.tlsconfig());
    settings.server_name = wire.tlsconfig().servername().empty() ? settings.target.host
                                                                 : wire.tlsconfig().servername();
    for (const pb::TCPQueryResponse& step : wire.queryresponse()) {
        Step& parsed = settings.steps.emplace_back();
        parsed.send = step.send();
        parsed.start_tls = step.starttls();
        if (step.expect().empty())
            continue;
        auto expect = Pattern::compile(step.expect());
        if (!expect)
            return error("bad_regex", "settings.tcp.queryResponse[{}].expect: {}",
                settings.steps.size() - 1, expect.error().message);
        parsed.expect = std::move(*expect);
    }
    return settings;
}

}  // namespace sonde::checkers::tcp
