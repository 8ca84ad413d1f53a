#pragma once

#include "agent/cli/cli.h"
#include "config/agent_config.h"
#include "config/schema.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace sonde::schedule {
class Schedule;
}

namespace sonde {

namespace asio = boost::asio;

/// The checks of the file as they are to be on schedule.
struct WantedChecks {
    std::shared_ptr<const pb::Probe> probe;
    std::vector<pb::Check> checks;
};

/// This probe as it describes itself, where the API does not.
pb::Probe probe_of(const config::ProbeConfig& config);

/// Takes the checks out of the options. Any thread.
WantedChecks take_checks(config::AgentConfig& config);

/// Brings the checks of the file on schedule in line with what the file says now. Loop thread only.
class LocalChecks {
public:
    /// Those that are the same go on undisturbed. Runs that come due meanwhile are on time: the
    /// loop gets its turn every few milliseconds.
    asio::awaitable<void> apply(const WantedChecks& wanted, schedule::Schedule& schedule);

private:
    using Marks = std::unordered_map<std::int64_t, std::size_t>;  // by id: of check and probe

    Marks known_;
};

/// What the file says now, or what is wrong with it.
struct Reread {
    config::AgentConfig config;  ///< without its checks
    WantedChecks checks;
    std::vector<std::string> warnings;
    std::vector<std::string> problems;  ///< "FILE:LINE: KEY: what"; any: nothing is to be applied
};

/// The same as at start, and what cannot be changed while the process runs is a problem (spec 07
/// §9). Blocks: 50 000 checks take seconds.
/// @param running the options in force, checks left aside.
Reread read_again(const cli::RunCommand& command, const config::AgentConfig& running);

/// Carries out reloads one after the other, whoever asks for them. Loop thread only.
class Reloads {
public:
    using Problems = std::vector<std::string>;  ///< what kept the options from being applied
    using Reload = std::function<asio::awaitable<Problems>()>;

    Reloads(const asio::any_io_executor& loop, Reload reload);

    /// One that is ordered and not begun yet will read what is in the file now: it serves for this,
    /// too.
    void order();
    /// Who awaits it may go away; the reload goes on.
    asio::awaitable<Problems> order_and_await();

    asio::awaitable<void> run();  ///< until cancelled

private:
    struct Order;

    asio::any_io_executor loop_;
    Reload reload_;
    std::shared_ptr<Order> next_;  // null: none is ordered
    asio::steady_timer ordered_;   // cancelled when one is
};

/// For a process that runs on without a folder for its state: none was asked for, none can be made.
void give_up_state(config::AgentConfig& config);

}  // namespace sonde
