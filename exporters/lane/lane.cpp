#include "exporters/lane/lane.h"

#include "exporters/segment_format.h"
#include "exporters/wait.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sonde::exporters::lane {
namespace {

constexpr std::chrono::seconds unreadable_pause{5};
constexpr auto never = std::chrono::steady_clock::time_point::max();

Stored stored_of(const Record& record)
{
    return {record.sequence, record.timestamp_ms, record.run_of,
        static_cast<std::uint32_t>(record.block.body.size()), record.uncertain};
}

}  // namespace

Lane::Lane(const asio::any_io_executor& loop, const Parts& parts, Shared& shared, Type type)
    : parts_{parts}, shared_{shared}, type_{type}, counts_{parts.ledger.lane(shared.key, type)},
      report_{parts.metrics, shared.key, type},
      queue_{parts.config.max_queue_bytes, parts.config.max_queue_age}, pace_{parts.timings},
      live_way_{loop}, backlog_way_{loop},
      in_order_{parts.journal ? parts.journal->order(shared.key, type) : std::nullopt}
{}

void Lane::expect()
{
    ++counts_.accepted;
    show();
}

void Lane::add(Record record)
{
    for (const Record& old : queue_.expire(record.queued))
        lose(stored_of(old), GapReason::too_old);
    queue_.add(std::move(record));
    make_room();
    show();
    wake();
}

void Lane::recover(const Stored& stored)
{
    ++counts_.accepted;
    backlog_.add(stored);
    show();
    wake();
}

void Lane::dropped(const Waiting& what, GapReason reason)
{
    if (const auto stored = backlog_.remove(what.sequence)) {
        lose(*stored, reason);
        show();
        return;
    }
    queue_.off_disk(what.sequence);  // what memory has is sent all the same
    for (Way* way : {&live_way_, &backlog_way_})
        for (Records& part : way->parts)
            for (Record& record : part)
                if (record.sequence == what.sequence)
                    record.on_disk = false;
}

void Lane::close()
{
    closing_ = true;
    wake();
}

std::size_t Lane::abandon()
{
    abandoned_ = true;
    put_back(live_way_);
    put_back(backlog_way_);
    for (const Record& record : queue_.clear())
        if (record.on_disk)
            backlog_.add(stored_of(record));
        else
            lose(stored_of(record), GapReason::stopped);
    report_.end();
    show();
    return backlog_.size();
}

void Lane::reconfigure()
{
    queue_.set_bounds(parts_.config.max_queue_bytes, parts_.config.max_queue_age);
    make_room();
    show();
    wake();
}

asio::awaitable<void> Lane::send_live()
{
    for (;;) {
        while (!closing_ && live_due() > Clock::now())
            co_await wait(live_way_.wake, live_due());
        if (closing_ && !may_flush(Clock::now()))
            co_return;
        const auto remote = co_await destination();
        if (!remote || (!closing_ && live_due() > Clock::now()))
            continue;
        for (const Record& old : queue_.expire(Clock::now()))
            lose(stored_of(old), GapReason::too_old);
        Records records = queue_.take(parts_.config.request_bytes, pace_.most_records());
        if (!records.empty()) {
            live_way_.parts.push_back(std::move(records));
            co_await deliver(live_way_, *remote);
        }
        show();
        wake();
    }
}

asio::awaitable<void> Lane::send_backlog()
{
    for (;;) {
        while (!closing_ && backlog_due() > Clock::now())
            co_await wait(backlog_way_.wake, backlog_due());
        if (closing_)
            co_return;
        const auto remote = co_await destination();
        if (!remote || closing_ || backlog_due() > Clock::now())
            continue;
        co_await load();
        if (!backlog_way_.parts.empty())
            co_await deliver(backlog_way_, *remote);
        show();
        wake();
    }
}

/// When something live may be sent, as things stand; somebody wakes us when they change.
Lane::Clock::time_point Lane::live_due() const
{
    if (queue_.empty() || is_backlog_first())
        return never;
    if (pace_.failing() && !backlog_way_.parts.empty())
        return never;  // one try at a time
    auto when = std::max(shared_.paused_until, pace_.next_try());
    if (queue_.bytes() < parts_.config.request_bytes)
        when = std::max(when, queue_.oldest() + parts_.config.flush_every);
    return when;
}

Lane::Clock::time_point Lane::backlog_due() const
{
    if (backlog_.empty())
        return never;
    const bool is_live_first = !in_order_ && (!queue_.empty() || !live_way_.parts.empty());
    if (pace_.failing() && is_live_first)
        return never;
    return std::max({shared_.paused_until, pace_.next_try(), unreadable_until_});
}

