#include "agent/reload.h"

#include "agent/link/registration.h"
#include "agent/schedule/schedule.h"
#include "checkers/registry.h"
#include "config/judge_check.h"
#include "config/locate.h"
#include "config/reload.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <iterator>
#include <utility>

namespace sonde {
namespace {

constexpr std::chrono::milliseconds longest_turn{2};

/// The loop goes on with what else it has to do whenever this has had it for long enough.
class Turns {
public:
    asio::awaitable<void> give_way()
    {
        if (std::chrono::steady_clock::now() < end_)
            co_return;
        const auto loop = co_await asio::this_coro::executor;
        co_await asio::post(loop, asio::use_awaitable);
        end_ = std::chrono::steady_clock::now() + longest_turn;
    }

private:
    std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + longest_turn;
};

constexpr auto never = asio::steady_timer::time_point::max();

/// Until somebody cancels the timer. Several may wait for one.
asio::awaitable<void> cancelled(asio::steady_timer& timer)
{
    boost::system::error_code news;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, news));
}

/// Equal for a check that is the same, run as the same probe.
std::size_t mark_of(const pb::Check& check, const std::string& probe)
{
    return std::hash<std::string>{}(check.SerializeAsString() + probe);
}

std::vector<std::string> cannot_be_applied(const cli::RunCommand& command,
    const config::AgentConfig& running, const config::AgentConfig& wanted)
{
    auto problems = config::needs_restart(running, wanted);
    if (wanted.api && !wanted.api->embedded)
        if (const auto usable = link::check_token(wanted.api->token.reveal()); !usable)
            problems.push_back(usable.error().message);
    for (std::string& problem : problems)
        problem = config::located(command.config_file, command.options, problem);
    return problems;
}

}  // namespace

pb::Probe probe_of(const config::ProbeConfig& config)
{
    pb::Probe probe;
    probe.set_id(config.id);
    probe.set_name(config.name);
    probe.set_region(config.region);
    probe.set_latitude(static_cast<float>(config.latitude));
    probe.set_longitude(static_cast<float>(config.longitude));
    for (const auto& [name, value] : config.labels) {
        auto* label = probe.add_labels();
        label->set_name(name);
        label->set_value(value);
    }
    return probe;
}

WantedChecks take_checks(config::AgentConfig& config)
{
    return {std::make_shared<const pb::Probe>(probe_of(config.probe)),
        std::exchange(config.checks, {})};
}

asio::awaitable<void> LocalChecks::apply(const WantedChecks& wanted, schedule::Schedule& schedule)
{
    const std::string probe = wanted.probe->SerializeAsString();
    Turns turns;
    Marks before = std::exchange(known_, {});
    for (const pb::Check& check : wanted.checks) {
        const auto mark = known_[check.id()] = mark_of(check, probe);
        const auto known = before.find(check.id());
        if (known == before.end() || known->second != mark)
            schedule.put(schedule::Origin::file, check, wanted.probe);
        if (known != before.end())
            before.erase(known);
        co_await turns.give_way();
    }
    for (const auto& [id, mark] : before) {
        schedule.remove({schedule::Origin::file, id});
        co_await turns.give_way();
    }
}

Reread read_again(const cli::RunCommand& command, const config::AgentConfig& running)
{
    auto loaded =
        config::load_agent_config(command.config_file, command.options, checkers::validate);
    Reread read;
    read.config = std::move(loaded.config);
    read.warnings = std::move(loaded.warnings);
    read.problems = std::move(loaded.problems);
    read.checks = take_checks(read.config);
    if (!read.problems.empty())
        return read;
    if (command.without_state)
        give_up_state(read.config);
    read.problems = cannot_be_applied(command, running, read.config);
    return read;
}

struct Reloads::Order {
    explicit Order(const asio::any_io_executor& loop) : done{loop, never} {}

    Problems problems;
    bool over = false;
    asio::steady_timer done;  // cancelled then
};

Reloads::Reloads(const asio::any_io_executor& loop, Reload reload)
    : loop_{loop}, reload_{std::move(reload)}, ordered_{loop, never}
{}

void Reloads::order()
{
    if (!next_)
        next_ = std::make_shared<Order>(loop_);
    ordered_.cancel();
}

asio::awaitable<Reloads::Problems> Reloads::order_and_await()
{
    order();
    const auto mine = next_;
    while (!mine->over)
        co_await cancelled(mine->done);
    co_return mine->problems;
}

asio::awaitable<void> Reloads::run()
{
    for (;;) {
        while (!next_)
            co_await cancelled(ordered_);
        const auto order = std::exchange(next_, nullptr);
        order->problems = co_await reload_();
        order->over = true;
        order->done.cancel();
    }
}

void give_up_state(config::AgentConfig& config)
{
    config.journal.enabled = false;
    if (config.api)
        config.api->state_file.clear();
}

}  // namespace sonde
