#pragma once

#include "agent/control/secrets.h"
#include "agent/control/store/dialect.h"

#include <cstdint>
#include <optional>
#include <set>

namespace sonde::control {

/// One SQL transaction: undone unless committed. Worker threads only.
class Transaction {
public:
    /// @throws std::exception when the database does not answer.
    Transaction(soci::session& sql, const Dialect& dialect, const Seal& seal, Access access);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    soci::session& sql() { return sql_; }
    const Seal& seal() const { return seal_; }
    /// The database's time when it was first asked for; the same for all of the transaction.
    std::int64_t now_us() const;

    /// The stream of this probe has something to look at once the transaction is committed.
    void touch(std::int64_t probe) { touched_.insert(probe); }
    const std::set<std::int64_t>& touched() const { return touched_; }

    /// Writes the change records. The last statements before commit(): see store/changes.h.
    void record_changes();
    /// On disk when it returns. @throws std::exception.
    void commit();

private:
    soci::session& sql_;
    const Dialect& dialect_;
    const Seal& seal_;
    mutable std::optional<std::int64_t> now_us_;
    std::set<std::int64_t> touched_;
    bool open_ = false;
};

}  // namespace sonde::control
