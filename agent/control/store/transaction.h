#pragma once

#include "agent/control/secrets.h"
#include "agent/control/store/dialect.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <set>

namespace sonde::control {

/// What a change asks of the streams of its probe (spec 04 §13.4). The numbers are in databases.
enum class ChangeKind {
    check = 0,          ///< look at what there is to run
    tenant_status = 1,  ///< the same
    tenant_config = 2,  ///< a tenant's record must be sent
    probe_meta = 3,     ///< come back for new data of the probe
    probe_token = 4,    ///< the token may be another
    probe_gone = 5,
    adhoc = 6,  ///< a check waits to be run once
};

struct Change {
    std::int64_t probe = 0;
    ChangeKind kind = ChangeKind::check;
    auto operator<=>(const Change&) const = default;
};

/// One SQL transaction: undone unless committed. Worker threads only.
class Transaction {
public:
    /// @throws std::exception when the database does not answer.
    Transaction(Connection& sql, const Dialect& dialect, const Seal& seal, Access access);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    Connection& sql() { return sql_; }
    const Seal& seal() const { return seal_; }
    /// The database's time when it was first asked for; the same for all of the transaction.
    std::int64_t now_us() const;

    /// The streams of this probe have something to look at once the transaction is committed.
    void touch(std::int64_t probe, ChangeKind kind = ChangeKind::check)
    {
        changes_.insert({probe, kind});
    }
    std::set<std::int64_t> touched() const;  ///< the probes

    /// Writes the change records. The last statements before commit(): see store/changes.h.
    void record_changes();
    /// On disk when it returns. @throws std::exception.
    void commit();

private:
    Connection& sql_;
    const Dialect& dialect_;
    const Seal& seal_;
    mutable std::optional<std::int64_t> now_us_;
    std::set<Change> changes_;
    bool open_ = false;
};

}  // namespace sonde::control
