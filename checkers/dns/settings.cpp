#include "agent/base/host_port.h"
#include "checkers/dns/dns.h"
#include "checkers/settings_parts.h"

namespace sonde::checkers::dns {
namespace {

std::uint16_t type_number(pb::DnsRecordType type)
{
    switch (type) {
    case pb::A:
        return 1;
    case pb::NS:
        return 2;
    case pb::CNAME:
        return 5;
    case pb::SOA:
        return 6;
    case pb::PTR:
        return 12;
    case pb::MX:
        return 15;
    case pb::TXT:
        return 16;
    case pb::AAAA:
        return 28;
    case pb::SRV:
        return 33;
    default:
        return 255;
    }
}

Validator parse_validator(const pb::DNSRRValidator& wire, std::string_view path, Problems& problems)
{
    return {parse_patterns(wire.failifmatchesregexp(),
                fmt::format("settings.dns.{}.failIfMatchesRegexp", path), problems),
        parse_patterns(wire.failifnotmatchesregexp(),
            fmt::format("settings.dns.{}.failIfNotMatchesRegexp", path), problems)};
}

}  // namespace

Settings parse_settings(const pb::Check& check, Problems& problems)
{
    const pb::DnsSettings& wire = check.settings().dns();
    Settings settings;
    settings.name = check.target();
    settings.server = wire.server();
    if (!is_host(settings.server, true))
        problems.add(error("bad_value",
            "settings.dns.server: \"{}\" is not a host name or an IP address", settings.server));
    if (wire.port() < 0 || wire.port() > 65535)
        problems.add(error("bad_value", "settings.dns.port: {} is not a port", wire.port()));
    settings.port = static_cast<std::uint16_t>(wire.port() == 0 ? 53 : wire.port());
    settings.ip = parse_ip_version(wire.ipversion(), "settings.dns.ipVersion", problems);
    settings.source = wire.sourceipaddress();
    if (!pb::DnsRecordType_IsValid(wire.recordtype()))
        problems.add(error("bad_value", "settings.dns.recordType: {} is no type",
            static_cast<int>(wire.recordtype())));
    settings.type = type_number(wire.recordtype());
    if (!pb::DnsProtocol_IsValid(wire.protocol()))
        problems.add(error("bad_value", "settings.dns.protocol: {} is no protocol",
            static_cast<int>(wire.protocol())));
    settings.tcp = wire.protocol() == pb::TCP;
    settings.valid_rcodes.assign(wire.validrcodes().begin(), wire.validrcodes().end());
    settings.answer = parse_validator(wire.validateanswer(), "validateAnswerRRS", problems);
    settings.authority =
        parse_validator(wire.validateauthority(), "validateAuthorityRRS", problems);
    settings.additional =
        parse_validator(wire.validateadditional(), "validateAdditionalRRS", problems);
    return settings;
}

}  // namespace sonde::checkers::dns
