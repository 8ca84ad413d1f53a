#include "exporters/publisher.h"

#include "agent/net/task_group.h"
#include "exporters/loki.h"
#include "exporters/remote_write.h"
#include "exporters/sender.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <map>

namespace sonde::exporters {

struct Publisher::State {
    struct Tenant {
        Tenant(const asio::any_io_executor& loop, const Sender::Parts& parts, TenantKey key)
            : shared{key}, metrics{loop, parts, shared, Type::metrics},
              logs{loop, parts, shared, Type::logs}
        {}
        TenantState shared;
        Sender metrics;
        Sender logs;
    };

    State(const asio::any_io_executor& its_loop, net::HttpClient& its_client,
        TenantSource& its_tenants, const config::PublisherConfig& its_config,
        const Timings& its_timings, prometheus::Registry& registry)
        : loop{its_loop}, client{its_client}, tenants{its_tenants}, config{its_config},
          timings{its_timings}, metrics{registry}, tasks{its_loop}, all_sent{its_loop}
    {}

    Tenant& tenant(TenantKey key)
    {
        auto& found = senders[key];
        if (!found) {
            const Sender::Parts parts{client, tenants, config, timings, metrics};
            found = std::make_unique<Tenant>(loop, parts, key);
            metrics.handlers.Increment();
            tasks.spawn(send(found->metrics));
            tasks.spawn(send(found->logs));
        }
        return *found;
    }

    asio::awaitable<void> send(Sender& sender)
    {
        ++sending;
        co_await sender.run();
        if (--sending == 0)
            all_sent.cancel();
    }

    asio::any_io_executor loop;
    net::HttpClient& client;
    TenantSource& tenants;
    const config::PublisherConfig config;
    const Timings timings;
    Metrics metrics;
    std::map<TenantKey, std::unique_ptr<Tenant>> senders;
    std::map<CheckKey, std::int64_t> last_runs;
    net::TaskGroup tasks;
    asio::steady_timer all_sent;
    std::size_t sending = 0;
};

Publisher::Publisher(const asio::any_io_executor& loop, net::HttpClient& client,
    TenantSource& tenants, const config::PublisherConfig& config, prometheus::Registry& registry,
    const Timings& timings)
    : state_{std::make_unique<State>(loop, client, tenants, config, timings, registry)}
{}

Publisher::~Publisher() = default;

void Publisher::publish(Payload payload)
{
    State::Tenant& tenant = state_->tenant(payload.tenant);
    if (!payload.values.empty())
        tenant.metrics.add(encode_series(payload));
    if (payload.logs)
        tenant.logs.add(encode_stream(*payload.logs));
}

void Publisher::record(const Gap& gap)
{
    if (gap.check)
        state_->last_runs[*gap.check] = gap.to_ms;
}

std::optional<std::int64_t> Publisher::last_run(CheckKey check) const
{
    const auto found = state_->last_runs.find(check);
    return found == state_->last_runs.end() ? std::nullopt : std::optional{found->second};
}

asio::awaitable<void> Publisher::shut_down(std::chrono::steady_clock::time_point deadline)
{
    State& s = *state_;
    for (auto& [key, tenant] : s.senders) {
        tenant->metrics.close();
        tenant->logs.close();
    }
    s.all_sent.expires_at(deadline);
    boost::system::error_code woken;
    if (s.sending > 0)
        co_await s.all_sent.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    s.tasks.cancel();
    for (auto& [key, tenant] : s.senders) {
        tenant->metrics.abandon("the process ends");
        tenant->logs.abandon("the process ends");
    }
}

}  // namespace sonde::exporters
