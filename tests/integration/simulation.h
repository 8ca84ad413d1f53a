#pragma once

#include "agent/net/http_client.h"
#include "agent/net/http_server.h"
#include "agent/schedule/results.h"
#include "exporters/publisher.h"
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/agent/schedule/schedule_fixture.h"

#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::tests {

/// Schedule, journal and lanes as the daemon puts them together, on clocks that a test moves, with
/// a remote that counts. Checks connect to a port where nobody listens: each run is a real one.
class Simulation : private NetFixture, private exporters::TenantSource, private schedule::Results {
public:
    static constexpr std::chrono::seconds period{60};
    static constexpr std::chrono::seconds tick{15};  ///< how far the clocks go at a time

    explicit Simulation(std::size_t checks);
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    config::PublisherConfig publisher;  ///< before start()
    void start();
    void end();

    void go_down();  ///< connections are refused from now on
    void come_up();  ///< what was due before this moment is old from now on

    /// Lets time pass; all runs that come due meanwhile are told to the publisher.
    void pass(std::chrono::seconds time);
    void set_wall_clock(std::chrono::seconds ahead) { clocks_.wall += ahead; }
    void await_live();      ///< nothing that is not old is still to arrive
    void await_delivery();  ///< nothing is
    bool has_old() const { return waiting() > 0; }

    /// By check and due time.
    using Runs = std::map<std::pair<std::int64_t, std::int64_t>, int>;
    const Runs& published() const { return published_; }
    const Runs& arrived() const { return arrived_; }
    std::uint64_t missing() const { return missing_; }

    struct Figures {
        std::size_t requests = 0;  ///< with samples
        std::size_t old_requests = 0;
        /// Most old ones between a run that is not old and its arrival: for those of the first
        /// period, which come after what memory holds, and for all after it.
        std::size_t behind_at_first = 0;
        std::size_t behind = 0;
        std::optional<std::chrono::seconds> first_live;  ///< after the remote came up
    };
    const Figures& figures() const { return figures_; }
    double metric(std::string_view name) const;

private:
    void publish(exporters::Payload payload) override;
    void record(const exporters::Gap& gap) override { missing_ += gap.runs; }
    std::optional<std::int64_t> last_run(exporters::CheckKey check) const override;

    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey key) override;
    void suspect(exporters::TenantKey /*key*/) override {}

    asio::awaitable<void> open(bool& done);
    asio::awaitable<void> shut_down(bool& done);
    asio::awaitable<net::HttpReply> take(const net::HttpRequest& request);
    void take(std::int64_t check, std::int64_t due_ms);
    void until(const std::function<bool()>& happened);
    double waiting() const;
    std::int64_t now_ms() const { return schedule::to_ms(schedule::Time{clocks_.wall}); }

    std::size_t checks_;
    ScratchFolder folder_;
    TestClocks clocks_;
    asio::thread_pool workers_{1};
    net::HttpClient client_{curl, {"", "", false}};
    config::JournalConfig journal_;
    prometheus::Registry registry_;
    net::TaskGroup tasks_{loop.get_executor()};
    std::list<net::HttpServer> servers_;  // the last one serves, the others end in peace
    std::uint16_t port_ = tests::free_port();
    std::unique_ptr<exporters::Publisher> to_;
    std::unique_ptr<schedule::Results> books_;
    std::unique_ptr<schedule::Schedule> schedule_;

    Runs published_;
    Runs arrived_;
    std::size_t live_published_ = 0;
    std::size_t live_arrived_ = 0;
    std::uint64_t missing_ = 0;
    std::optional<std::int64_t> up_since_ms_;
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t>
        old_before_;  // live runs under way
    Figures figures_;
};

}  // namespace sonde::tests
