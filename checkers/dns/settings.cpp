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

Result<Validator> parse_validator(const pb::DNSRRValidator& wire, std::string_view path)
{
    auto forbidden =
        parse_patterns(wire.failifmatchesregexp(), fmt::format("{}.failIfMatchesRegexp", path));
    if (!forbidden)
        return forbidden.error();
    auto required = parse_patterns(
        wire.failifnotmatchesregexp(), fmt::format("{}.failIfNotMatchesRegexp", path));
    if (!required)
        return required.error();
    return Validator{std::move(*forbidden), std::move(*required)};
}

}  // namespace

Result<Settings> parse_settings(const pb::Check& check)
{
    const pb::DnsSettings& wire = check.settings().dns();
    Settings settings;
    settings.name = check.target();
    settings.server = wire.server();
    if (!is_host(settings.server, true))
        return error("bad_value", "settings.dns.server: \"{}\" is not a host name or an IP address",
            settings.server);
    if (wire.port() < 0 || wire.port() > 65535)
        return error("bad_value", "settings.dns.port: {} is not a port", wire.port());
    settings.port = static_cast<std::uint16_t>(wire.port() == 0 ? 53 : wire.port());
    const auto ip = parse_ip_version(wire.ipversion(), "settings.dns.ipVersion");
    if (!ip)
        return ip.error();
    settings.ip = *ip;
    settings.source = wire.sourceipaddress();
    if (!pb::DnsRecordType_IsValid(wire.recordtype()))
        return error("bad_value", "settings.dns.recordType: {} is no type",
            static_cast<int>(wire.recordtype()));
    settings.type = type_number(wire.recordtype());
    settings.tcp = wire.protocol() == pb::TCP;
    settings.valid_rcodes.assign(wire.validrcodes().begin(), wire.validrcodes().end());
    struct Part {
        const pb::DNSRRValidator& wire;
        std::string_view path;
        Validator& into;
    };
    for (const Part& part :
        {Part{wire.validateanswer(), "settings.dns.validateAnswerRRS", settings.answer},
            Part{wire.validateauthority(), "settings.dns.validateAuthorityRRS", settings.authority},
            Part{wire.validateadditional(), "settings.dns.validateAdditionalRRS",
                settings.additional}}) {
        auto validator = parse_validator(part.wire, part.path);
        if (!validator)
            return validator.error();
        part.into = std::move(*validator);
    }
    return settings;
}

}  // namespace sonde::checkers::dns
