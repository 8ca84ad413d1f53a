#include "agent/link/tenants.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/link/grpc_call.h"
#include "agent/link/state_file.h"
#include "agent/net/task_group.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <grpcpp/channel.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
using Clock = std::chrono::steady_clock;
using exporters::Tenant;
using exporters::TenantKey;
using namespace std::chrono_literals;

std::optional<exporters::Remote> to_remote(const pb::RemoteInfo& wire)
{
    if (wire.url().empty())
        return std::nullopt;
    return exporters::Remote{wire.url() + "/push", wire.username(),
        config::Secret{std::string{text::trim(wire.password())}}};
}

/// One without URL or token is as good as absent: asking for another would go on for ever.
bool has_secrets(const pb::Tenant& wire)
{
    return !wire.secretstore().url().empty() && !wire.secretstore().token().empty();
}

Tenant to_tenant(const pb::Tenant& wire)
{
    Tenant tenant;
    tenant.metrics = to_remote(wire.metricsremote());
    tenant.events = to_remote(wire.eventsremote());
    tenant.label_mode = wire.label_mode();
    if (wire.has_limits()) {
        tenant.max_metric_labels = wire.limits().maxmetriclabels();
        tenant.max_log_labels = wire.limits().maxloglabels();
    }
    if (has_secrets(wire))
        tenant.secrets = exporters::SecretStore{
            wire.secretstore().url(), config::Secret{wire.secretstore().token()}};
    return tenant;
}

std::optional<exporters::Remote> to_remote(const config::RemoteConfig& config)
{
    if (config.push_url.empty())
        return std::nullopt;
    return exporters::Remote{config.push_url, config.username, config.password};
}

Tenant to_tenant(const config::TenantConfig& config)
{
    Tenant tenant;
    tenant.metrics = to_remote(config.metrics);
    tenant.events = to_remote(config.events);
    tenant.label_mode = config.label_mode;
    tenant.max_metric_labels = config.max_metric_labels;
    tenant.max_log_labels = config.max_log_labels;
    return tenant;
}

/// Until the token for the secrets expires; nullopt when that is not known. At most some years, so
/// that it can be reckoned with.
std::optional<std::chrono::duration<double>> seconds_left(const pb::Tenant& wire)
{
    const double expiry = wire.secretstore().expiry();
    if (!has_secrets(wire) || !(expiry > 0))
        return std::nullopt;
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    constexpr double years = 1e8;
    return std::chrono::duration<double>{std::clamp(expiry - now.count(), -years, years)};
}

std::vector<std::string> cost_labels_of(const pb::Tenant& wire)
{
    const std::set<std::string> names{
        wire.costattributionlabels().begin(), wire.costattributionlabels().end()};
    return {names.begin(), names.end()};
}

std::map<std::int64_t, std::shared_ptr<const Tenant>> to_tenants(
    const std::vector<config::TenantConfig>& of_file)
{
    std::map<std::int64_t, std::shared_ptr<const Tenant>> out;
    for (const config::TenantConfig& tenant : of_file)
        out[tenant.id] = std::make_shared<const Tenant>(to_tenant(tenant));
    return out;
}

}  // namespace

struct Tenants::State {
    struct Entry {
        explicit Entry(const asio::any_io_executor& loop) : news{loop, Clock::time_point::max()} {}

        /// A copy is at hand; or the API is to be asked first, and has not failed to answer.
        bool is_usable() const { return tenant && (unanswered || Clock::now() < trusted_until); }

        std::shared_ptr<const Tenant> tenant;  // null: never known
        std::vector<std::string> cost_labels;
        double modified = 0;
        Clock::time_point fresh_until;
        Clock::time_point trusted_until = Clock::time_point::max();  // of no use after it
        bool unanswered = false;  // the last time the API was asked
        bool recalled = false;    // of before the start
        bool fetching = false;
        asio::steady_timer news;  // cancelled when there is something to look at
        Error why{"tenant", "has not been asked for"};
    };

    /// Marks an entry as asked for, even when the coroutine that has it never gets to run.
    struct Fetching {
        explicit Fetching(std::shared_ptr<Entry> its_entry) : entry{std::move(its_entry)}
        {
            entry->fetching = true;
        }
        ~Fetching()
        {
            entry->fetching = false;
            entry->news.cancel();
        }
        Fetching(const Fetching&) = delete;
        Fetching& operator=(const Fetching&) = delete;

        const std::shared_ptr<Entry> entry;
    };

    State(const asio::any_io_executor& its_loop, std::shared_ptr<grpc::Channel> its_channel,
        std::string its_token, const Timings& its_timings)
        : loop{its_loop}, channel{std::move(its_channel)}, token{std::move(its_token)},
          timings{its_timings}, tasks{its_loop}
    {}

    std::shared_ptr<Entry> entry(std::int64_t id)
    {
        auto& found = entries[id];
        if (!found)
            found = std::make_shared<Entry>(loop);
        return found;
    }

    void keep(std::int64_t id, Entry& into, const pb::Tenant& wire);
    Clock::duration validity(const pb::Tenant& wire);

    /// Unless it is under way.
    void begin_fetch(std::int64_t id, const std::shared_ptr<Entry>& into)
    {
        if (!into->fetching)
            tasks.spawn(fetch(id, std::make_unique<Fetching>(into)));
    }
    asio::awaitable<void> fetch(std::int64_t id, std::unique_ptr<Fetching> mark);

    asio::any_io_executor loop;
    std::shared_ptr<grpc::Channel> channel;
    std::string token;
    Timings timings;
    std::map<std::int64_t, std::shared_ptr<const Tenant>> of_file;
    std::map<std::int64_t, std::shared_ptr<Entry>> entries;
    StateFile* file = nullptr;
    std::mt19937 random{std::random_device{}()};
    net::TaskGroup tasks;
};

