#include "exporters/journal_writer.h"

#include "agent/base/log.h"
#include "agent/net/worker.h"
#include "exporters/wait.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace sonde::exporters {
namespace {

constexpr log::Logger logger{"journal"};
constexpr std::chrono::minutes between_complaints{1};
/// Of entries that are not yet written. With more, the disk is too slow to be waited for.
constexpr std::size_t most_pending_bytes = 8 << 20;

std::int64_t wall_clock_ms()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void join(Gap& whole, const Gap& more)
{
    whole.from_ms = std::min(whole.from_ms, more.from_ms);
    whole.to_ms = std::max(whole.to_ms, more.to_ms);
    whole.runs += more.runs;
}

std::size_t bytes_of(const JournalEntry& entry)
{
    return entry.metrics.body.size() + entry.logs.body.size();
}

Error explained(const Error& why)
{
    if (why.reason == "journal_locked")
        return error(why.reason,
            "journal.directory: {}: end that process, or give this one a directory of its own",
            why.message);
    return error(why.reason,
        "journal.directory: {}: name a directory that can be written to, or set journal.enabled to "
        "false",
        why.message);
}

}  // namespace

/// Somebody who awaits blocks.
struct JournalWriter::Read {
    Read(const asio::any_io_executor& loop, std::vector<Settled> its_what)
        : what{std::move(its_what)}, done{loop}
    {}

    std::vector<Settled> what;
    std::vector<Result<wire::Block>> blocks;
    asio::steady_timer done;
    bool over = false;
};

/// What a worker does in one go. It has the journal meanwhile.
struct JournalWriter::Job {
    std::unique_ptr<Journal> journal;
    Journal::Options options;
    std::int64_t now_ms = 0;
    bool other_limits = false;
    bool write = false;
    bool sync = false;
    Journal::Batch batch;
    std::vector<std::pair<std::vector<Settled>, std::vector<Result<wire::Block>>>> reads;

    Journal::Written written;
    std::optional<Error> sync_failed;
    std::size_t file_bytes = 0;
    std::size_t segments = 0;
    std::vector<std::shared_ptr<Read>> readers;  // not the worker's business

    void perform() noexcept
    {
        try {
            work();
        } catch (const std::exception& failure) {
            written.failed = error("journal_io", "{}", failure.what());
        }
    }

private:
    void work()
    {
        if (other_limits)
            journal->set_limits(options.max_bytes, options.max_age);
        if (write)
            written = journal->write(batch, now_ms);
        for (auto& [what, blocks] : reads)
            for (const Settled& each : what)
                blocks.push_back(journal->read(each.sequence, each.type));
        if (sync && !written.failed)
            if (auto synced = journal->sync(); !synced)
                sync_failed = synced.error();
        file_bytes = journal->file_bytes();
        segments = journal->segments();
    }
};

struct JournalWriter::Perform {
    std::shared_ptr<Job> job;

    bool operator()() const
    {
        job->perform();
        return true;
    }
};

JournalWriter::JournalWriter(const asio::any_io_executor& loop, asio::thread_pool& workers,
    const config::JournalConfig& config, const Timings& timings, Metrics& metrics, Hooks hooks)
    : loop_{loop}, workers_{workers}, config_{config}, timings_{timings}, metrics_{metrics},
      hooks_{std::move(hooks)}, wake_{loop}, progress_{loop}, synced_at_{Clock::now()},
      written_at_{Clock::now()}
{}

Journal::Options JournalWriter::options() const
{
    Journal::Options options;
    options.directory = config_.directory;
    options.max_bytes = config_.max_bytes;
    options.max_age = config_.max_age;
    return options;
}

namespace {

using Opened = Result<std::pair<std::unique_ptr<Journal>, Journal::Recovered>>;

/// Opening reads all that is there: for a worker.
struct Open {
    Journal::Options options;
    std::shared_ptr<Opened> result = std::make_shared<Opened>(Error{"journal_io", "not opened"});