bool Lane::may_flush(Clock::time_point now) const
{
    return !queue_.empty() && !failed_at_close_ && !is_backlog_first() &&
           shared_.paused_until <= now;
}

/// @return null when there is none now.
asio::awaitable<std::shared_ptr<const Remote>> Lane::destination()
{
    auto tenant = co_await parts_.tenants.tenant(shared_.key);
    if (!tenant) {
        report_.tenant_unknown(tenant.error().message);
        pace_.failed(Clock::now(), std::uniform_real_distribution{0.0, 1.0}(random_), false);
        failed_at_close_ = closing_;
        co_return nullptr;
    }
    const auto& remote = type_ == Type::metrics ? (*tenant)->metrics : (*tenant)->events;
    if (!remote) {
        nobody_wants_them();
        co_return nullptr;
    }
    remote_ = segment::crc32c(remote->url);
    if (in_order_ && *in_order_ != remote_)
        set_order(std::nullopt);
    co_return std::shared_ptr<const Remote>{*tenant, &*remote};
}

/// Outlives the process: the next one need not lose something to learn it.
void Lane::set_order(std::optional<std::uint32_t> remote)
{
    in_order_ = remote;
    parts_.journal->set_order(shared_.key, type_, remote);
    wake();  // it may be the turn of the other way
}

/// Reads the oldest of the backlog for one request.
asio::awaitable<void> Lane::load()
{
    const auto wanted = backlog_.oldest(parts_.config.request_bytes, pace_.most_records());
    std::vector<Settled> what;
    what.reserve(wanted.size());
    for (const Stored& stored : wanted)
        what.push_back({stored.sequence, type_});
    auto blocks = co_await parts_.journal->read(std::move(what));
    Records records;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Stored& stored = wanted[i];
        if (!blocks[i] && blocks[i].error().reason == "journal_io") {
            unreadable_until_ = Clock::now() + unreadable_pause;
            break;
        }
        if (!backlog_.remove(stored.sequence))
            continue;  // dropped meanwhile
        if (!blocks[i]) {
            settle(stored.sequence, true);
            lose(stored, GapReason::corrupted);
            continue;
        }
        Record record{stored.sequence, stored.run_of, stored.timestamp_ms, std::move(*blocks[i]),
            Clock::now(), true, stored.uncertain};
        records.push_back(std::move(record));
    }
    if (!records.empty())
        backlog_way_.parts.push_back(std::move(records));
}

/// Sends what is under way until all of it has its fate or the remote is not to be had.
asio::awaitable<void> Lane::deliver(Way& way, const Remote& remote)
{
    bool goes_on = true;
    while (goes_on && !way.parts.empty()) {
        const auto again = std::count_if(way.parts.front().begin(), way.parts.front().end(),
            [](const Record& record) { return record.uncertain; });
        report_.sent_again(static_cast<std::size_t>(again));
        net::HttpCall call = call_for(remote, join(way.parts.front()));
        const auto begun = Clock::now();
        const net::HttpAnswer answer = co_await parts_.client.send(std::move(call));
        if (abandoned_)
            co_return;
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
        goes_on = judge(way, answer, took) && shared_.paused_until <= Clock::now();
    }
    put_back(way);
}

net::HttpCall Lane::call_for(const Remote& remote, std::string body) const
{
    net::HttpCall call;
    call.url = remote.url;
    call.headers = {"Content-Type: application/x-protobuf", "Content-Encoding: snappy",
        "X-Prometheus-Remote-Write-Version: 0.1.0"};
    call.body = std::move(body);
    call.username = remote.username;
    call.password = remote.password.reveal();
    call.timeout = pace_.timeout(parts_.config.request_timeout);
    return call;
}

/// @return whether what else is under way may be sent now.
bool Lane::judge(Way& way, const net::HttpAnswer& answer, std::chrono::milliseconds took)
{
    const Outcome outcome = answer.bad_url ? Outcome::fatal : classify(answer.status, answer.body);
    report_.answered(answer.status);
    Records records = std::move(way.parts.front());
    way.parts.pop_front();
    if (outcome == Outcome::ok) {
        delivered(records);
        pace_.delivered(took, parts_.config.request_timeout);
        return true;
    }
    report_.not_accepted(answer, outcome, records.size());
    if (outcome == Outcome::payload || outcome == Outcome::limit) {
        refused(way, std::move(records), answer.body);
        return true;
    }
    keep(way, std::move(records), answer, outcome);
    return false;
}

