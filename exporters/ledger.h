#pragma once

#include "exporters/gap.h"
#include "exporters/record_type.h"
#include "exporters/tenant_source.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sonde::exporters {

/// The fate of everything this process was told of: each run is published or missing with a reason,
/// each record of a lane is delivered, waiting, dropped or unwanted. Nothing here does I/O.
///
/// Neighbouring gaps of a check, a reason and a kind become one: what stands from its beginning to
/// its end is all missing.
class Ledger {
public:
    /// The records of one tenant and type.
    struct Counts {
        std::uint64_t accepted = 0;   ///< published, or found in the journal
        std::uint64_t delivered = 0;  ///< the remote has them
        std::uint64_t dropped = 0;    ///< each with a gap
        std::uint64_t unwanted = 0;   ///< the tenant has no remote for them

        std::uint64_t waiting() const { return accepted - delivered - dropped - unwanted; }
    };

    static constexpr std::size_t most_gaps = 1000;  ///< that are remembered: the newest
    static constexpr std::size_t reasons = static_cast<std::size_t>(last_gap_reason) + 1;

    /// What earlier processes have left. Runs in their order, as far as it is known.
    void recover(CheckKey check, std::int64_t due_ms);
    void recover(const Gap& gap);

    /// A run has a result.
    void published(CheckKey check, std::int64_t due_ms);

    /// Runs without one. @return whether it has become part of the newest gap of its like.
    bool missed(const Gap& gap);

    /// Records that were published and will not arrive. @return as missed().
    bool lost(const Gap& gap);

    /// Stays where it is.
    Counts& lane(TenantKey tenant, Type type) { return lanes_[{tenant, type}]; }

    /// When the last run was due that is published or missing.
    std::optional<std::int64_t> last_run(CheckKey check) const;

    std::uint64_t published() const { return published_; }  ///< runs
    std::uint64_t missing(GapReason reason) const;          ///< runs that were never published
    std::uint64_t missing() const;
    std::vector<Gap> recent_gaps() const;  ///< oldest first

private:
    struct Key {
        std::optional<CheckKey> check;
        TenantKey tenant;
        GapReason reason = GapReason::not_running;
        bool samples = false;
        bool events = false;
        bool was_published = false;

        auto operator<=>(const Key&) const = default;
    };
    /// What is known of a check's timetable: runs are told of in their order.
    struct Told {
        std::int64_t last_ms = 0;
        std::int64_t step_ms = 0;         ///< between the last two; 0: not known
        std::int64_t step_before_ms = 0;  ///< and those before
    };
    struct HashCheck {
        std::size_t operator()(const CheckKey& key) const
        {
            return std::hash<std::int64_t>{}(key.id) ^ static_cast<std::size_t>(key.origin);
        }
    };

    std::int64_t distance_of(CheckKey check) const;
    bool enter(const Gap& gap, const Key& key, std::int64_t reach_ms);
    void remember(const Gap& gap, const Key& key);
    void tell(CheckKey check, std::int64_t from_ms, std::int64_t to_ms, std::uint64_t runs);

    std::unordered_map<CheckKey, Told, HashCheck> told_;
    std::map<std::pair<TenantKey, Type>, Counts> lanes_;
    std::uint64_t published_ = 0;
    std::array<std::uint64_t, reasons> missing_{};
    std::list<Gap> recent_;
    std::map<Key, std::list<Gap>::iterator> newest_;  // of each kind, if it is remembered
};

}  // namespace sonde::exporters
