#include "agent/control/store/changes.h"

#include "agent/control/store/statement.h"

#include <fmt/format.h>

#include <string>

namespace sonde::control::store {

ChangeState change_state(Transaction& db)
{
    ChangeState state;
    executed(db, "SELECT value, pruned FROM change_counter WHERE id = 1", soci::into(state.version),
        soci::into(state.pruned))
        .fetch();
    return state;
}

void add_changes(Transaction& db, const std::set<Change>& changes)
{
    constexpr std::size_t rows_of_a_statement = 500;
    const auto count = static_cast<std::int64_t>(changes.size());
    const std::int64_t now = db.now_us();  // asked before the row is locked
    std::int64_t version = 0;
    db.sql() << "UPDATE change_counter SET value = value + :count WHERE id = 1 RETURNING value",
        soci::use(count), soci::into(version);
    version -= count;
    std::string rows;
    std::size_t in_rows = 0;
    const auto insert = [&] {
        if (!rows.empty())
            db.sql() << "INSERT INTO change_log (version, probe_id, kind, created_us) VALUES "
                     << rows;
        rows.clear();
        in_rows = 0;
    };
    for (const Change& change : changes) {
        rows += fmt::format("{}({}, {}, {}, {})", rows.empty() ? "" : ", ", ++version, change.probe,
            static_cast<int>(change.kind), now);
        if (++in_rows == rows_of_a_statement)
            insert();
    }
    insert();
}

Result<News> news_after(Transaction& db, std::int64_t probe, std::int64_t after, std::size_t most)
{
    const ChangeState state = change_state(db);
    News news{state.version, {}};
    int kind = 0;
    std::int64_t records = 0;
    std::int64_t pending = 0;
    auto rows = executed(db,
        "SELECT kind, count(*) FROM change_log WHERE probe_id = :probe AND "
        "version > :after GROUP BY kind",
        soci::use(probe), soci::use(after), soci::into(kind), soci::into(records));
    while (rows.fetch()) {
        news.kinds.insert(static_cast<ChangeKind>(kind));
        pending += records;
    }
    if (state.pruned > after || pending > static_cast<std::int64_t>(most))
        return error("behind", "too many changes are pending, come back for everything");
    return news;
}

std::set<std::int64_t> probes_changed(Transaction& db, std::int64_t after, std::int64_t upto)
{
    std::set<std::int64_t> probes;
    std::int64_t probe = 0;
    auto rows = executed(db,
        "SELECT DISTINCT probe_id FROM change_log WHERE version > :after AND "
        "version <= :upto",
        soci::use(after), soci::use(upto), soci::into(probe));
    while (rows.fetch())
        probes.insert(probe);
    return probes;
}

void prune_changes(Transaction& db, std::int64_t before_us)
{
    std::int64_t last = 0;
    db.sql() << "SELECT coalesce(max(version), 0) FROM change_log WHERE created_us < :before",
        soci::use(before_us), soci::into(last);
    if (last == 0)
        return;
    db.sql() << "DELETE FROM change_log WHERE version <= :last", soci::use(last);
    db.sql() << "UPDATE change_counter SET pruned = :last WHERE id = 1", soci::use(last);
}

}  // namespace sonde::control::store
