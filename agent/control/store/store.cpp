#include "agent/control/store/store.h"

#include "agent/base/log.h"
#include "agent/control/store/schema.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr int busy_timeout_ms = 5000;

std::unique_ptr<soci::session> connect(const std::string& file)
{
    auto sql =
        std::make_unique<soci::session>(soci::sqlite3, fmt::format("db=\"{}\" timeout=5", file));
    *sql << "PRAGMA busy_timeout = " << busy_timeout_ms;
    *sql << "PRAGMA foreign_keys = ON";
    *sql << "PRAGMA synchronous = FULL";  // an answered write survives a power cut
    return sql;
}

std::int64_t now_in_us()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

Transaction::Transaction(soci::session& sql, const Seal& seal, Access access)
    : sql_{sql}, seal_{seal}, now_us_{now_in_us()}
{
    // IMMEDIATE: the right to write is taken first, so no transaction fails for it half-way.
    sql_ << (access == Access::write ? "BEGIN IMMEDIATE" : "BEGIN");
    open_ = true;
}

Transaction::~Transaction()
{
    if (!open_)
        return;
    try {
        sql_ << "ROLLBACK";
    } catch (const std::exception& failure) {
        logger.warning("a transaction could not be undone", {{"why", failure.what()}});
    }
}

void Transaction::commit()
{
    sql_ << "COMMIT";
    open_ = false;
}

/// Connections at rest. A transaction has one to itself; workers are few, and so are connections.
struct Store::Pool {
    std::string file;
    std::mutex mutex;  // of `idle` alone: workers take and give back
    std::vector<std::unique_ptr<soci::session>> idle;
    std::mutex writing;  // SQLite has one writer; waiting here is fair and silent
    std::atomic<bool> healthy{false};
};

Store::Store(asio::thread_pool& workers, Feed& feed)
    : workers_{workers}, feed_{feed}, pool_{std::make_unique<Pool>()}
{}

Store::~Store() = default;

Result<> Store::open(const std::string& file, Seal seal)
{
    seal_ = std::make_unique<Seal>(std::move(seal));
    pool_->file = file;
    try {
        auto sql = connect(file);
        std::string mode;
        *sql << "PRAGMA journal_mode = WAL", soci::into(mode);
        int version = 0;
        *sql << "PRAGMA user_version", soci::into(version);
        if (version > schema_version)
            return error(
                "database", "{}: was written by a newer version (schema {})", file, version);
        if (version < schema_version) {
            Transaction db{*sql, *seal_, Transaction::Access::write};
            for (const std::string_view statement : schema_statements)
                *sql << std::string{statement};
            *sql << "PRAGMA user_version = " << schema_version;
            db.commit();
        }
        // No session outlives the process that held it.
        const std::int64_t now = now_in_us();
        *sql << "UPDATE probes SET lease_session = 0, online = 0, "
                "online_change_us = CASE WHEN online THEN :now ELSE online_change_us END",
            soci::use(now);
        pool_->idle.push_back(std::move(sql));
    } catch (const std::exception& failure) {
        return error("database", "{}: {}", file, failure.what());
    }
    pool_->healthy = true;
    return {};
}

std::shared_ptr<soci::session> Store::lease(Transaction::Access access)
{
    std::unique_lock<std::mutex> writing;
    if (access == Transaction::Access::write)
        writing = std::unique_lock{pool_->writing};
    std::unique_ptr<soci::session> session;
    {
        const std::lock_guard lock{pool_->mutex};
        if (!pool_->idle.empty()) {
            session = std::move(pool_->idle.back());
            pool_->idle.pop_back();
        }
    }
    if (!session)
        session = connect(pool_->file);
    auto give_back = [this, held = std::make_shared<std::unique_lock<std::mutex>>(
                                std::move(writing))](soci::session* used) {
        const std::lock_guard lock{pool_->mutex};
        pool_->idle.emplace_back(used);
    };
    return {session.release(), std::move(give_back)};
}

bool Store::answers() const
{
    return pool_->healthy;
}

void Store::healthy(bool yes)
{
    if (pool_->healthy.exchange(yes) != yes && yes)
        logger.info("the database answers again");
}

Error Store::failed(const std::string& why)
{
    logger.error("the database failed", {{"why", why}});
    return error("unavailable", "the database does not answer");
}

}  // namespace sonde::control
