#pragma once

#include "agent/control/api.h"
#include "agent/control/store/tenants.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::control {

// What the calls that register have in common (spec 04 §2.2, §2.3, §3.1 to §3.5).

inline constexpr std::string_view invalid_registration = "Invalid registration";

inline constexpr std::string_view metrics_type = "prometheus";
inline constexpr std::string_view logs_type = "logs";

/// A hosted instance with all its members.
std::string json_of(const HostedInstance& instance, const Organization& organization);

/// `tenantInfo`: a member whose instance is not selected yet, or no longer there, is absent.
std::string tenant_info(const store::Registered& registered, const Organization& organization);

/// A required member, an integer from 1. @return Error "bad_value".
Result<std::int64_t> required_number(std::string_view body, std::string_view name);
/// A required member, a text that is not empty. @return Error "bad_value".
Result<std::string> required_text(std::string_view body, std::string_view name);

/// An instance of the organisation. @return Error "invalid" with the member that named it.
Result<const HostedInstance*> find_instance(const Organization& organization, std::int64_t id,
    std::string_view type, std::string_view member);

}  // namespace sonde::control
