#pragma once

#include "agent/base/error.h"
#include "config/agent_config.h"
#include "config/schema.h"

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
    std::string status = "active";
    double current_active_series = 0;
    double current_dpm = 0;
    double current_usage = 0;
    std::string remote_url;  ///< what probes get; agents append "/push"
    std::string remote_username;
};

struct TenantLimits {
    bool extended = false;  ///< limits.profile
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
};

struct Organization {
    std::int64_t id = 0;
    std::string slug;
    std::string name;
    std::vector<HostedInstance> instances;
    std::vector<Stack> stacks;

    const Stack* stack(std::int64_t stack_id) const;
    const HostedInstance* instance(std::int64_t instance_id, std::string_view type) const;
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

    /// What a publisher token may register.
    struct Publisher {
        const Organization* organization;
        std::vector<std::int64_t> stacks;  ///< empty with `all`
        bool all = false;

        bool covers(std::int64_t stack) const;
    };
    const Publisher* publisher(std::string_view token) const;  ///< null: unknown

    const Organization* organization(std::int64_t id) const;
    const std::vector<PublicProbe>& public_probes() const { return public_probes_; }

private:
    friend class DirectoryReader;
    std::vector<std::unique_ptr<Organization>> organizations_;
    std::map<std::string, Publisher> publishers_;  // by SHA-256 of the token
    std::vector<PublicProbe> public_probes_;
};

}  // namespace sonde::control
