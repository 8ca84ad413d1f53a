#include "exporters/publisher.h"

#include "agent/base/log.h"
#include "agent/net/task_group.h"
#include "exporters/journal_writer.h"
#include "exporters/lane/lane.h"
#include "exporters/ledger.h"
#include "exporters/loki.h"
#include "exporters/metrics.h"
#include "exporters/remote_write.h"
#include "exporters/wait.h"

#include <algorithm>
#include <map>
#include <utility>

namespace sonde::exporters {
namespace {

constexpr log::Logger logger{"publisher"};
constexpr std::chrono::seconds longest_unwinding{1};

using Clock = std::chrono::steady_clock;

/// The two ways out of a tenant.
struct Lanes {
    Lanes(const asio::any_io_executor& loop, const lane::Lane::Parts& parts, TenantKey key)
        : shared{key}, metrics{loop, parts, shared, Type::metrics},
          logs{loop, parts, shared, Type::logs}
    {}

    lane::Lane& of(Type type) { return type == Type::metrics ? metrics : logs; }

    lane::Shared shared;
    lane::Lane metrics;
    lane::Lane logs;
};

}  // namespace

struct Publisher::State {
    State(const asio::any_io_executor& its_loop, net::HttpClient& its_client,
        TenantSource& its_tenants, const config::PublisherConfig& its_config,
        const Timings& its_timings, prometheus::Registry& registry, const Disk* disk)
        : loop{its_loop}, client{its_client}, tenants{its_tenants}, config{its_config},
          timings{its_timings}, metrics{registry}, sending{its_loop}, writing{its_loop},
          ended{its_loop}
    {
        if (disk == nullptr || !disk->config.enabled)
            return;
        JournalWriter::Hooks hooks;
        hooks.arrived = [this](JournalEntry entry, bool on_disk) {
            arrive(std::move(entry), on_disk);
        };
        hooks.dropped = [this](const Journal::Dropped& dropped) {
            lanes(dropped.what.tenant).of(dropped.what.type).dropped(dropped.what, dropped.reason);
        };
        journal = std::make_unique<JournalWriter>(
            loop, disk->workers, disk->config, timings, metrics, std::move(hooks));
    }

    Lanes& lanes(TenantKey key)
    {
        auto& found = by_tenant[key];
        if (!found) {
            const lane::Lane::Parts parts{
                client, tenants, config, timings, metrics, ledger, journal.get()};
            found = std::make_unique<Lanes>(loop, parts, key);
            metrics.handlers.Increment();
            for (lane::Lane* each : {&found->metrics, &found->logs}) {
                sending.spawn(send(each->send_live()));
                sending.spawn(send(each->send_backlog()));
            }
        }
        return *found;
    }

    asio::awaitable<void> send(asio::awaitable<void> work)
    {
        struct Count {
            explicit Count(State& its_state) : state{its_state} { ++state.senders; }
            ~Count()
            {
                if (--state.senders == 0)
                    state.ended.cancel();
            }
            Count(const Count&) = delete;
            State& state;
        };
        const Count count{*this};
        co_await std::move(work);
    }

    asio::awaitable<void> await_senders(Clock::time_point deadline)
    {
        while (senders > 0 && Clock::now() < deadline)
            co_await wait(ended, deadline);
    }

    void arrive(JournalEntry entry, bool on_disk);
    void recover(const Journal::Recovered& found);
    void recover(const Gap& found);

