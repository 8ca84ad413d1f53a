#include "tests/support/probe_client.h"

#include "config/services.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace sonde::tests {
namespace {

using namespace std::chrono_literals;

constexpr auto call_limit = 20s;
constexpr auto pause = 20ms;  // between sessions; agents take longer

// Spec 04 §9.5: what is larger is near the 4 MiB that agents take (spec 01 §1.1).
constexpr std::size_t largest_message = 3 << 20;

std::shared_ptr<grpc::Channel> connect(const std::string& address)
{
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection for each client
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

/// Applies messages to a view by the rules of the public agent (spec 01 §7.5), and notes what would
/// make it stumble.
class Applier {
public:
    explicit Applier(ProbeView& view) : view_{view}, listed_{!view.checks.empty()} {}

    void apply(const pb::Changes& changes)
    {
        ++view_.messages;
        view_.largest = std::max(view_.largest, changes.ByteSizeLong());
        if (changes.ByteSizeLong() > largest_message)
            odd("a message is larger than 3 MiB");
        const bool first = std::exchange(first_, false);
        if (first) {
            ++view_.sessions;
            if (changes.isdeltafirstbatch() != listed_)
                odd("the first message is no answer to what was listed");
        }
        if (first && !changes.isdeltafirstbatch())
            return replace(changes);
        for (const pb::Tenant& tenant : changes.tenants())
            take(tenant);
        for (const pb::CheckChange& change : changes.checks())
            take(change);
    }

private:
    void odd(std::string what) { view_.odd.push_back(std::move(what)); }

    void replace(const pb::Changes& changes)
    {
        if (!changes.tenants().empty())
            odd("tenants in a full first message are lost on agents");
        view_.checks.clear();
        for (const pb::CheckChange& change : changes.checks())
            if (change.operation() == pb::CHECK_ADD)
                view_.checks[change.check().id()] = change.check();
            else
                odd("a full first message has something else than ADD");
    }

    void take(const pb::Tenant& tenant)
    {
        if (tenant.modified() <= 0 || !tenant.has_metricsremote() || !tenant.has_eventsremote())
            odd("a tenant record would break an agent");
        pb::Tenant& known = view_.tenants[tenant.id()];
        if (tenant.modified() > known.modified())
            known = tenant;
    }

    void take(const pb::CheckChange& change)
    {
        const pb::Check& check = change.check();
        const auto known = view_.checks.find(check.id());
        const bool there = known != view_.checks.end();
        const std::string name = "check " + std::to_string(check.id());
        if (change.operation() == pb::CHECK_DELETE) {
            if (!there)
                odd(name + ": DELETE of what is not there");
            view_.checks.erase(check.id());
            return;
        }
        if (there == (change.operation() == pb::CHECK_ADD))
            odd(name + (there ? ": ADD of what is there" : ": UPDATE of what is not there"));
        if (there && check.modified() < known->second.modified())
            odd(name + ": an older state after a newer one");
        view_.checks[check.id()] = check;
    }

    ProbeView& view_;
    bool listed_;
    bool first_ = true;
};

}  // namespace

struct ProbeClient::State {
    State(std::string its_token, std::vector<std::string> its_addresses, Heard its_heard)
        : heard{std::move(its_heard)}, token{std::move(its_token)},
          addresses{std::move(its_addresses)}, thread{[this] { run(); }}
    {}

    ~State()
    {
        {
            const std::lock_guard lock{mutex};
            stopping = true;
            interrupt();
        }
        thread.join();
    }

    /// With the lock.
    void interrupt()
    {
        if (call)
            call->TryCancel();
        changed.notify_all();
    }

    /// A call that interrupt() ends, while it lives.
    struct Call {
        State& state;
        grpc::ClientContext context;

        explicit Call(State& its_state, bool limited) : state{its_state}
        {
            const std::lock_guard lock{state.mutex};
            state.presented = state.token;
            context.AddMetadata("authorization", "Bearer " + state.presented);
            if (limited)
                context.set_deadline(std::chrono::system_clock::now() + call_limit);
            state.call = &context;
            if (state.stopping)
                context.TryCancel();
        }
        ~Call()
        {
            const std::lock_guard lock{state.mutex};
            state.call = nullptr;
        }
    };

    void run()
    {
        while (choose_channel()) {
            const auto checks = pb::Checks::NewStub(channel);
            const bool served = registered(*checks) && follow(*checks);
            std::unique_lock lock{mutex};
            if (denied)
                changed.wait(lock, [this] { return stopping || !denied; });
            if (served)
                continue;
            ++at;
            connected.clear();  // gRPC waits a second after a failure; a new channel does not
            changed.wait_for(lock, pause, [this] { return stopping; });
        }
    }

    /// @return false: it is over.
    bool choose_channel()
    {
        const std::lock_guard lock{mutex};
        const std::string& address = addresses[at % addresses.size()];
        if (address != connected)
            channel = connect(address);
        connected = address;
        return !stopping;
    }

