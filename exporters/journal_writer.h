#pragma once

#include "config/agent_config.h"
#include "exporters/journal.h"
#include "exporters/metrics.h"
#include "exporters/timings.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

namespace sonde::exporters {

/// The journal as the loop sees it: collects what is to be written, and has a worker write, read
/// and flush it, one job at a time. An entry goes on to be sent once it is written (with
/// `journal.sync_every: 0` once it is flushed), so that what a remote has is never unaccounted for.
/// Where the disk takes nothing, entries go on all the same, from memory alone; deliveries and gaps
/// are kept and tried again. Loop thread only.
class JournalWriter {
public:
    struct Hooks {
        std::function<void(JournalEntry, bool on_disk)> arrived;  ///< may be sent from now on
        std::function<void(const Journal::Dropped&)> dropped;
    };

    JournalWriter(const asio::any_io_executor& loop, asio::thread_pool& workers,
        const config::JournalConfig& config, const Timings& timings, Metrics& metrics, Hooks hooks);

    /// @return Error "journal_locked", "journal_io"; the message names the option and what to do.
    asio::awaitable<Result<Journal::Recovered>> open();

    void add(JournalEntry entry);  ///< it gets its number when it is written
    void settle(const Settled& settled);
    /// @param continues it has become part of the newest gap of its like (Ledger::lost).
    void add(const Gap& gap, bool continues);

    /// Whether a way out sends in order, which outlives the process: the CRC-32C of the URL of
    /// which that is known; nullopt: it does not.
    void set_order(TenantKey tenant, Type type, std::optional<std::uint32_t> remote);
    std::optional<std::uint32_t> order(TenantKey tenant, Type type) const;

    /// The blocks of what waits, in that order. Each is there, or Error "corrupted", "journal_io".
    asio::awaitable<std::vector<Result<wire::Block>>> read(std::vector<Settled> what);

    /// Works for ever, or until all is written once it is told to close.
    asio::awaitable<void> run();

    /// Awaits that all entries have gone on, until `deadline`; then they go on from memory alone.
    asio::awaitable<void> flush(std::chrono::steady_clock::time_point deadline);

    /// Writes and flushes what there is, as far as the disk takes it; run() ends.
    asio::awaitable<void> close();

    /// Limits and times; the directory stays.
    void reconfigure(const config::JournalConfig& config);

private:
    using Clock = std::chrono::steady_clock;
    using GapKind = std::tuple<std::optional<CheckKey>, TenantKey, GapReason, bool, bool>;
    struct Job;
    struct Perform;
    struct Read;

    static GapKind kind_of(const Gap& gap);
    Journal::Options options() const;
    Clock::time_point due() const;
    Clock::time_point write_due() const;
    std::shared_ptr<Job> next_job();
    void take_batch(Job& job);
    void apply(Job& job);
    void written(Job& job);
    void not_written(Job& job, const Error& why);
    void put_back(Journal::Batch batch);
    void release_pending();
    bool is_stuck(Clock::time_point now) const;
    bool has_bookkeeping() const
    {
        return !pending_.settled.empty() || !pending_.gaps.empty() || pending_.in_order;
    }
    void wake() { wake_.cancel(); }
    void complain(const Error& why);

    asio::any_io_executor loop_;
    asio::thread_pool& workers_;
    config::JournalConfig config_;
    const Timings& timings_;
    Metrics& metrics_;
    Hooks hooks_;

    std::unique_ptr<Journal> journal_;  // null while a job has it
    InOrder in_order_;
    std::uint64_t next_sequence_ = 1;
    Journal::Batch pending_;
    std::size_t pending_bytes_ = 0;                // of entries
    std::map<GapKind, std::size_t> pending_gaps_;  // the newest of each kind: its place in pending_
    std::set<std::size_t> continuing_gaps_;  // places of those that continue one a job has taken
    Clock::time_point entries_since_;
    Clock::time_point bookkeeping_since_;
    std::vector<std::shared_ptr<Read>> reads_;

    asio::steady_timer wake_;
    asio::steady_timer progress_;  // cancelled after each job
    bool running_ = false;
    bool closing_ = false;
    bool other_limits_ = false;
    bool failing_ = false;  // the last write failed
    bool unsynced_ = false;
    bool flushed_last_ = true;  // the last job was a flush: it is the turn of a write
    std::optional<Clock::time_point> busy_since_;
    Clock::time_point synced_at_;
    Clock::time_point written_at_;
    Clock::time_point retry_at_;
    std::optional<Clock::time_point> complained_at_;
    std::size_t complaints_ = 0;  // since then
};

}  // namespace sonde::exporters
