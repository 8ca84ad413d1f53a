#include "checkers/settings_parts.h"

namespace sonde::checkers {

net::IpVersion parse_ip_version(pb::IpVersion wire, std::string_view path, Problems& problems)
{
    if (pb::IpVersion_IsValid(wire))
        return net::IpVersion{static_cast<int>(wire)};
    problems.add(error("bad_value", "{}: {} is not an IP version", path, static_cast<int>(wire)));
    return net::IpVersion::any;
}

net::TlsSettings parse_tls(const pb::TLSConfig& wire)
{
    return {wire.insecureskipverify(), wire.cacert(), wire.clientcert(), wire.clientkey()};
}

std::vector<Pattern> parse_patterns(const google::protobuf::RepeatedPtrField<std::string>& wire,
    std::string_view path, Problems& problems)
{
    std::vector<Pattern> patterns;
    for (int i = 0; i < wire.size(); ++i) {
        auto pattern = Pattern::compile(wire[i]);
        if (pattern)
            patterns.push_back(std::move(*pattern));
        else
            problems.add_pattern(
                error("bad_regex", "{}[{}]: {}", path, i, pattern.error().message), wire[i]);
    }
    return patterns;
}

}  // namespace sonde::checkers