    bool registered(pb::Checks::Stub& checks)
    {
        pb::ProbeInfo info;
        info.set_version("probe-client");
        pb::RegisterProbeResult result;
        grpc::Status status;
        {
            Call calling{*this, true};
            status = checks.RegisterProbe(&calling.context, info, &result);
        }
        const std::lock_guard lock{mutex};
        note(status, "RegisterProbe");
        if (!status.ok())
            return false;
        if (result.status().code() == pb::ALREADY_EXISTS)
            ++view.turned_away;
        if (result.status().code() != pb::OK) {
            view.last_end = "RegisterProbe: " + result.status().message();
            return false;
        }
        view.probe = result.probe();
        return true;
    }

    /// @return whether there was a stream: the next session is at the same address.
    bool follow(pb::Checks::Stub& checks)
    {
        pb::ProbeState known;
        Call calling{*this, false};
        std::unique_lock lock{mutex};
        if (std::exchange(forgetting, false)) {
            view.checks.clear();
            view.tenants.clear();
        }
        for (const auto& [id, check] : view.checks) {
            pb::EntityRef* const ref = known.add_checks();
            ref->set_id(id);
            ref->set_lastmodified(check.modified());
        }
        Applier applier{view};
        lock.unlock();
        const auto stream = checks.GetChanges(&calling.context, known);
        pb::Changes changes;
        bool any = false;
        while (await_turn() && stream->Read(&changes)) {
            any = true;
            lock.lock();
            applier.apply(changes);
            changed.notify_all();
            lock.unlock();
            if (heard)
                heard(changes);
        }
        calling.context.TryCancel();
        const grpc::Status status = stream->Finish();
        lock.lock();
        note(status, "GetChanges");
        return any;
    }

    /// While it is stalled nothing is read.
    bool await_turn()
    {
        std::unique_lock lock{mutex};
        changed.wait(lock, [this] { return !stalled || stopping || cut; });
        return !stopping && !std::exchange(cut, false);
    }

    /// With the lock.
    void note(const grpc::Status& status, const char* of)
    {
        if (status.ok() && std::string_view{of} == "RegisterProbe")
            return;
        view.last_end = std::string{of} + ": " + std::to_string(status.error_code()) + " " +
                        status.error_message();
        const bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
        view.refused += refused ? 1 : 0;
        denied = refused && presented == token;  // it may have been given another since
        if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
            view.odd.push_back(view.last_end);
        if (status.ok())
            view.odd.emplace_back("a stream has ended with OK: agents wait for ever");
        changed.notify_all();
    }

    const Heard heard;
    mutable std::mutex mutex;  // of all below
    mutable std::condition_variable changed;
    ProbeView view;
    std::string token;
    std::string presented;  ///< in the latest call
    std::vector<std::string> addresses;
    std::size_t at = 0;  ///< of the addresses
    std::string connected;
    std::shared_ptr<grpc::Channel> channel;
    grpc::ClientContext* call = nullptr;
    bool stopping = false;
    bool stalled = false;
    bool cut = false;         ///< while stalled
    bool forgetting = false;  ///< what it knows, before the next session
    bool denied = false;      ///< until there is another token
    std::thread thread;
};

ProbeClient::ProbeClient(std::string token, std::vector<std::string> addresses, Heard heard)
    : state_{std::make_unique<State>(std::move(token), std::move(addresses), std::move(heard))}
{}

ProbeClient::~ProbeClient() = default;

void ProbeClient::disconnect()
{
    const std::lock_guard lock{state_->mutex};
    state_->cut = state_->stalled;
    state_->interrupt();
}

void ProbeClient::restart()
{
    const std::lock_guard lock{state_->mutex};
    state_->forgetting = true;
    state_->cut = state_->stalled;
    state_->interrupt();
}

void ProbeClient::stall(bool yes)
{
    const std::lock_guard lock{state_->mutex};
    state_->stalled = yes;
    state_->changed.notify_all();
}

void ProbeClient::use_token(std::string token)
{
    const std::lock_guard lock{state_->mutex};
    state_->token = std::move(token);
    state_->denied = false;
    state_->changed.notify_all();
}

void ProbeClient::use_addresses(std::vector<std::string> addresses)
{
    const std::lock_guard lock{state_->mutex};
    state_->addresses = std::move(addresses);
    state_->at = 0;
}

ProbeView ProbeClient::view() const
{
    const std::lock_guard lock{state_->mutex};
    return state_->view;
}

bool ProbeClient::await(
    const std::function<bool(const ProbeView&)>& wanted, std::chrono::milliseconds limit) const
{
    std::unique_lock lock{state_->mutex};
    return state_->changed.wait_for(lock, limit, [&] { return wanted(state_->view); });
}

}  // namespace sonde::tests