void Lane::delivered(const Records& records)
{
    std::size_t bytes = 0;
    for (const Record& record : records) {
        bytes += record.block.body.size();
        settle(record.sequence, record.on_disk);
    }
    counts_.delivered += records.size();
    report_.delivered(records.size(), bytes);
    show();
}

/// Of several, each half is tried by itself: the remote says that something is wrong, not what.
void Lane::refused(Way& way, Records records, std::string_view said)
{
    const bool is_late = &way == &backlog_way_ && is_about_time(said);
    if (is_late && !in_order_) {
        set_order(remote_);
        report_.goes_in_order();
    }
    if (records.size() > 1) {
        const auto middle = records.begin() + static_cast<std::ptrdiff_t>(records.size() / 2);
        way.parts.emplace_front(
            std::make_move_iterator(middle), std::make_move_iterator(records.end()));
        records.erase(middle, records.end());
        way.parts.push_front(std::move(records));
        return;
    }
    pace_.refused();
    settle(records[0].sequence, records[0].on_disk);
    lose(stored_of(records[0]), GapReason::refused);
}

void Lane::keep(Way& way, Records records, const net::HttpAnswer& answer, Outcome outcome)
{
    failed_at_close_ = closing_;
    report_.kept(records.size());
    if (answer.status == 0 && !answer.bad_url && answer.sent)
        for (Record& record : records)
            record.uncertain = true;
    way.parts.push_front(std::move(records));
    rest(answer, outcome);
}

void Lane::rest(const net::HttpAnswer& answer, Outcome outcome)
{
    const auto now = Clock::now();
    switch (outcome) {
    case Outcome::wait:
        shared_.paused_until = now + rest_after_429(answer.retry_after, parts_.timings.after_429,
                                         parts_.timings.longest_429);
        pace_.told_to_wait(shared_.paused_until);
        break;
    case Outcome::tenant:
        pace_.rejected_credentials(now);
        parts_.tenants.suspect(shared_.key);
        break;
    case Outcome::fatal:
        if (answer.bad_url)
            report_.url_unusable();
        pace_.rejected_all(now);
        parts_.tenants.suspect(shared_.key);
        break;
    default:
        pace_.failed(now, std::uniform_real_distribution{0.0, 1.0}(random_),
            answer.status == 0 && answer.sent);
    }
}

/// What is under way waits again, each where it came from.
void Lane::put_back(Way& way)
{
    Records live;
    for (Records& part : std::exchange(way.parts, {}))
        for (Record& record : part)
            if (&way == &backlog_way_ && record.on_disk)
                backlog_.add(stored_of(record));
            else
                live.push_back(std::move(record));
    queue_.put_back(std::move(live));
    make_room();
}

void Lane::make_room()
{
    for (const Record& record : queue_.overflow())
        if (record.on_disk)
            backlog_.add(stored_of(record));
        else
            lose(stored_of(record), GapReason::memory_full);
}

void Lane::nobody_wants_them()
{
    const Records live = queue_.clear();
    for (const Record& record : live)
        settle(record.sequence, record.on_disk);
    const auto stored = backlog_.clear();
    for (const Stored& each : stored)
        settle(each.sequence, true);
    counts_.unwanted += live.size() + stored.size();
    show();
}

void Lane::settle(std::uint64_t sequence, bool on_disk)
{
    if (on_disk)
        parts_.journal->settle({sequence, type_});
}

/// The one place where records go without having arrived.
void Lane::lose(const Stored& what, GapReason reason)
{
    Gap gap;
    gap.check = what.run_of;
    gap.tenant = shared_.key;
    gap.from_ms = gap.to_ms = what.timestamp_ms;
    gap.runs = what.run_of ? 1 : 0;
    gap.samples = type_ == Type::metrics;
    gap.events = type_ == Type::logs;
    gap.reason = reason;
    const bool continues = parts_.ledger.lost(gap);
    if (parts_.journal != nullptr)
        parts_.journal->add(gap, continues);
    ++counts_.dropped;
    report_.lost(reason, what.timestamp_ms);
}

void Lane::show()
{
    Report::Waiting now;
    now.queued = counts_.waiting() - backlog_.size();
    now.queued_bytes = queue_.bytes();
    now.backlog = backlog_.size();
    now.backlog_bytes = backlog_.bytes();
    report_.waiting(now);
}

void Lane::wake()
{
    live_way_.wake.cancel();
    backlog_way_.wake.cancel();
}

}  // namespace sonde::exporters::lane
