#pragma once

#include "agent/control/api.h"

#include <span>

namespace sonde::control {

// The routes of each resource; the tables stand at the end of their files.
std::span<const Route> synthetic_register_routes();
std::span<const Route> synthetic_admin_routes();
std::span<const Route> synthetic_token_routes();
std::span<const Route> synthetic_check_routes();
std::span<const Route> synthetic_bulk_routes();
std::span<const Route> synthetic_alert_routes();
std::span<const Route> synthetic_adhoc_routes();
std::span<const Route> synthetic_probe_routes();
std::span<const Route> synthetic_tenant_routes();
std::span<const Route> synthetic_settings_routes();
std::span<const Route> synthetic_label_routes();
std::span<const Route> synthetic_limit_routes();
std::span<const Route> openapi_routes();

}  // namespace sonde::control