    asio::any_io_executor loop;
    net::HttpClient& client;
    TenantSource& tenants;
    config::PublisherConfig config;
    const Timings timings;
    Metrics metrics;
    Ledger ledger;
    std::unique_ptr<JournalWriter> journal;  // null: memory only
    std::map<TenantKey, std::unique_ptr<Lanes>> by_tenant;
    net::TaskGroup sending;
    net::TaskGroup writing;
    asio::steady_timer ended;  // cancelled when the last sender has
    std::size_t senders = 0;
};

/// An entry may be sent: its halves go their ways.
void Publisher::State::arrive(JournalEntry entry, bool on_disk)
{
    Lanes& ways = lanes(entry.tenant);
    const auto now = Clock::now();
    for (const Type type : {Type::metrics, Type::logs}) {
        wire::Block& block = type == Type::metrics ? entry.metrics : entry.logs;
        if (block.body.empty())
            continue;
        lane::Record record{entry.sequence, entry.run_of, entry.timestamp_ms, std::move(block), now,
            on_disk, false};
        ways.of(type).add(std::move(record));
    }
}

void Publisher::State::recover(const Journal::Recovered& found)
{
    for (const Waiting& waiting : found.waiting)
        if (waiting.run_of)
            ledger.recover(*waiting.run_of, waiting.timestamp_ms);
    for (const LastRun& last : found.last_runs)
        ledger.recover(last.check, last.due_ms);
    for (const Gap& gap : found.gaps)
        ledger.recover(gap);
    for (const Gap& gap : found.found)
        recover(gap);
    for (const Waiting& waiting : found.waiting)
        lanes(waiting.tenant)
            .of(waiting.type)
            .recover({waiting.sequence, waiting.timestamp_ms, waiting.run_of,
                static_cast<std::uint32_t>(waiting.bytes), false});
    logger.info(
        "the journal is open", {{"waiting", found.waiting.size()}, {"torn_bytes", found.torn_bytes},
                                   {"unreadable", found.found.size()}});
}

/// What the journal could not read.
void Publisher::State::recover(const Gap& found)
{
    if (found.check)
        ledger.recover(*found.check, found.to_ms);
    journal->add(found, ledger.lost(found));
    const double age =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count() -
        (static_cast<double>(found.from_ms) / 1000);
    const auto records = static_cast<double>(std::max<std::uint64_t>(found.runs, 1));
    if (found.samples)
        metrics.count_lost(Type::metrics, found.reason, records, age);
    if (found.events)
        metrics.count_lost(Type::logs, found.reason, records, age);
}

Publisher::Publisher(const asio::any_io_executor& loop, net::HttpClient& client,
    TenantSource& tenants, const config::PublisherConfig& config, prometheus::Registry& registry,
    const Disk& disk, const Timings& timings)
    : state_{std::make_unique<State>(loop, client, tenants, config, timings, registry, &disk)}
{}

Publisher::Publisher(const asio::any_io_executor& loop, net::HttpClient& client,
    TenantSource& tenants, const config::PublisherConfig& config, prometheus::Registry& registry,
    const Timings& timings)
    : state_{std::make_unique<State>(loop, client, tenants, config, timings, registry, nullptr)}
{}

Publisher::~Publisher() = default;

asio::awaitable<Result<>> Publisher::open()
{
    State& s = *state_;
    if (!s.journal) {
        logger.info("results wait in memory only: what is not delivered when the process ends is "
                    "lost");
        co_return Result<>{};
    }
    const auto recovered = co_await s.journal->open();
    if (!recovered)
        co_return recovered.error();
    s.writing.spawn(s.journal->run());
    s.recover(*recovered);
    co_return Result<>{};
}

void Publisher::publish(Payload payload)
{
    State& s = *state_;
    if (payload.run_of) {
        s.ledger.published(*payload.run_of, payload.timestamp_ms);
        s.metrics.runs_published.Increment();
    }
    JournalEntry entry;
    entry.tenant = payload.tenant;
    entry.run_of = payload.run_of;
    entry.timestamp_ms = payload.timestamp_ms;
    Lanes& lanes = s.lanes(payload.tenant);
    if (!payload.values.empty()) {
        entry.metrics = encode_series(payload);
        lanes.metrics.expect();
    }
    if (payload.logs) {
        entry.logs = encode_stream(*payload.logs);
        lanes.logs.expect();
    }
    if (s.journal)
        s.journal->add(std::move(entry));
    else
        s.arrive(std::move(entry), false);
}

void Publisher::record(const Gap& gap)
{
    State& s = *state_;
    const bool continues = s.ledger.missed(gap);
    s.metrics.runs_missing[static_cast<std::size_t>(gap.reason)]->Increment(
        static_cast<double>(gap.runs));
    if (s.journal)
        s.journal->add(gap, continues);
}

std::optional<std::int64_t> Publisher::last_run(CheckKey check) const
{
    return state_->ledger.last_run(check);
}

const Ledger& Publisher::ledger() const
{
    return state_->ledger;
}

void Publisher::reconfigure(
    const config::PublisherConfig& publisher, const config::JournalConfig& journal)
{
    State& s = *state_;
    s.config = publisher;
    for (auto& [key, lanes] : s.by_tenant) {
        lanes->metrics.reconfigure();
        lanes->logs.reconfigure();
    }
    if (s.journal)
        s.journal->reconfigure(journal);
}

asio::awaitable<void> Publisher::shut_down(std::chrono::steady_clock::time_point deadline)
{
    State& s = *state_;
    if (s.journal)
        co_await s.journal->flush(std::max(deadline, Clock::now() + s.timings.stuck));
    for (auto& [key, lanes] : s.by_tenant) {
        lanes->metrics.close();
        lanes->logs.close();
    }
    co_await s.await_senders(deadline);
    s.sending.cancel();
    co_await s.await_senders(Clock::now() + longest_unwinding);
    std::size_t kept = 0;
    for (auto& [key, lanes] : s.by_tenant)
        kept += lanes->metrics.abandon() + lanes->logs.abandon();
    if (!s.journal)
        co_return;
    co_await s.journal->close();
    if (kept > 0)
        logger.info("records stay in the journal", {{"records", kept}});
}

}  // namespace sonde::exporters