    bool operator()() const
    {
        try {
            *result = Journal::open(options, wall_clock_ms());
        } catch (const std::exception& failure) {
            *result = error("journal_io", "{}", failure.what());
        }
        return true;
    }
};

}  // namespace

asio::awaitable<Result<Journal::Recovered>> JournalWriter::open()
{
    Open open;
    open.options = options();
    const auto result = open.result;
    co_await net::on_worker(workers_, std::move(open));
    Opened& opened = *result;
    if (!opened)
        co_return explained(opened.error());
    journal_ = std::move(opened->first);
    next_sequence_ = opened->second.next_sequence;
    in_order_ = opened->second.in_order;
    metrics_.journal_bytes.Set(static_cast<double>(journal_->file_bytes()));
    metrics_.journal_segments.Set(static_cast<double>(journal_->segments()));
    metrics_.journal_torn_bytes.Increment(static_cast<double>(opened->second.torn_bytes));
    co_return std::move(opened->second);
}

void JournalWriter::add(JournalEntry entry)
{
    const auto now = Clock::now();
    if (is_stuck(now)) {
        complain(error("journal_io", "the disk is too slow"));
        release_pending();
        hooks_.arrived(std::move(entry), false);
        return;
    }
    if (pending_.entries.empty())
        entries_since_ = now;
    pending_bytes_ += bytes_of(entry);
    pending_.entries.push_back(std::move(entry));
    wake();
}

void JournalWriter::settle(const Settled& settled)
{
    if (!has_bookkeeping())
        bookkeeping_since_ = Clock::now();
    pending_.settled.push_back(settled);
    wake();
}

JournalWriter::GapKind JournalWriter::kind_of(const Gap& gap)
{
    return {gap.check, gap.tenant, gap.reason, gap.samples, gap.events};
}

void JournalWriter::add(const Gap& gap, bool continues)
{
    if (!has_bookkeeping())
        bookkeeping_since_ = Clock::now();
    const auto kind = kind_of(gap);
    const auto found = pending_gaps_.find(kind);
    if (continues && found != pending_gaps_.end()) {
        join(pending_.gaps[found->second], gap);
    } else {
        if (continues)
            continuing_gaps_.insert(pending_.gaps.size());
        pending_gaps_[kind] = pending_.gaps.size();
        pending_.gaps.push_back(gap);
    }
    wake();
}

void JournalWriter::set_order(TenantKey tenant, Type type, std::optional<std::uint32_t> remote)
{
    if (!has_bookkeeping())
        bookkeeping_since_ = Clock::now();
    if (remote)
        in_order_[{tenant, type}] = *remote;
    else
        in_order_.erase({tenant, type});
    pending_.in_order = in_order_;
    wake();
}

std::optional<std::uint32_t> JournalWriter::order(TenantKey tenant, Type type) const
{
    const auto found = in_order_.find({tenant, type});
    return found == in_order_.end() ? std::nullopt : std::optional{found->second};
}

asio::awaitable<std::vector<Result<wire::Block>>> JournalWriter::read(std::vector<Settled> what)
{
    const auto request = std::make_shared<Read>(loop_, std::move(what));
    reads_.push_back(request);
    wake();
    while (!request->over)
        co_await wait(request->done, Clock::time_point::max());
    co_return std::move(request->blocks);
}

asio::awaitable<void> JournalWriter::run()
{
    running_ = true;
    for (;;) {
        while (due() > Clock::now())
            co_await wait(wake_, due());
        const auto job = next_job();
        if (!job)
            break;
        busy_since_ = Clock::now();
        Perform perform;
        perform.job = job;
        co_await net::on_worker(workers_, std::move(perform));
        busy_since_.reset();
        apply(*job);
        progress_.cancel();
    }
    running_ = false;
    journal_.reset();
    progress_.cancel();
}

