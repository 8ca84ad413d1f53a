#include "agent/control/store/store.h"

#include "agent/base/log.h"
#include "agent/control/store/connection.h"
#include "agent/control/store/listener.h"
#include "agent/control/store/migrations.h"
#include "agent/control/store/sessions.h"

#include <soci/soci.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr int most_tries = 5;

/// Every replica of a database must have the same keys: what they seal first is kept there.
Result<> same_keys(Transaction& db)
{
    const std::string mark = "sonde";
    std::string sealed;
    db.sql() << "SELECT body FROM tenants WHERE id = 1", soci::into(sealed);
    if (sealed.empty()) {
        sealed = db.seal().close(mark);
        db.sql() << "UPDATE tenants SET body = :body WHERE id = 1", soci::use(sealed);
        return {};
    }
    const auto opened = db.seal().open(sealed);
    if (opened && *opened == mark)
        return {};
    return error("secrets", "secrets.key_file: its keys are not those that the database was sealed "
                            "with; copy the file from where the database was used before");
}

}  // namespace

/// Connections. A transaction has one to itself.
struct Store::Pool {
    std::unique_ptr<Dialect> dialect;
    std::mutex mutex;  // of the next two: workers take and give back
    std::size_t in_use = 0;
    std::vector<std::unique_ptr<Connection>> idle;
    std::condition_variable given_back;
    std::mutex writing;  // SQLite has one writer; waiting here is fair and silent
    std::atomic<bool> healthy{false};
    std::unique_ptr<Listener> listener;
};

/// A connection while a transaction has it.
class Store::Lease {
public:
    Lease(Pool& pool, Access access) : pool_{pool}
    {
        if (access != Access::read && !pool.dialect->has_replicas())
            writing_ = std::unique_lock{pool.writing};
        std::unique_lock lock{pool_.mutex};
        pool_.given_back.wait(lock, [this] { return pool_.in_use < pool_.dialect->connections(); });
        ++pool_.in_use;
        if (pool_.idle.empty())
            return;
        session_ = std::move(pool_.idle.back());
        pool_.idle.pop_back();
    }
    ~Lease()
    {
        {
            const std::lock_guard lock{pool_.mutex};
            --pool_.in_use;
            if (session_)
                pool_.idle.push_back(std::move(session_));
        }
        pool_.given_back.notify_one();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Connection& connected()
    {
        if (!session_)
            session_ = pool_.dialect->connect();
        return *session_;
    }
    soci::session* session() { return session_.get(); }

    /// The connection is broken, and what rests in the pool is as old.
    void discard()
    {
        const std::lock_guard lock{pool_.mutex};
        session_.reset();
        pool_.idle.clear();
    }

private:
    Pool& pool_;
    std::unique_lock<std::mutex> writing_;
    std::unique_ptr<Connection> session_;
};

Store::Store(asio::thread_pool& workers, Feed& feed)
    : workers_{workers}, writes_{workers.get_executor()}, feed_{feed},
      pool_{std::make_unique<Pool>()}
{}

Store::~Store()
{
    close();
}

Result<> Store::open(const Database& database, Seal seal)
{
    seal_ = std::make_unique<Seal>(std::move(seal));
    const std::string& place = database.url.empty() ? database.file : database.url;
    try {
        pool_->dialect = make_dialect(database);
        if (auto prepared = prepare(); !prepared)
            return prepared.error().reason == "secrets"
                       ? prepared
                       : error("database", "{}: {}", place, prepared.error().message);
        if (pool_->dialect->has_replicas()) {
            pool_->listener = std::make_unique<Listener>(
                *pool_->dialect, *seal_, feed_, [this](bool yes) { healthy(yes); });
            pool_->listener->start();
        }
    } catch (const std::exception& failure) {
        return error("database", "{}: {}", place,
            pool_->dialect ? pool_->dialect->judge(nullptr, failure).why : failure.what());
    }
    pool_->healthy = true;
    return {};
}

/// Everything before the first request, in one transaction.
Result<> Store::prepare()
{
    Lease lease{*pool_, Access::write};
    try {
        Transaction db{lease.connected(), *pool_->dialect, *seal_, Access::write};
        if (auto migrated = migrate(db, *pool_->dialect); !migrated)
            return migrated;
        if (auto same = same_keys(db); !same)
            return same;
        if (!pool_->dialect->has_replicas())
            store::end_all_sessions(db);  // none outlives the process that held it
        db.commit();
    } catch (const std::exception& failure) {
        return error("database", "{}", pool_->dialect->judge(lease.session(), failure).why);
    }
    return {};
}

void Store::close()
{
    pool_->listener.reset();
}

Result<> Store::transact(Access access, const Attempt& attempt)
{
    if (!pool_->dialect)
        return error("unavailable", "the database is not open");
    for (int tries = 1;; ++tries) {
        bool committing = false;
        const auto failure = try_once(access, attempt, committing);
        if (!failure) {
            healthy(true);
            return {};
        }
        const bool lost = failure->kind == Failure::Kind::lost;
        const bool again = failure->kind == Failure::Kind::conflict || (lost && !committing);
        if (again && tries < most_tries)
            continue;
        logger.error("the database failed", {{"why", failure->why}, {"tries", tries}});
        if (lost || failure->kind == Failure::Kind::away)
            healthy(false);
        if (lost && committing)
            return error("unavailable", "commit outcome unknown");
        if (failure->kind == Failure::Kind::refused)
            return error("internal", "the database refused");
        return error("unavailable", "the database does not answer");
    }
}

std::optional<Failure> Store::try_once(Access access, const Attempt& attempt, bool& committing)
{
    Lease lease{*pool_, access};
    try {
        Transaction db{lease.connected(), *pool_->dialect, *seal_, access};
        if (!attempt(db) || access == Access::read)
            return std::nullopt;
        db.record_changes();
        committing = true;
        db.commit();
        // Where there are replicas, the listener hears of our own commits as of theirs.
        if (!pool_->dialect->has_replicas())
            feed_.changed(db.touched());
        return std::nullopt;
    } catch (const std::exception& error) {
        auto failure = pool_->dialect->judge(lease.session(), error);
        if (failure.kind == Failure::Kind::lost)
            lease.discard();
        return failure;
    }
}

/// What waits for its turn to write does so before it takes a thread and a connection: reads need
/// them. In SQLite a probe's session has to wait like any other write.
bool Store::one_by_one(Access access) const
{
    const bool beside_writes = pool_->dialect && pool_->dialect->has_replicas();
    return access == Access::write || (access == Access::presence && !beside_writes);
}

bool Store::answers() const
{
    return pool_->healthy;
}

void Store::healthy(bool yes)
{
    if (pool_->healthy.exchange(yes) == yes)
        return;
    if (yes)
        logger.info("the database answers again", {});
    else
        logger.error("the database does not answer", {});
}

}  // namespace sonde::control
