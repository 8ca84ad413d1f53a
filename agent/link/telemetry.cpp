#include "agent/link/telemetry.h"

#include "agent/base/log.h"
#include "agent/base/stopwatch.h"
#include "agent/link/grpc_call.h"
#include "agent/link/metrics.h"
#include "agent/link/tenants.h"
#include "agent/net/task_group.h"
#include "agent/schedule/publish.h"
#include "config/ids.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
using std::chrono::milliseconds;

constexpr double sampled_seconds = 60;

using CostLabels = std::vector<std::pair<std::string, std::string>>;

/// The values of a check for the names a tenant wants, in their order.
CostLabels cost_labels(const pb::Check& check, const std::vector<std::string>& names)
{
    CostLabels out;
    for (const std::string& name : names) {
        const auto found = std::find_if(check.labels().begin(), check.labels().end(),
            [&](const pb::Label& label) { return label.name() == name; });
        out.emplace_back(name, found == check.labels().end() ? "__MISSING__" : found->value());
    }
    return out;
}

struct Subject {
    std::int64_t tenant;  ///< local
    pb::CheckClass check_class;
    CostLabels labels;

    auto operator<=>(const Subject&) const = default;
};

/// Since the process began.
struct Figures {
    std::int64_t executions = 0;
    double seconds = 0;
    std::int64_t sampled = 0;
};

/// The schema has 32 bits.
std::int32_t narrowed(std::int64_t count)
{
    return static_cast<std::int32_t>(
        std::min<std::int64_t>(count, std::numeric_limits<std::int32_t>::max()));
}

prometheus::Histogram::BucketBoundaries exponential(double first, double last)
{
    constexpr int count = 10;
    prometheus::Histogram::BucketBoundaries out;
    for (int i = 0; i < count; ++i)
        out.push_back(first * std::pow(last / first, static_cast<double>(i) / (count - 1)));
    return out;
}

struct Region {
    Region(std::int64_t its_id, const std::string& instance, TelemetryMetrics& metrics)
        : id{its_id}, labels{{"region_id", std::to_string(its_id)}, {"agent_instance", instance}},
          active{metrics.active.Add(labels)},
          seconds{metrics.seconds.Add(labels, exponential(0.01, 2))},
          total{metrics.total.Add(labels)}, errors{metrics.errors.Add(labels)},
          adding_seconds{metrics.adding_seconds.Add(labels, exponential(1e-5, 0.2))}
    {}

    const std::int64_t id;
    const prometheus::Labels labels;
    prometheus::Gauge& active;
    prometheus::Histogram& seconds;
    prometheus::Counter& total;
    prometheus::Counter& errors;
    prometheus::Histogram& adding_seconds;
    std::map<Subject, Figures> figures;
};

pb::RegionTelemetry to_wire(const Region& region, const std::string& instance)
{
    pb::RegionTelemetry out;
    out.set_instance(instance);
    out.set_regionid(static_cast<std::int32_t>(region.id));
    pb::TenantTelemetry* tenant = nullptr;
    for (const auto& [subject, figures] : region.figures) {  // in the order of tenants
        if (!tenant || tenant->tenantid() != subject.tenant) {
            tenant = out.add_telemetry();
            tenant->set_tenantid(subject.tenant);
        }
        auto* row = tenant->add_telemetry();
        row->set_checkclass(subject.check_class);
        row->set_executions(narrowed(figures.executions));
        row->set_duration(static_cast<float>(figures.seconds));
        row->set_sampledexecutions(narrowed(figures.sampled));
        for (const auto& [name, value] : subject.labels) {
            auto* label = row->add_costattributionlabels();
            label->set_name(name);
            label->set_value(value);
        }
    }
    return out;
}

}  // namespace

struct Telemetry::State {
    State(const asio::any_io_executor& its_loop, std::shared_ptr<grpc::Channel> its_channel,
        std::string its_token, const Tenants& its_tenants, prometheus::Registry& registry,
        milliseconds its_period, const Timings& its_timings)
        : loop{its_loop}, channel{std::move(its_channel)}, token{std::move(its_token)},
          tenants{its_tenants}, metrics{registry}, every{its_period}, timings{its_timings},
          tasks{its_loop}
    {}

    Region& region(std::int64_t id);
    asio::awaitable<void> push_for_ever(std::reference_wrapper<Region> region);
    asio::awaitable<void> push(Region& region, milliseconds limit);
    void judge(Region& region, const grpc::Status& status, const pb::Status& answer);

