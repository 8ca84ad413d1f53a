#pragma once

#include "agent/control/store/checks.h"
#include "config/schema.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace sonde::control {

/// What one stream has told its probe, and what it must tell it next (spec 04 §9.4, §9.5). No I/O.
///
/// Messages are as many as their size asks for. That does no harm: what comes after a first message
/// adds to it, since an agent that already runs checks gets differences, and another has nothing to
/// stop.
class Told {
public:
    /// @param known what the agent says it runs: id to time of change.
    /// @param resend the agent has old data of its probe: everything is sent again.
    /// @param largest bytes of a message.
    Told(std::map<std::int64_t, double> known, bool resend, std::size_t largest);

    /// The beginning: one message at least, with no tenants in it.
    std::vector<pb::Changes> first(const store::ToRun& now);
    /// What has changed since; may be nothing.
    std::vector<pb::Changes> next(const store::ToRun& now);

private:
    class Messages;
    void add_checks(const store::ToRun& now, Messages& into);
    void add_tenants(const store::ToRun& now, Messages& into);

    std::map<std::int64_t, double> checks_;
    std::map<std::int64_t, double> tenants_;  // by time of change
    bool resend_;
    bool delta_;
    std::size_t largest_;
};

}  // namespace sonde::control
