#include "agent/control/store/sessions.h"

#include "agent/base/text.h"
#include "agent/control/store/statement.h"

#include <fmt/ranges.h>

namespace sonde::control::store {

// Each is one statement with its condition in it: of two replicas that want the same lease one
// finds that the row no longer fits. The row's other columns belong to writes, which go on beside
// them.

std::optional<std::int64_t> begin_session(Transaction& db, std::int64_t probe,
    const pb::ProbeInfo& info, std::chrono::seconds unconfirmed)
{
    const std::int64_t now = db.now_us();
    const std::int64_t until = now + std::chrono::microseconds{unconfirmed}.count();
    const std::int64_t session = random_number();
    const std::string version = info.version();
    const std::string commit = info.commit();
    const std::string buildstamp = info.buildstamp();
    const int secrets = info.supportsprotocolsecrets() ? 1 : 0;
    std::int64_t begun = 0;
    db.sql() << "UPDATE probes SET lease_session = :session, lease_owner = '', lease_until_us = "
                ":until, lease_since_us = :since, lease_meta_version = meta_version, "
                "version = :version, build_commit = :commit, buildstamp = :stamp, "
                "protocol_secrets = :secrets, "
                "online_change_us = CASE WHEN online = 1 THEN online_change_us ELSE :change END, "
                "online = 1 WHERE id = :id AND (lease_session = 0 OR lease_until_us <= :now) "
                "RETURNING lease_session",
        soci::use(session), soci::use(until), soci::use(now), soci::use(version), soci::use(commit),
        soci::use(buildstamp), soci::use(secrets), soci::use(now), soci::use(probe), soci::use(now),
        soci::into(begun);
    return db.sql().got_data() ? std::optional{begun} : std::nullopt;
}

std::optional<Session> confirm_session(Transaction& db, std::int64_t probe,
    const std::string& replica, std::chrono::milliseconds lease)
{
    const std::int64_t now = db.now_us();
    const std::int64_t until = now + std::chrono::microseconds{lease}.count();
    Session session;
    db.sql() << "UPDATE probes SET lease_owner = :replica, lease_until_us = :until WHERE id = :id "
                "AND lease_session <> 0 AND lease_owner = '' AND lease_until_us > :now "
                "RETURNING lease_session, lease_meta_version",
        soci::use(replica), soci::use(until), soci::use(probe), soci::use(now),
        soci::into(session.number), soci::into(session.meta_version);
    return db.sql().got_data() ? std::optional{session} : std::nullopt;
}

bool renew_session(
    Transaction& db, std::int64_t probe, std::int64_t session, std::chrono::milliseconds lease)
{
    const std::int64_t until = db.now_us() + std::chrono::microseconds{lease}.count();
    std::int64_t renewed = 0;
    db.sql() << "UPDATE probes SET lease_until_us = :until WHERE id = :id AND lease_session = "
                ":session RETURNING id",
        soci::use(until), soci::use(probe), soci::use(session), soci::into(renewed);
    return db.sql().got_data();
}

void end_session(Transaction& db, std::int64_t probe, std::int64_t session)
{
    const std::int64_t now = db.now_us();
    db.sql() << "UPDATE probes SET lease_session = 0, online = 0, online_change_us = :now "
                "WHERE id = :id AND lease_session = :session",
        soci::use(now), soci::use(probe), soci::use(session);
}

void end_sessions_of(Transaction& db, const std::string& replica)
{
    const std::int64_t now = db.now_us();
    db.sql() << "UPDATE probes SET lease_session = 0, online = 0, online_change_us = :now "
                "WHERE lease_session <> 0 AND lease_owner = :replica",
        soci::use(now), soci::use(replica);
}

void end_all_sessions(Transaction& db)
{
    const std::int64_t now = db.now_us();
    db.sql() << "UPDATE probes SET lease_session = 0, online = 0, online_change_us = :now "
                "WHERE lease_session <> 0 OR online = 1",
        soci::use(now);
}

void expire_sessions(Transaction& db)
{
    const std::int64_t now = db.now_us();
    db.sql() << "UPDATE probes SET lease_session = 0, online = 0, online_change_us = :change "
                "WHERE lease_session <> 0 AND lease_until_us <= :now",
        soci::use(now), soci::use(now);
}

void note_delivered(Transaction& db, std::int64_t probe, std::chrono::seconds after)
{
    const std::int64_t begun = db.now_us() - std::chrono::microseconds{after}.count();
    db.sql() << "UPDATE probes SET delivered_meta_version = lease_meta_version WHERE id = :id AND "
                "lease_session <> 0 AND lease_owner <> '' AND lease_since_us <= :begun AND "
                "delivered_meta_version <> lease_meta_version",
        soci::use(probe), soci::use(begun);
}

void note_k6_versions(Transaction& db, std::int64_t probe, const std::vector<std::string>& versions)
{
    const std::string all = fmt::format("{}", fmt::join(versions, " "));
    db.sql() << "UPDATE probes SET k6_versions = :all WHERE id = :id", soci::use(all),
        soci::use(probe);
}

std::map<std::int64_t, std::vector<std::string>> k6_versions(Transaction& db, std::int64_t tenant)
{
    std::map<std::int64_t, std::vector<std::string>> out;
    std::int64_t probe = 0;
    std::string all;
    auto rows = executed(db,
        "SELECT id, k6_versions FROM probes WHERE k6_versions <> '' AND "
        "(tenant_id = :tenant OR public = 1)",
        soci::use(tenant), soci::into(probe), soci::into(all));
    while (rows.fetch())
        for (const auto version : text::split(all, ' '))
            out[probe].emplace_back(version);
    return out;
}

}  // namespace sonde::control::store
