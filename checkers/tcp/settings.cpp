#include "checkers/settings_parts.h"
#include "checkers/tcp/tcp.h"

namespace sonde::checkers::tcp {

Settings parse_settings(const pb::Check& check, Problems& problems)
{
    const pb::TcpSettings& wire = check.settings().tcp();
    Settings settings;
    const auto target = split_host_port(check.target());
    if (!target || target->host.empty() || target->port == 0)
        problems.add(error("bad_target", "target: \"{}\" is not host:port", check.target()));
    else
        settings.target = *target;
    if (problems.none() && !is_host(settings.target.host, true))
        problems.add(error("bad_target", "target: \"{}\" is not a host name or an IP address",
            settings.target.host));
    settings.ip = parse_ip_version(wire.ipversion(), "settings.tcp.ipVersion", problems);
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
        if (expect)
            parsed.expect = std::move(*expect);
        else
            problems.add_pattern(error("bad_regex", "settings.tcp.queryResponse[{}].expect: {}",
                                     settings.steps.size() - 1, expect.error().message),
                step.expect());
    }
    return settings;
}

}  // namespace sonde::checkers::tcp
