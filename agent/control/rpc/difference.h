#pragma once

#include "agent/control/store/checks.h"
#include "config/schema.h"

#include <cstdint>
#include <map>
#include <optional>

namespace sonde::control {

/// What one stream has told its probe, and what it must tell it next (spec 04 §9.4, §9.5). No I/O.
class Told {
public:
    /// @param known what the agent says it runs: id to time of change.
    /// @param resend the agent has old data of its probe: everything is sent again.
    Told(std::map<std::int64_t, double> known, bool resend)
        : checks_{std::move(known)}, resend_{resend}, delta_{!checks_.empty()}
    {}

    /// The first message: always sent, with no tenants in it.
    pb::Changes first(const store::ToRun& now);
    /// What has changed since; nullopt: nothing.
    std::optional<pb::Changes> next(const store::ToRun& now);

private:
    void add_checks(const store::ToRun& now, pb::Changes& into);
    void add_tenants(const store::ToRun& now, pb::Changes& into);

    std::map<std::int64_t, double> checks_;
    std::map<std::int64_t, double> tenants_;  // by time of change
    bool resend_;
    bool delta_;
};

/// A tenant as agents can bear it (spec 04 §9.2).
pb::Tenant for_agents(pb::Tenant tenant);

}  // namespace sonde::control