JournalWriter::Clock::time_point JournalWriter::write_due() const
{
    auto when = Clock::time_point::max();
    if (!pending_.entries.empty())
        when = entries_since_ + timings_.gather;
    if (has_bookkeeping()) {
        const auto urgent = pending_.gaps.empty() ? timings_.settle : timings_.gather;
        when = std::min(when, std::max(bookkeeping_since_ + urgent, retry_at_));
    }
    return std::min(when, std::max(written_at_ + timings_.tidy, retry_at_));
}

JournalWriter::Clock::time_point JournalWriter::due() const
{
    if (!reads_.empty() || other_limits_ || closing_)
        return Clock::time_point::min();
    const auto flush = unsynced_ && config_.sync_every.count() > 0
                           ? std::max(synced_at_ + config_.sync_every, retry_at_)
                           : Clock::time_point::max();
    return std::min(write_due(), flush);
}

/// @return null when there is nothing left to do before the end.
std::shared_ptr<JournalWriter::Job> JournalWriter::next_job()
{
    const auto now = Clock::now();
    auto job = std::make_shared<Job>();
    job->journal = std::move(journal_);
    job->options = options();
    job->now_ms = wall_clock_ms();
    job->other_limits = std::exchange(other_limits_, false);
    job->readers = std::move(reads_);
    reads_.clear();
    for (const auto& reader : job->readers)
        job->reads.emplace_back(reader->what, std::vector<Result<wire::Block>>{});

    const bool each = config_.sync_every.count() == 0;
    const bool may_flush = unsynced_ && now >= synced_at_ + config_.sync_every;
    job->write = closing_
                     ? !pending_.empty() && (!failing_ || !pending_.entries.empty())
                     : job->other_limits || (write_due() <= now && (!may_flush || flushed_last_));
    if (job->write)
        take_batch(*job);
    job->sync = job->write ? each : unsynced_ && (may_flush || closing_);
    flushed_last_ = job->sync && !job->write;
    if (!closing_ || job->write || job->sync || !job->readers.empty())
        return job;
    journal_ = std::move(job->journal);
    return nullptr;
}

/// Deliveries alone always fit: while nothing else does, they go by themselves to make room.
/// Entries are tried each time, for they do not wait; what has failed before waits for its time.
void JournalWriter::take_batch(Job& job)
{
    const bool later = failing_ && Clock::now() < retry_at_;
    if (!later)
        job.batch.settled = std::exchange(pending_.settled, {});
    if (failing_ && !job.batch.settled.empty())
        return;
    job.batch.entries = std::exchange(pending_.entries, {});
    pending_bytes_ = 0;
    for (JournalEntry& entry : job.batch.entries)
        entry.sequence = next_sequence_++;
    if (later)
        return;
    job.batch.gaps = std::exchange(pending_.gaps, {});
    job.batch.in_order = std::exchange(pending_.in_order, std::nullopt);
    pending_gaps_.clear();
    continuing_gaps_.clear();
}

void JournalWriter::apply(Job& job)
{
    journal_ = std::move(job.journal);
    if (job.written.failed)
        not_written(job, *job.written.failed);
    else
        written(job);
    for (const Journal::Dropped& dropped : job.written.dropped)
        hooks_.dropped(dropped);
    if (job.sync_failed)
        complain(*job.sync_failed);
    for (std::size_t i = 0; i < job.readers.size(); ++i) {
        Read& reader = *job.readers[i];
        reader.blocks = std::move(job.reads[i].second);
        while (reader.blocks.size() < reader.what.size())
            reader.blocks.emplace_back(error("journal_io", "not read"));
        reader.over = true;
        reader.done.cancel();
    }
}

void JournalWriter::written(Job& job)
{
    const auto now = Clock::now();
    metrics_.journal_bytes.Set(static_cast<double>(job.file_bytes));
    metrics_.journal_segments.Set(static_cast<double>(job.segments));
    if (job.write) {
        failing_ = false;
        unsynced_ = unsynced_ || !job.batch.empty();
        written_at_ = now;
    }
    if (job.sync) {
        unsynced_ = job.sync_failed && !closing_;
        synced_at_ = now;
    }
    for (JournalEntry& entry : job.batch.entries)
        hooks_.arrived(std::move(entry), true);
}

