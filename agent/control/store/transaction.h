#pragma once

#include "agent/control/secrets.h"

#include <cstdint>
#include <memory>
#include <set>

namespace soci {
class session;
}

namespace sonde::control {

/// One SQL transaction: undone unless committed. Worker threads only.
class Transaction {
public:
    enum class Access { read, write };

    /// @throws std::exception when the database does not answer.
    Transaction(soci::session& sql, const Seal& seal, Access access);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    soci::session& sql() { return sql_; }
    const Seal& seal() const { return seal_; }
    std::int64_t now_us() const { return now_us_; }  ///< the same for all of the transaction

    /// The stream of this probe has something to look at once the transaction is committed.
    void touch(std::int64_t probe) { touched_.insert(probe); }
    void touch_all() { all_touched_ = true; }
    const std::set<std::int64_t>& touched() const { return touched_; }
    bool all_touched() const { return all_touched_; }

    /// On disk when it returns. @throws std::exception.
    void commit();

private:
    soci::session& sql_;
    const Seal& seal_;
    std::int64_t now_us_;
    std::set<std::int64_t> touched_;
    bool all_touched_ = false;
    bool open_ = false;
};

}  // namespace sonde::control
