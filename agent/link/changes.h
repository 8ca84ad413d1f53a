#pragma once

#include "agent/schedule/schedule.h"
#include "config/schema.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::link {

/// What a message of the change stream means for the schedule. Removals come first.
struct Plan {
    bool snapshot = false;  ///< the message was all there is, not a difference
    std::vector<std::int64_t> remove;
    std::vector<const pb::Check*> put;  ///< point into the message

    struct Handled {
        std::string_view operation;  ///< "add", "update", "delete"
        std::string problem;         ///< empty: carried out
        std::int64_t check_id;
    };
    std::vector<Handled> handled;  ///< for log and metrics, in the order of the message
};

/// Follows one change stream (spec 01 §7.5). No I/O.
class ChangeReader {
public:
    /// @param known what is on schedule when the stream begins.
    explicit ChangeReader(const std::vector<schedule::Known>& known);

    /// The first message is a snapshot unless it says it is a difference.
    Plan read(const pb::Changes& message);

private:
    Plan read_snapshot(const pb::Changes& message);
    Plan read_difference(const pb::Changes& message);
    void read_change(const pb::CheckChange& change, Plan& plan);

    std::map<std::int64_t, double> known_;  // id to time of change
    bool first_ = true;
};

/// Why a check of the API cannot be run at all; empty when it can (spec 01 §5.1). Settings are not
/// judged: a check whose settings are unusable runs and says so. Nor is it looked at whether the
/// check is enabled, or listed for this probe: what is not to be run, the API does not send (§7.5).
std::string unusable(const pb::Check& check);

}  // namespace sonde::link
