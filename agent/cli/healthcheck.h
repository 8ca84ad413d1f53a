#pragma once

#include "agent/base/error.h"
#include "config/agent_config.h"

#include <string>

namespace sonde::cli {

/// `sonde healthcheck`: whom it asks. Both empty: the default file, or where there is none the
/// default address.
struct HealthRequest {
    std::string url;          ///< complete
    std::string config_file;  ///< whose `status.listen` says where
};

/// Where `/ready` of the process with these options is. @return Error when nobody listens there.
Result<std::string> ready_url(const config::StatusConfig& status);

/// Asks within two seconds and says on standard error what is wrong (spec 06 §2.4).
/// @return 0 ready, 1 not ready or no answer, 2 when it is not known whom to ask.
int healthcheck(const HealthRequest& request, const config::LoadOptions& options);

}  // namespace sonde::cli