void Tenants::State::keep(std::int64_t id, Entry& into, const pb::Tenant& wire)
{
    into.tenant = std::make_shared<const Tenant>(to_tenant(wire));
    into.cost_labels = cost_labels_of(wire);
    into.modified = wire.modified();
    into.unanswered = false;
    const auto now = Clock::now();
    into.fresh_until = now + validity(wire);
    into.trusted_until = Clock::time_point::max();
    into.recalled = false;
    if (const auto left = seconds_left(wire); left && *left > 0s)
        into.trusted_until = now + std::chrono::ceil<std::chrono::milliseconds>(*left);
    if (!file)
        return;
    pb::Tenant kept = wire;
    kept.set_id(id);
    file->keep(kept);
}

/// Spec 01 §9.1. A token that has expired on arrival would be asked for at every run, for nothing
/// where it is the clocks that differ: a little time must pass.
Clock::duration Tenants::State::validity(const pb::Tenant& wire)
{
    const auto left = seconds_left(wire);
    if (!left) {
        std::uniform_int_distribution<std::int64_t> jitter{0, timings.tenant_jitter.count()};
        return timings.tenant_valid + std::chrono::milliseconds{jitter(random)};
    }
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(*left);
    if (whole < 0ms)
        return timings.tenant_retry;
    if (whole < timings.secrets_margin)
        return whole;
    return std::min(whole - timings.secrets_margin, timings.tenant_valid);
}

Tenants::Tenants(const asio::any_io_executor& loop,
    const std::vector<config::TenantConfig>& of_file, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token, const Timings& timings)
    : state_{std::make_unique<State>(loop, std::move(channel), token.reveal(), timings)}
{
    state_->of_file = to_tenants(of_file);
}

Tenants::~Tenants() = default;

void Tenants::stop()
{
    state_->tasks.cancel();
}

asio::awaitable<Result<std::shared_ptr<const Tenant>>> Tenants::tenant(TenantKey key)
{
    State& s = *state_;
    if (key.origin == exporters::Origin::file) {
        const auto found = s.of_file.find(key.id);
        if (found != s.of_file.end())
            co_return found->second;
        if (s.of_file.empty())  // results stay inside: there is no place to send them to
            co_return std::make_shared<const Tenant>();
        co_return error("tenant", "tenants: none has the id {}", key.id);
    }
    if (!s.channel)
        co_return error("tenant", "tenant {}: there is no API to ask", key.id);
    const auto entry = s.entry(key.id);
    if (Clock::now() >= entry->fresh_until)
        s.begin_fetch(key.id, entry);
    while (!entry->is_usable() && entry->fetching) {
        boost::system::error_code woken;
        co_await entry->news.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
    if (!entry->tenant)
        co_return entry->why;
    co_return entry->tenant;  // maybe an old copy: a run does not wait for the API
}

void Tenants::suspect(TenantKey key)
{
    if (key.origin == exporters::Origin::file || !state_->channel)
        return;
    state_->begin_fetch(key.id, state_->entry(key.id));
}

void Tenants::told(const pb::Tenant& tenant)
{
    const auto entry = state_->entry(tenant.id());
    if (entry->tenant && tenant.modified() <= entry->modified)
        return;
    state_->keep(tenant.id(), *entry, tenant);
    entry->news.cancel();
}

const std::vector<std::string>& Tenants::cost_labels(TenantKey key) const
{
    static const std::vector<std::string> none;
    const auto found = state_->entries.find(key.id);
    const bool known = key.origin == exporters::Origin::api && found != state_->entries.end();
    return known ? found->second->cost_labels : none;
}

void Tenants::remember_in(StateFile& file)
{
    state_->file = &file;
}

void Tenants::recall(const pb::Tenant& tenant)
{
    const auto entry = state_->entry(tenant.id());
    if (entry->tenant)
        return;
    state_->keep(tenant.id(), *entry, tenant);
    entry->fresh_until = entry->trusted_until = Clock::now();
    entry->recalled = true;
}

void Tenants::trust_recalled()
{
    for (const auto& [id, entry] : state_->entries)
        if (std::exchange(entry->recalled, false))
            entry->trusted_until = Clock::time_point::max();
}

void Tenants::set_token(const config::Secret& token)
{
    state_->token = token.reveal();
}

void Tenants::set_file_tenants(const std::vector<config::TenantConfig>& of_file)
{
    state_->of_file = to_tenants(of_file);
}

asio::awaitable<void> Tenants::State::fetch(std::int64_t id, std::unique_ptr<Fetching> mark)
{
    using Call = GrpcCall<pb::TenantInfo, pb::Tenant>;
    const std::shared_ptr<Entry> into = mark->entry;
    const auto call = std::make_shared<Call>(loop, token, timings.tenant_limit);
    call->request.set_id(id);
    const grpc::Status status =
        co_await finish(channel, "/synthetic_monitoring.Tenants/GetTenant", call);
    if (status.ok()) {
        keep(id, *into, call->response);
        co_return;
    }
    into->why = error("tenant", "tenant {}: the API said: {} (gRPC code {})", id,
        status.error_message(), static_cast<int>(status.error_code()));
    into->unanswered = true;
    into->fresh_until = Clock::now() + (into->tenant ? timings.tenant_retry : 0ms);
    logger.warning("a tenant could not be read",
        {{"tenant", id}, {"why", into->why.message}, {"old_copy", into->tenant != nullptr}});
}

}  // namespace sonde::link
