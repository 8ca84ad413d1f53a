#pragma once

#include "agent/base/error.h"
#include "agent/control/feed.h"
#include "agent/control/store/transaction.h"
#include "agent/net/worker.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace sonde::control {

namespace asio = boost::asio;

/// What the API remembers, in one SQLite database: WAL, synchronous FULL, one writer at a time.
class Store {
public:
    /// `workers` and `feed` outlive the store.
    Store(asio::thread_pool& workers, Feed& feed);
    ~Store();

    /// Opens or makes the database and brings its tables up to date.
    /// @return Error "database" that names the file and what is wrong.
    Result<> open(const std::string& file, Seal seal);

    /// Runs `work(Transaction&)`, which returns a Result, on a worker thread. What it did is kept,
    /// on disk, if it returns a value; undone if it returns an Error or throws: then the Error is
    /// "unavailable". Streams of probes it touched are woken after the commit.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> write(Work work)
    {
        std::function<std::invoke_result_t<Work&, Transaction&>()> on_thread = [this, &work] {
            return run(Transaction::Access::write, work);
        };
        co_return co_await net::on_worker(workers_, std::move(on_thread));
    }

    /// The same with a snapshot that sees no later commit and changes nothing.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Transaction&>> read(Work work)
    {
        std::function<std::invoke_result_t<Work&, Transaction&>()> on_thread = [this, &work] {
            return run(Transaction::Access::read, work);
        };
        co_return co_await net::on_worker(workers_, std::move(on_thread));
    }

    /// write() at once, on the calling thread: at start, before the loop runs.
    template <class Work>
    std::invoke_result_t<Work&, Transaction&> write_now(Work work)
    {
        return run(Transaction::Access::write, work);
    }

    bool answers() const;  ///< the last transaction did not fail for the database's sake

private:
    class Lease;  // a session of the pool, for one transaction

    template <class Work>
    std::invoke_result_t<Work&, Transaction&> run(Transaction::Access access, Work& work)
    {
        using Outcome = std::invoke_result_t<Work&, Transaction&>;
        std::string why;
        try {
            const auto session = lease(access);
            Transaction db{*session, *seal_, access};
            Outcome outcome = work(db);
            if (outcome && access == Transaction::Access::write) {
                db.commit();
                feed_.committed(db);
            }
            healthy(true);
            return outcome;
        } catch (const std::exception& failure) {
            why = failure.what();
        }
        healthy(false);
        return failed(why);
    }

    std::shared_ptr<soci::session> lease(Transaction::Access access);
    void healthy(bool yes);
    static Error failed(const std::string& why);

    asio::thread_pool& workers_;
    Feed& feed_;
    std::unique_ptr<Seal> seal_;
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

}  // namespace sonde::control