void JournalWriter::not_written(Job& job, const Error& why)
{
    complain(why);
    failing_ = true;
    unsynced_ = unsynced_ && !closing_;
    if (const auto now = Clock::now(); retry_at_ <= now)
        retry_at_ = now + timings_.journal_retry;
    next_sequence_ -= job.batch.entries.size();  // the journal has none of them
    for (JournalEntry& entry : job.batch.entries)
        hooks_.arrived(std::move(entry), false);
    job.batch.entries.clear();
    put_back(std::move(job.batch));
}

/// Deliveries and gaps that could not be written, before those that have come since. However often
/// a gap grew while a job tried to write it, it stays one.
void JournalWriter::put_back(Journal::Batch batch)
{
    if (batch.empty())
        return;
    if (!has_bookkeeping())
        bookkeeping_since_ = Clock::now();
    pending_gaps_.clear();
    for (std::size_t i = 0; i < batch.gaps.size(); ++i)
        pending_gaps_[kind_of(batch.gaps[i])] = i;
    for (std::size_t i = 0; i < pending_.gaps.size(); ++i) {
        const Gap& gap = pending_.gaps[i];
        const auto [newest, is_first] = pending_gaps_.try_emplace(kind_of(gap), batch.gaps.size());
        if (!is_first && continuing_gaps_.contains(i)) {
            join(batch.gaps[newest->second], gap);
        } else {
            newest->second = batch.gaps.size();
            batch.gaps.push_back(gap);
        }
    }
    continuing_gaps_.clear();
    std::ranges::move(pending_.settled, std::back_inserter(batch.settled));
    pending_.gaps = std::move(batch.gaps);
    pending_.settled = std::move(batch.settled);
    if (!pending_.in_order)
        pending_.in_order = std::move(batch.in_order);
}

void JournalWriter::release_pending()
{
    pending_bytes_ = 0;
    for (JournalEntry& entry : std::exchange(pending_.entries, {}))
        hooks_.arrived(std::move(entry), false);
}

bool JournalWriter::is_stuck(Clock::time_point now) const
{
    return pending_bytes_ > most_pending_bytes ||
           (busy_since_ && now - *busy_since_ > timings_.stuck);
}

asio::awaitable<void> JournalWriter::flush(Clock::time_point deadline)
{
    while (running_ && (!pending_.entries.empty() || busy_since_) && Clock::now() < deadline)
        co_await wait(progress_, deadline);
    release_pending();
}

asio::awaitable<void> JournalWriter::close()
{
    closing_ = true;
    failing_ = false;  // a last try
    wake();
    while (running_)
        co_await wait(progress_, Clock::time_point::max());
    if (!pending_.empty())
        logger.error("the journal is not up to date",
            {{"deliveries", pending_.settled.size()}, {"gaps", pending_.gaps.size()}});
}

void JournalWriter::reconfigure(const config::JournalConfig& config)
{
    if (config.max_bytes != config_.max_bytes || config.max_age != config_.max_age)
        other_limits_ = true;  // and stays so until a job has them
    config_.max_bytes = config.max_bytes;
    config_.max_age = config.max_age;
    config_.sync_every = config.sync_every;
    wake();
}

void JournalWriter::complain(const Error& why)
{
    metrics_.journal_write_errors.Increment();
    ++complaints_;
    const auto now = Clock::now();
    if (complained_at_ && now - *complained_at_ < between_complaints)
        return;
    complained_at_ = now;
    logger.error("the journal cannot be written: results are in memory alone",
        {{"reason", why.reason}, {"why", why.message}, {"times", std::exchange(complaints_, 0)}});
}

}  // namespace sonde::exporters
