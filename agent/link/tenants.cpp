#include "agent/link/tenants.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/link/grpc_call.h"
#include "agent/net/task_group.h"
#include "config/services.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <grpcpp/channel.h>

#include <chrono>
#include <map>
#include <random>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};
using Clock = std::chrono::steady_clock;
using exporters::Tenant;
using exporters::TenantKey;
using namespace std::chrono_literals;

constexpr auto valid_for = 15min;  // spec 01 §9.1, plus up to a quarter of it
constexpr auto jitter = 225s;
constexpr auto try_again_after = 30s;  // when the API did not answer and an old copy is in use
constexpr auto call_limit = 5s;

std::optional<exporters::Remote> to_remote(const pb::RemoteInfo& wire)
{
    if (wire.url().empty())
        return std::nullopt;
    return exporters::Remote{wire.url() + "/push", wire.username(),
        config::Secret{std::string{text::trim(wire.password())}}};
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

}  // namespace

struct Tenants::State {
    struct Entry {
        explicit Entry(const asio::any_io_executor& loop) : fetched{loop, Clock::time_point::max()}
        {}

        std::shared_ptr<const Tenant> tenant;  // null: never known
        double modified = 0;
        Clock::time_point fresh_until;
        bool fetching = false;
        asio::steady_timer fetched;  // cancelled when a fetch has ended
        Error why{"tenant", "has not been asked for"};
    };

    State(const asio::any_io_executor& its_loop, std::shared_ptr<grpc::Channel> channel,
        std::string its_token)
        : loop{its_loop}, token{std::move(its_token)}, tasks{its_loop}
    {
        if (channel)
            stub = pb::Tenants::NewStub(channel);
    }

    std::shared_ptr<Entry> entry(std::int64_t id)
    {
        auto& found = entries[id];
        if (!found)
            found = std::make_shared<Entry>(loop);
        return found;
    }

    void keep(Entry& into, const pb::Tenant& wire)
    {
        into.tenant = std::make_shared<const Tenant>(to_tenant(wire));
        into.modified = wire.modified();
        const std::uniform_int_distribution<long> spread{0, std::chrono::seconds{jitter}.count()};
        into.fresh_until =
            Clock::now() + valid_for +
            std::chrono::seconds{std::uniform_int_distribution<long>{spread}(random)};
    }

    asio::awaitable<void> fetch(std::int64_t id, std::shared_ptr<Entry> into);

    asio::any_io_executor loop;
    std::unique_ptr<pb::Tenants::Stub> stub;
    std::string token;
    std::map<std::int64_t, std::shared_ptr<const Tenant>> of_file;
    std::map<std::int64_t, std::shared_ptr<Entry>> entries;
    std::mt19937 random{std::random_device{}()};
    net::TaskGroup tasks;
};

Tenants::Tenants(const asio::any_io_executor& loop,
    const std::vector<config::TenantConfig>& of_file, std::shared_ptr<grpc::Channel> channel,
    const config::Secret& token)
    : state_{std::make_unique<State>(loop, std::move(channel), token.reveal())}
{
    for (const config::TenantConfig& tenant : of_file)
        state_->of_file[tenant.id] = std::make_shared<const Tenant>(to_tenant(tenant));
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
    if (!s.stub)
        co_return error("tenant", "tenant {}: there is no API to ask", key.id);
    const auto entry = s.entry(key.id);
    if (Clock::now() >= entry->fresh_until && !entry->fetching)
        s.tasks.spawn(s.fetch(key.id, entry));
    while (!entry->tenant && entry->fetching) {
        boost::system::error_code woken;
        co_await entry->fetched.async_wait(asio::redirect_error(asio::use_awaitable, woken));
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
    if (key.origin == exporters::Origin::file || !state_->stub)
        return;
    const auto entry = state_->entry(key.id);
    if (!entry->fetching)
        state_->tasks.spawn(state_->fetch(key.id, entry));
}

void Tenants::told(const pb::Tenant& tenant)
{
    const auto entry = state_->entry(tenant.id());
    if (!entry->tenant || tenant.modified() > entry->modified)
        state_->keep(*entry, tenant);
}

asio::awaitable<void> Tenants::State::fetch(std::int64_t id, std::shared_ptr<Entry> into)
{
    struct Ended {
        Entry& entry;
        ~Ended()
        {
            entry.fetching = false;
            entry.fetched.cancel();
        }
    } const ended{*into};
    into->fetching = true;
    using Call = GrpcCall<pb::TenantInfo, pb::Tenant>;
    using Async = pb::Tenants::StubInterface::async_interface;
    void (Async::* const method)(grpc::ClientContext*, const pb::TenantInfo*, pb::Tenant*,
        std::function<void(grpc::Status)>) = &Async::GetTenant;
    const auto call = std::make_shared<Call>(loop);
    authorize(call->context, token);
    call->context.set_deadline(std::chrono::system_clock::now() + call_limit);
    call->request.set_id(id);
    const grpc::Status status = co_await finish(static_cast<Async*>(stub->async()), method, call);
    if (status.ok()) {
        keep(*into, call->response);
        co_return;
    }
    into->why = error("tenant", "tenant {}: the API said: {} (gRPC code {})", id,
        status.error_message(), static_cast<int>(status.error_code()));
    into->fresh_until = Clock::now() + (into->tenant ? try_again_after : 0s);
    logger.warning("a tenant could not be read",
        {{"tenant", id}, {"why", into->why.message}, {"old_copy", into->tenant != nullptr}});
}

}  // namespace sonde::link
