#pragma once

#include "agent/control/store/transaction.h"

#include <soci/soci.h>

#include <string>

namespace sonde::control::store {

/// A statement whose rows are fetched one after another, executed. Written as `session.prepare <<
/// …` SOCI would have PostgreSQL prepare it first and forget it afterwards: three round trips for
/// one.
/// @param exchanged what it uses and what a row fills in, in the order of the text.
template <class... Exchanged>
soci::statement executed(Transaction& db, const std::string& text, const Exchanged&... exchanged)
{
    soci::statement rows{db.sql()};
    rows.alloc();
    rows.prepare(text, soci::details::st_one_time_query);
    (rows.exchange(exchanged), ...);
    rows.define_and_bind();
    rows.execute();
    return rows;
}

}  // namespace sonde::control::store