    asio::any_io_executor loop;
    std::shared_ptr<grpc::Channel> channel;
    std::string token;
    const Tenants& tenants;
    TelemetryMetrics metrics;
    milliseconds every;
    Timings timings;
    const std::string instance = schedule::new_execution_id();  ///< any random UUID
    std::mt19937 random{std::random_device{}()};
    bool absent = false;  ///< the API does not offer this; said once
    bool stopped = false;
    std::map<std::int64_t, Region> regions;
    net::TaskGroup tasks;
};

Telemetry::Telemetry(const asio::any_io_executor& loop, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, const Tenants& tenants, prometheus::Registry& registry,
    milliseconds every, const Timings& timings)
    : state_{std::make_unique<State>(
          loop, std::move(channel), token.reveal(), tenants, registry, every, timings)}
{}

Telemetry::~Telemetry() = default;

void Telemetry::set_token(const config::Secret& token)
{
    state_->token = token.reveal();
}

void Telemetry::completed(const pb::Check& check, exporters::TenantKey tenant, double seconds)
{
    State& s = *state_;
    if (tenant.origin != exporters::Origin::api || s.stopped)
        return;
    const Stopwatch adding;
    Region& region = s.region(config::split_id(check.id()).region);
    Subject subject{config::split_id(check.tenantid()).local, class_of(check.settings()),
        cost_labels(check, s.tenants.cost_labels(tenant))};
    Figures& figures = region.figures[std::move(subject)];
    ++figures.executions;
    figures.seconds += seconds;
    figures.sampled += static_cast<std::int64_t>(std::ceil(seconds / sampled_seconds));
    region.adding_seconds.Observe(adding.seconds());
}

asio::awaitable<void> Telemetry::push_last(milliseconds limit)
{
    State& s = *state_;
    if (std::exchange(s.stopped, true))
        co_return;
    s.tasks.cancel();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (auto& [id, region] : s.regions) {
        const auto left =
            std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (s.absent || left <= milliseconds{0})
            break;
        co_await s.push(region, left);
    }
}

Region& Telemetry::State::region(std::int64_t id)
{
    const auto found = regions.find(id);
    if (found != regions.end())
        return found->second;
    Region& made = regions.try_emplace(id, id, instance, metrics).first->second;
    tasks.spawn(push_for_ever(made));
    return made;
}

/// The period is drawn once, so that agents that were started together do not push together.
asio::awaitable<void> Telemetry::State::push_for_ever(std::reference_wrapper<Region> region)
{
    const auto steps = std::uniform_int_distribution{0, 59}(random);
    const milliseconds period = every + steps * timings.telemetry_step;
    asio::steady_timer timer{loop};
    for (;;) {
        timer.expires_after(absent ? std::max(period, timings.service_retry) : period);
        co_await timer.async_wait(asio::use_awaitable);
        co_await push(region, timings.answer_limit);
    }
}

asio::awaitable<void> Telemetry::State::push(Region& region, milliseconds limit)
{
    using Call = GrpcCall<pb::RegionTelemetry, pb::PushTelemetryResponse>;
    struct Active {
        prometheus::Gauge& gauge;
        explicit Active(prometheus::Gauge& its_gauge) : gauge{its_gauge} { gauge.Increment(); }
        ~Active() { gauge.Decrement(); }
    } const active{region.active};
    region.total.Increment();
    const Stopwatch pushing;
    const auto call = std::make_shared<Call>(loop, token, limit);
    call->request = to_wire(region, instance);
    const grpc::Status status =
        co_await finish(channel, "/synthetic_monitoring.Telemetry/PushTelemetry", call);
    region.seconds.Observe(pushing.seconds());
    judge(region, status, call->response.status());
}

/// An answer without a status says OK: some servers leave out what is all zeros (spec 01 §14).
void Telemetry::State::judge(Region& region, const grpc::Status& status, const pb::Status& answer)
{
    const bool offered = status.error_code() != grpc::StatusCode::UNIMPLEMENTED;
    const bool told_before = std::exchange(absent, !offered);
    if (status.ok() && answer.code() == pb::OK)
        return;
    region.errors.Increment();
    if (offered || !told_before)
        logger.warning(offered ? "the API did not accept telemetry" : "the API takes no telemetry",
            {{"region", region.id}, {"grpc_code", static_cast<int>(status.error_code())},
                {"status", static_cast<int>(answer.code())},
                {"why", status.ok() ? answer.message() : status.error_message()}});
}

pb::CheckClass class_of(const pb::CheckSettings& settings)
{
    if (settings.has_browser())
        return pb::BROWSER;
    if (settings.has_scripted() || settings.has_multihttp())
        return pb::SCRIPTED;
    return pb::PROTOCOL;
}

}  // namespace sonde::link
