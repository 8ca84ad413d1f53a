#pragma once

#include "agent/base/error.h"
#include "agent/control/feed.h"
#include "agent/control/store/transaction.h"
#include "agent/net/worker.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sonde::control {

namespace asio = boost::asio;

/// What the API remembers: in a SQLite file that is ours alone, or in a PostgreSQL database that
/// other replicas work with, too.
class Store {
public:
    /// `workers` and `feed` outlive the store.
    Store(asio::thread_pool& workers, Feed& feed);
    ~Store();

    /// Opens or makes the database, brings its tables up to date, and starts to listen for what
    /// other replicas commit.
    /// @return Error "database" that names the place and what is wrong, never a password;
    ///     "secrets" when `seal` is not that of the database.
    Result<> open(const Database& database, Seal seal);
    /// Stops listening; transactions stay possible.
    void close();

    /// Runs `work(Transaction&)`, which returns a Result, on a worker thread. What it did is kept,
    /// on disk, if it returns a value; undone if it returns an Error. Streams of probes it touched
    /// are woken after the commit, at every replica. It may be run anew, from the start, when the
    /// database asks for it or the connection broke before the commit.
    /// @return also Error "unavailable": nothing was kept, unless the message says that the outcome
    ///     of the commit is unknown; "internal": `work` threw, or the database refused a statement.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> write(Work work)
    {
        co_return co_await on_thread(Access::write, std::move(work));
    }

    /// The same for the sessions of probes: single statements that, in PostgreSQL, wait for no
    /// write.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> presence(Work work)
    {
        co_return co_await on_thread(Access::presence, std::move(work));
    }

    /// The same with a snapshot that sees no later commit and changes nothing.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> read(Work work)
    {
        co_return co_await on_thread(Access::read, std::move(work));
    }

    /// write() at once, on the calling thread: at start, before the loop runs.
    template <class Work>
    std::invoke_result_t<Work&, Transaction&> write_now(Work work)
    {
        return run(Access::write, work);
    }

    bool answers() const;  ///< the database did when it was last asked

private:
    /// @return whether what it did is to be kept.
    using Attempt = std::function<bool(Transaction&)>;
    Result<> transact(Access access, const Attempt& attempt);
    std::optional<Failure> try_once(Access access, const Attempt& attempt, bool& committing);

    template <class Work>
    std::invoke_result_t<Work&, Transaction&> run(Access access, Work& work)
    {
        std::optional<std::invoke_result_t<Work&, Transaction&>> outcome;
        const Attempt attempt = [&](Transaction& db) {
            return outcome.emplace(work(db)).has_value();
        };
        if (auto done = transact(access, attempt); !done)
            return done.error();
        return std::move(*outcome);
    }

    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> on_thread(Access access, Work work)
    {
        std::function<std::invoke_result_t<Work&, Transaction&>()> there = [this, access, &work] {
            return run(access, work);
        };
        if (one_by_one(access))
            co_return co_await net::on_worker(writes_, std::move(there));
        co_return co_await net::on_worker(workers_, std::move(there));
    }

    bool one_by_one(Access access) const;
    Result<> prepare();
    void healthy(bool yes);

    asio::thread_pool& workers_;
    asio::strand<asio::thread_pool::executor_type> writes_;  // the next waits outside the threads
    Feed& feed_;
    std::unique_ptr<Seal> seal_;
    class Lease;
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

}  // namespace sonde::control
