#pragma once

#include "agent/control/store/connection.h"
#include "agent/control/store/transaction.h"

#include <string>
#include <utility>

namespace sonde::control::store {

/// The rows that a statement finds, one after another. Within its transaction.
class Rows {
public:
    explicit Rows(soci::statement statement, bool* in_use = nullptr)
        : statement_{std::move(statement)}, in_use_{in_use}
    {
        if (in_use_)
            *in_use_ = true;
    }
    ~Rows()
    {
        if (in_use_)
            *in_use_ = false;
    }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    /// Fills in what the statement was given for it. @return false: there is no other.
    bool fetch() { return statement_.fetch(); }

private:
    soci::statement statement_;
    bool* in_use_;
};

template <class... Exchanged>
void execute(soci::statement& statement, const Exchanged&... exchanged)
{
    (statement.exchange(exchanged), ...);
    statement.define_and_bind();
    statement.execute();
}

/// Executes a statement. Written as `session.prepare << …` SOCI would have PostgreSQL prepare it
/// first and forget it afterwards: three round trips for one.
/// @param text is one of a few: statements are kept by it.
/// @param exchanged what it uses and what a row fills in, in the order of the text.
template <class... Exchanged>
Rows executed(Transaction& db, const std::string& text, const Exchanged&... exchanged)
{
    Connection& sql = db.sql();
    const auto known = sql.kept.find(text);
    const bool keeps = sql.keeps_statements && (known == sql.kept.end() || !known->second.in_use);
    if (!keeps) {
        soci::statement once{sql};
        once.alloc();
        once.prepare(text, soci::details::st_one_time_query);
        execute(once, exchanged...);
        return Rows{std::move(once)};
    }
    if (known != sql.kept.end()) {
        Connection::Kept& kept = known->second;
        kept.statement.bind_clean_up();
        execute(kept.statement, exchanged...);
        return Rows{kept.statement, &kept.in_use};
    }
    soci::statement prepared{sql};
    prepared.alloc();
    prepared.prepare(text, soci::details::st_repeatable_query);
    Connection::Kept& kept = sql.kept.emplace(text, Connection::Kept{prepared}).first->second;
    execute(kept.statement, exchanged...);
    return Rows{kept.statement, &kept.in_use};
}

}  // namespace sonde::control::store
