#include "exporters/gap.h"

#include <array>

namespace sonde::exporters {

std::string_view name_of(GapReason reason)
{
    static constexpr std::array<std::string_view, static_cast<std::size_t>(last_gap_reason) + 1>
        names{"not_running", "overrun", "stopped", "no_tenant", "too_many_labels", "egress_down",
            "refused", "memory_full", "journal_full", "too_old", "corrupted", "removed",
            "internal"};
    return names[static_cast<std::size_t>(reason)];
}

}  // namespace sonde::exporters
