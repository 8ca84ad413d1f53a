#pragma once

#include "agent/net/http_client.h"
#include "config/agent_config.h"
#include "exporters/delivery.h"
#include "exporters/journal_writer.h"
#include "exporters/lane/backlog.h"
#include "exporters/lane/pace.h"
#include "exporters/lane/queue.h"
#include "exporters/lane/report.h"
#include "exporters/ledger.h"
#include "exporters/metrics.h"
#include "exporters/record_type.h"
#include "exporters/tenant_source.h"
#include "exporters/timings.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>

namespace sonde::exporters::lane {

/// What the two lanes of a tenant share: told to slow down, both rest.
struct Shared {
    TenantKey key;
    std::chrono::steady_clock::time_point paused_until{};
};

/// Brings one tenant's records of one type to its remote. New ones are live: in memory, in order,
/// one request at a time. Those that only the disk has are the backlog, sent beside them, one
/// request at a time, while the remote takes what is live. Nothing is given up that the remote may
/// still take; the limits decide what has to go, and each of it leaves a gap. Loop thread only.
class Lane {
public:
    struct Parts {
        net::HttpClient& client;
        TenantSource& tenants;
        const config::PublisherConfig& config;
        const Timings& timings;
        Metrics& metrics;
        Ledger& ledger;
        JournalWriter* journal;  ///< null: memory only
    };

    Lane(const asio::any_io_executor& loop, const Parts& parts, Shared& shared, Type type);

    void expect();            ///< a record is published and will be added
    void add(Record record);  ///< it may be sent
    void recover(const Stored& stored);
    void dropped(const Waiting& what, GapReason reason);  ///< by the journal

    /// Sends for ever; once told to close until nothing is live or a request fails.
    asio::awaitable<void> send_live();
    /// Sends for ever; ends with the request under way once told to close.
    asio::awaitable<void> send_backlog();
    void close();

    /// Both have ended: what is in memory alone is lost. @return how much the disk keeps.
    std::size_t abandon();

    void reconfigure();  ///< the configuration has changed

private:
    using Clock = std::chrono::steady_clock;

    /// One of the two ways: what is under way on it, in parts, and who waits to go on.
    struct Way {
        explicit Way(const asio::any_io_executor& loop) : wake{loop} {}
        std::deque<Records> parts;
        asio::steady_timer wake;
    };

    Clock::time_point live_due() const;
    Clock::time_point backlog_due() const;
    bool may_flush(Clock::time_point now) const;
    bool is_backlog_first() const { return in_order_.has_value() && has_backlog(); }
    bool has_backlog() const { return !backlog_.empty() || !backlog_way_.parts.empty(); }

    asio::awaitable<std::shared_ptr<const Remote>> destination();
    void set_order(std::optional<std::uint32_t> remote);
    asio::awaitable<void> load();
    asio::awaitable<void> deliver(Way& way, const Remote& remote);
    net::HttpCall call_for(const Remote& remote, std::string body) const;
    bool judge(Way& way, const net::HttpAnswer& answer, std::chrono::milliseconds took);
    void delivered(const Records& records);
    void refused(Way& way, Records records, std::string_view said);
    void keep(Way& way, Records records, const net::HttpAnswer& answer, Outcome outcome);
    void rest(const net::HttpAnswer& answer, Outcome outcome);
    void put_back(Way& way);
    void make_room();
    void nobody_wants_them();
    void settle(std::uint64_t sequence, bool on_disk);
    void lose(const Stored& what, GapReason reason);
    void show();
    void wake();

    Parts parts_;
    Shared& shared_;
    Type type_;
    Ledger::Counts& counts_;
    Report report_;
    Queue queue_;
    Backlog backlog_;
    Pace pace_;
    Way live_way_;
    Way backlog_way_;
    Clock::time_point unreadable_until_{};   // the disk did not give the backlog
    std::uint32_t remote_ = 0;               // CRC-32C of its URL
    std::optional<std::uint32_t> in_order_;  // such a remote takes nothing older than what it has
    bool closing_ = false;
    bool failed_at_close_ = false;
    bool abandoned_ = false;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace sonde::exporters::lane
