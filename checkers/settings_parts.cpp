#include "checkers/settings_parts.h"

namespace sonde::checkers {

Result<net::IpVersion> parse_ip_version(pb::IpVersion wire, std::string_view path)
{
    if (!pb::IpVersion_IsValid(wire))
        return error("bad_value", "{}: {} is not an IP version", path, static_cast<int>(wire));
    return net::IpVersion{static_cast<int>(wire)};
}

net::TlsSettings parse_tls(const pb::TLSConfig& wire)
{
    return {wire.insecureskipverify(), wire.cacert(), wire.clientcert(), wire.clientkey()};
}

Result<std::vector<Pattern>> parse_patterns(
    const google::protobuf::RepeatedPtrField<std::string>& wire, std::string_view path)
{
    std::vector<Pattern> patterns;
    for (const std::string& text : wire) {
        auto pattern = Pattern::compile(text);
        if (!pattern)
            return error("bad_regex", "{}[{}]: {}", path, patterns.size(), pattern.error().message);
        patterns.push_back(std::move(*pattern));
    }
    return patterns;
}

}  // namespace sonde::checkers
