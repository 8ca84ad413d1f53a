#include "agent/base/host_port.h"
#include "checkers/ping/ping.h"
#include "checkers/settings_parts.h"

namespace sonde::checkers::ping {

Settings parse_settings(const pb::Check& check, Problems& problems)
{
    const pb::PingSettings& wire = check.settings().ping();
    Settings settings;
    settings.host = check.target();
    if (!is_host(settings.host, true))
        problems.add(error(
            "bad_target", "target: \"{}\" is not a host name or an IP address", settings.host));
    settings.ip = parse_ip_version(wire.ipversion(), "settings.ping.ipVersion", problems);
    settings.source = wire.sourceipaddress();
    if (wire.payloadsize() < 0 || wire.payloadsize() > 65499)
        problems.add(error(
            "bad_value", "settings.ping.payloadSize: {} is not 0 to 65499", wire.payloadsize()));
    if (wire.payloadsize() > 0)
        settings.payload_size = static_cast<std::size_t>(wire.payloadsize());
    settings.dont_fragment = wire.dontfragment();
    if (wire.packetcount() < 0 || wire.packetcount() > 10)
        problems.add(
            error("bad_value", "settings.ping.packetCount: {} is not 0 to 10", wire.packetcount()));
    if (wire.packetcount() > 0)
        settings.packets = settings.required = static_cast<int>(wire.packetcount());
    return settings;
}

}  // namespace sonde::checkers::ping
