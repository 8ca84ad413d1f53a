#include "agent/control/rules/tenant_rules.h"

#include "agent/base/text.h"

namespace sonde::control::rules {

Result<> fit_remote(std::string_view member, const pb::RemoteInfo& remote)
{
    const std::string& url = remote.url();
    const std::string path = fmt::format("{}.url", member);
    const auto scheme = url.find("://");
    const std::string name = text::lower(url.substr(0, scheme));
    if (scheme == std::string::npos || (name != "http" && name != "https") || url.size() > 2048 ||
        has_control(url))
        return invalid(path, "must be an absolute http or https URL");
    const std::string authority =
        url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
    if (authority.empty() || authority.starts_with(':'))
        return invalid(path, "has no host");
    if (authority.find('@') != std::string::npos)
        return invalid(path, "must not hold a user name");
    if (url.find('#') != std::string::npos)
        return invalid(path, "must not have a fragment");
    if (remote.name().size() > 255)
        return invalid(fmt::format("{}.name", member), "must be at most 255 bytes");
    if (remote.username().size() > 255)
        return invalid(fmt::format("{}.username", member), "must be at most 255 bytes");
    if (remote.password().size() > 4096)
        return invalid(fmt::format("{}.password", member), "must be at most 4096 bytes");
    return {};
}

}  // namespace sonde::control::rules
