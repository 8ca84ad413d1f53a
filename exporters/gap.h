#pragma once

#include "exporters/tenant_source.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::exporters {

/// Why results of runs are missing at a remote. Journals hold the numbers: a new one goes to the
/// end.
enum class GapReason : std::uint8_t {
    /// The process was not there when they were due, or was killed during them; or the host was
    /// suspended, the loop held up, or the clock set past them.
    not_running,
    overrun,          ///< the run before still went on
    stopped,          ///< given up when the process was told to end
    no_tenant,        ///< nobody could say where the results go
    too_many_labels,  ///< more than the tenant may have: the check was not run
    egress_down,      ///< our own network was down: whether the target answers is not known
    refused,          ///< the remote will never take them
    memory_full,      ///< beyond publisher.max_queue_bytes, with no journal or a full disk
    journal_full,     ///< beyond journal.max_bytes
    too_old,          ///< beyond journal.max_age; or publisher.max_queue_age, of what is on no disk
    corrupted,        ///< the journal's record of them cannot be read
    removed,          ///< an operator dropped them, or their check changed while they had to wait
    internal,         ///< a fault of ours ended the run
};
inline constexpr auto last_gap_reason = GapReason::internal;

/// "not_running", …: the label of metrics, the word of logs.
std::string_view name_of(GapReason reason);

/// Runs whose results a remote will not have: one, or neighbours of one check and reason.
struct Gap {
    std::optional<CheckKey> check;  ///< absent: what is lost could not be read
    TenantKey tenant;
    std::int64_t from_ms = 0;  ///< when the first was due, since the epoch
    std::int64_t to_ms = 0;    ///< when the last was
    std::uint64_t runs = 0;
    bool samples = true;  ///< of the runs these are missing,
    bool events = true;   ///< and these
    GapReason reason = GapReason::not_running;

    bool operator==(const Gap&) const = default;
};

}  // namespace sonde::exporters
