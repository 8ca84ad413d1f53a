#pragma once

#include "agent/base/backoff.h"
#include "agent/net/http_client.h"
#include "config/agent_config.h"
#include "exporters/delivery.h"
#include "exporters/metrics.h"
#include "exporters/queue.h"
#include "exporters/record_type.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace sonde::exporters {

/// Times of spec 03 §4.8; tests have shorter ones.
struct Timings {
    std::chrono::milliseconds after_429{60'000};
    std::chrono::milliseconds after_401{10'000};
    std::chrono::milliseconds after_fatal{900'000};
    std::chrono::milliseconds first_backoff{50};
    std::chrono::milliseconds longest_backoff{30'000};
    int retries = 50;  ///< in a row; the next failure gives the batch up
};

/// What the two senders of a tenant share: a pause of one is a pause of both.
struct TenantState {
    using Time = std::chrono::steady_clock::time_point;

    TenantKey key;
    Time paused_until = Time::min();
    Time discarded_until = Time::min();
};

/// Brings one tenant's records of one type to its remote, in order, one request at a time.
/// Loop thread only.
class Sender {
public:
    struct Parts {
        net::HttpClient& client;
        TenantSource& tenants;
        const config::PublisherConfig& config;
        const Timings& timings;
        Metrics& metrics;
    };

    Sender(const asio::any_io_executor& loop, Parts parts, TenantState& shared, Type type);

    void add(std::string_view raw);

    /// Sends for ever, or once told to close until the queue is empty or a request fails.
    asio::awaitable<void> run();
    void close();

    /// Everything unsent goes, counted and logged with `why`.
    void abandon(std::string_view why);

    bool idle() const { return queue_.empty() && in_flight_ == 0; }

private:
    using Clock = std::chrono::steady_clock;

    asio::awaitable<void> await_work();
    asio::awaitable<void> rest_until(Clock::time_point until);
    asio::awaitable<void> send_batch(std::vector<Record> batch);
    net::HttpCall call_for(const Remote& remote, std::string body) const;
    void handle(Outcome outcome, const net::HttpAnswer& answer, std::vector<Record> batch);
    void retry(std::vector<Record> batch);
    void lose(std::size_t records, std::string_view why);
    void show_queue();
    prometheus::Labels labels() const;
    prometheus::Labels labels(std::string_view name, std::string value) const;

    Parts parts_;
    TenantState& shared_;
    Type type_;
    Queue queue_;
    std::size_t in_flight_ = 0;  // records in the request now under way
    int failures_ = 0;           // in a row
    Backoff backoff_;
    asio::steady_timer wake_;
    prometheus::Gauge* queued_ = nullptr;
    prometheus::Gauge* queued_bytes_ = nullptr;
    bool closing_ = false;
    bool failed_at_close_ = false;
    std::size_t unlogged_ = 0;  // lost since the last line about it
    Clock::time_point logged_ = Clock::time_point::min();
};

}  // namespace sonde::exporters
