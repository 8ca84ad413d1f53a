#pragma once

#include "agent/control/rules/judgement.h"
#include "config/schema.h"

namespace sonde::control::rules {

/// Whether a remote may be stored (spec 04 §6.7). `member` is "metricsRemote" or "eventsRemote".
Result<> fit_remote(std::string_view member, const pb::RemoteInfo& remote);

}  // namespace sonde::control::rules
