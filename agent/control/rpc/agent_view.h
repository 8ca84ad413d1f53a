#pragma once

#include "agent/control/metrics.h"
#include "agent/control/store/transaction.h"
#include "config/agent_config.h"
#include "config/schema.h"

#include <map>
#include <string>

namespace sonde::control {

// What is stored, as agents of all makers can bear it (spec 04 §9.2, spec 01 §14).

/// Bytes of a message to an agent: stock ones receive no more than 4 MiB.
inline constexpr std::size_t largest_message = 3 << 20;

/// Capabilities as agents must see them: kinds of checks that this server does not have are off.
pb::Probe for_agents(pb::Probe probe, const config::ControlConfig& config);

/// Whether an agent survives to be sent it: one kind of settings, and not too large.
bool bearable(const pb::Check& check);
bool bearable(const pb::AdHocCheck& check);

/// Limits that leave room for labels, no secret store that is half there.
pb::Tenant for_agents(pb::Tenant tenant);

/// Names of labels with values that agents cannot split again, each with the time from which on.
using Unsplittable = std::map<std::string, double>;
/// Costs are not attributed by those. The record's `modified` moves with them: agents take a newer
/// record only.
pb::Tenant without(const Unsplittable& labels, pb::Tenant tenant);

/// All of it for a tenant of the database; counts the names that are left out.
pb::Tenant for_agents(Transaction& db, pb::Tenant tenant, Metrics& metrics);

}  // namespace sonde::control
