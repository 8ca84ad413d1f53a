#pragma once

#include "agent/net/services.h"
#include "agent/net/task_group.h"
#include "config/agent_config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

namespace prometheus {
class Gauge;
}
namespace sonde::checkers {
struct Verdict;
}

namespace sonde::schedule {

namespace asio = boost::asio;

/// Whether a failure could be the fault of our own way out. What has failed inside this probe
/// (spec 02 §1.10, its settings, the agent) tells for itself; no route and no resolver are how a
/// lost network shows.
bool may_be_our_way_out(const checkers::Verdict& verdict);

/// Is it the target, or our own way out, that is down? Asks the canaries (spec 07 §4 `egress`), all
/// at once, when a run wants to know and the last answer is too old; all runs that wait share one
/// answer. Loop thread only.
class Egress {
public:
    /// `up` shows the last answer.
    Egress(const asio::any_io_executor& loop, net::Services& net,
        const config::EgressConfig& config, prometheus::Gauge& up);

    /// False: nobody is to be asked, and nothing is known.
    bool asks() const { return !config_->targets.empty(); }
    bool withholds_failures() const { return config_->withhold_failures; }

    /// Whether as many canaries answer as there must; true when nobody is to be asked.
    /// @throws system_error(operation_aborted) when cancelled, or stopped without an answer.
    asio::awaitable<bool> up();

    /// Other canaries, or another way to ask them; a question under way is answered as it was put.
    void reconfigure(const config::EgressConfig& config);
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    using Canary = config::EgressConfig::Canary;
    using Config = std::shared_ptr<const config::EgressConfig>;
    struct Question;

    std::shared_ptr<Question> ask();
    static asio::awaitable<void> ask_one(
        Egress& self, std::shared_ptr<Question> question, const Canary& canary);
    void count(Question& question, bool answered);
    void learn(bool up);

    asio::any_io_executor loop_;
    net::Services& net_;
    Config config_;
    prometheus::Gauge& shown_;
    bool up_ = true;
    Clock::time_point known_until_ = Clock::time_point::min();
    std::shared_ptr<Question> question_;  // null: none is under way
    bool stopped_ = false;
    net::TaskGroup tasks_;
};

}  // namespace sonde::schedule
