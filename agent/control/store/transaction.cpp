#include "agent/control/store/transaction.h"

#include "agent/base/log.h"
#include "agent/control/store/changes.h"
#include "agent/control/store/connection.h"

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};

}  // namespace

Transaction::Transaction(Connection& sql, const Dialect& dialect, const Seal& seal, Access access)
    : sql_{sql}, dialect_{dialect}, seal_{seal}
{
    dialect_.begin(sql_, access);
    open_ = true;
}

Transaction::~Transaction()
{
    if (!open_)
        return;
    try {
        sql_ << "ROLLBACK";
    } catch (const std::exception&) {  // the connection is gone, and the transaction with it
        logger.debug("a transaction ended with its connection", {});
    }
}

std::int64_t Transaction::now_us() const
{
    if (!now_us_)
        now_us_ = dialect_.now_us(sql_);
    return *now_us_;
}

std::set<std::int64_t> Transaction::touched() const
{
    std::set<std::int64_t> probes;
    for (const Change& change : changes_)
        probes.insert(change.probe);
    return probes;
}

void Transaction::record_changes()
{
    if (changes_.empty())
        return;
    store::add_changes(*this, changes_);
    dialect_.announce(sql_);
}

void Transaction::commit()
{
    sql_ << "COMMIT";
    open_ = false;
}

}  // namespace sonde::control
