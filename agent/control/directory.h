#pragma once

#include "agent/base/error.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "config/secret.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control {

/// An instance of a metrics or logs store that an organisation owns.
struct HostedInstance {
    std::int64_t id = 0;
    std::string type;  ///< "prometheus" or "logs"
    std::string name;
    std::string url;
    std::string cluster_slug;
    std::string cluster_name;
    std::string description;
    std::string status;
    double current_active_series = 0;
    double current_dpm = 0;
    double current_usage = 0;
    std::string remote_url;  ///< what probes get; agents append "/push"
    std::string remote_username;
    config::Secret viewer_token;  ///< for `register/viewer-token`; empty: there is none
};

struct TenantLimits {
    std::optional<bool> extended;  ///< limits.profile; absent: that of the server
    pb::TenantLimits limits;
};

struct Stack {
    std::int64_t id = 0;
    std::string slug;
    std::string name;
    std::optional<std::int64_t> metrics_instance_id;
    std::optional<std::int64_t> logs_instance_id;
    std::optional<TenantLimits> limits;  ///< of the stack or the defaults; absent: neither has any
    std::vector<std::string> cost_attribution_labels;
    config::Secret publisher_token;  ///< for `register/save`; empty: there is none
    std::optional<pb::SecretStore> secret_store;
};

struct Organization {
    std::int64_t id = 0;
    std::string slug;
    std::string name;
    std::vector<HostedInstance> instances;
    std::vector<Stack> stacks;

    const Stack* stack(std::int64_t stack_id) const;
    const HostedInstance* instance(std::int64_t instance_id, std::string_view type) const;
    /// The stacks that own exactly this pair of instances.
    std::vector<const Stack*> owners(std::int64_t metrics, std::int64_t logs) const;
};

/// A probe run by the operator, visible to every tenant.
struct PublicProbe {
    std::string key;
    pb::Probe probe;
    std::string token_sha256;
};

/// Who may register what: written by the operator, only read by us (spec 04 §7.1, §7.2).
/// Immutable.
class Directory {
public:
    /// Of the file, or of the text in the options.
    /// @return every problem, "FILE:LINE: PATH: what", joined by newlines.
    static Result<std::shared_ptr<const Directory>> load(const config::ControlConfig& config);

    /// SHA-256 of the text it was read from: replicas must all have the same.
    const std::string& digest() const { return digest_; }

    /// What a publisher token may register.
    struct Publisher {
        const Organization* organization;
        std::vector<std::int64_t> stacks;  ///< empty with `all`
        bool all = false;

        bool covers(std::int64_t stack) const;
    };
    const Publisher* publisher(std::string_view token) const;  ///< null: unknown

    /// The organisation of an admin token; null: unknown.
    const Organization* admin(std::string_view token) const;

    const Organization* organization(std::int64_t id) const;
    /// The stack, if the organisation has it; null also for 0.
    const Stack* stack(std::int64_t organization, std::int64_t id) const;
    /// What holds for tenants without a stack; absent: there are no defaults.
    const std::optional<TenantLimits>& default_limits() const { return default_limits_; }
    /// Of a new probe that says nothing of it.
    const pb::Probe::Capabilities& default_capabilities() const { return default_capabilities_; }
    const std::vector<PublicProbe>& public_probes() const { return public_probes_; }

private:
    friend class DirectoryReader;
    std::vector<std::unique_ptr<Organization>> organizations_;
    std::map<std::string, Publisher> publishers_;        // by SHA-256 of the token
    std::map<std::string, const Organization*> admins_;  // the same
    std::optional<TenantLimits> default_limits_;
    pb::Probe::Capabilities default_capabilities_;
    std::string digest_;
    std::vector<PublicProbe> public_probes_;
};

}  // namespace sonde::control
