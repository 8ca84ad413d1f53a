#include "tests/support/fake_control.h"

#include "config/services.h"

#include <doctest/doctest.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace sonde::tests {
namespace {

using namespace std::chrono_literals;
using Answer = FakeControl::Answer;
using Seen = FakeControl::Seen;
using Lock = std::unique_lock<std::mutex>;

grpc::Status to_grpc(Code code, const std::string& text)
{
    return {static_cast<grpc::StatusCode>(code), text};
}

/// What a stream does next.
template <class Message>
struct Act {
    std::optional<Message> send;  ///< nullopt: end with `status`
    grpc::Status status;
};
template <class Message>
using Acts = std::deque<Act<Message>>;

/// What the services share, and what a test reads and writes: all under `mutex`.
struct Shared {
    mutable std::mutex mutex;
    std::condition_variable changed;
    Seen seen;
    std::string token = "fake-token";
    Code refusal = Code::unauthenticated;
    pb::Probe probe;
    std::map<std::int64_t, pb::Tenant> tenants;
    std::optional<std::vector<pb::Check>> checks;
    std::deque<Answer> registers;
    std::deque<Answer> pings;
    std::deque<Answer> tenant_answers;
    std::deque<Answer> adhoc_registers;
    std::deque<Answer> telemetry_answers;
    bool telemetry_says_nothing = false;
    Acts<pb::Changes> acts;
    Acts<pb::AdHocRequest> adhoc_acts;
    bool closing = false;

    /// Waits for `happened`. @return false: the caller has gone, or the server is going.
    template <class Predicate>
    bool await(Lock& lock, const grpc::ServerContext& context, Predicate happened)
    {
        while (!happened()) {
            if (closing || context.IsCancelled())
                return false;
            changed.wait_for(lock, 5ms);  // nobody tells that a caller has gone
        }
        return !closing && !context.IsCancelled();
    }
};

/// A call for as long as it lasts; holds the lock.
class Call {
public:
    Call(Shared& shared, grpc::ServerContext& context)
        : shared_{shared}, context_{context}, lock_{shared.mutex}
    {
        ++shared_.seen.under_way;
    }
    ~Call() { --shared_.seen.under_way; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    Lock& lock() { return lock_; }

    /// Exactly one bearer token, the right one.
    bool authorized()
    {
        const auto& metadata = context_.client_metadata();
        const auto found = metadata.find("authorization");
        const bool right =
            metadata.count("authorization") == 1 &&
            std::string(found->second.data(), found->second.size()) == "Bearer " + shared_.token;
        if (!right)
            ++shared_.seen.refused;
        return right;
    }
    grpc::Status refusal() const { return to_grpc(shared_.refusal, "who are you?"); }

    /// The answer that a test has ordered, or the usual one.
    Answer next(std::deque<Answer>& ordered)
    {
        if (ordered.empty())
            return {};
        Answer answer = std::move(ordered.front());
        ordered.pop_front();
        if (answer.never)
            shared_.await(lock_, context_, [] { return false; });
        return answer;
    }

private:
    Shared& shared_;
    grpc::ServerContext& context_;
    Lock lock_;
};

/// The difference of the test server (spec 01 §7.5).
pb::Changes difference(const pb::ProbeState& known, const std::vector<pb::Check>& checks)
{
    pb::Changes out;
    out.set_isdeltafirstbatch(known.checks_size() > 0);
    std::map<std::int64_t, double> left;
    for (const pb::EntityRef& ref : known.checks())
        left[ref.id()] = ref.lastmodified();
    for (const pb::Check& check : checks) {
        const auto before = left.extract(check.id());
        if (before && before.mapped() == check.modified())
            continue;
        auto* change = out.add_checks();
        change->set_operation(before ? pb::CHECK_UPDATE : pb::CHECK_ADD);
        *change->mutable_check() = check;
    }
    for (const auto& [id, modified] : left) {
        auto* change = out.add_checks();
        change->set_operation(pb::CHECK_DELETE);
        change->mutable_check()->set_id(id);
    }
    return out;
}

/// RegisterProbe of either service.
grpc::Status answer_registration(
    Shared& shared, Call& call, std::deque<Answer>& ordered, pb::RegisterProbeResult& response)
{
    const Answer answer = call.next(ordered);
    response.mutable_status()->set_code(answer.status);
    response.mutable_status()->set_message(answer.text);
    if (answer.status == pb::OK)
        *response.mutable_probe() = shared.probe;
    return to_grpc(answer.code, answer.text);
}

/// May have to wait for the reader, who may wait for us: not under the lock.
template <class Message>
void write(grpc::ServerWriter<Message>& writer, const Message& message, Lock& lock)
{
    lock.unlock();
    writer.Write(message);
    lock.lock();
}

/// A stream does what the test says until its caller leaves or another begins, which `count` tells.
template <class Message, class Count>
grpc::Status act(Shared& shared, Call& call, const grpc::ServerContext& context,
    grpc::ServerWriter<Message>& writer, Acts<Message>& acts, Count count)
{
    const auto number = count();
    const auto news = [&] { return !acts.empty() || count() != number; };
    while (shared.await(call.lock(), context, news) && count() == number) {
        const Act<Message> next = std::move(acts.front());
        acts.pop_front();
        if (!next.send)
            return next.status;
        write(writer, *next.send, call.lock());
    }
    return to_grpc(Code::unavailable, "the stream has been left");
}

class ChecksService final : public pb::Checks::Service {
public:
    explicit ChecksService(Shared& shared) : shared_{shared} {}

    grpc::Status RegisterProbe(grpc::ServerContext* context, const pb::ProbeInfo* request,
        pb::RegisterProbeResult* response) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        shared_.seen.registered.push_back(*request);
        return answer_registration(shared_, call, shared_.registers, *response);
    }

    grpc::Status Ping(grpc::ServerContext* context, const pb::PingRequest* request,
        pb::PongResponse* response) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        shared_.seen.pings.push_back(request->sequence());
        response->set_sequence(request->sequence());
        const Answer answer = call.next(shared_.pings);
        return to_grpc(answer.code, answer.text);
    }

    grpc::Status GetChanges(grpc::ServerContext* context, const pb::ProbeState* request,
        grpc::ServerWriter<pb::Changes>* writer) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        shared_.seen.followed.push_back(*request);
        shared_.changed.notify_all();  // older streams end
        const auto count = [this] { return shared_.seen.followed.size(); };
        const auto number = count();
        if (shared_.checks)
            write(*writer, difference(*request, *shared_.checks), call.lock());
        if (count() != number)
            return to_grpc(Code::unavailable, "the stream has been left");
        return act(shared_, call, *context, *writer, shared_.acts, count);
    }

private:
    Shared& shared_;
};

class AdHocService final : public pb::AdHocChecks::Service {
public:
    explicit AdHocService(Shared& shared) : shared_{shared} {}

    grpc::Status RegisterProbe(grpc::ServerContext* context, const pb::ProbeInfo*,
        pb::RegisterProbeResult* response) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        ++shared_.seen.adhoc_registered;
        return answer_registration(shared_, call, shared_.adhoc_registers, *response);
    }

    grpc::Status GetAdHocChecks(grpc::ServerContext* context, const pb::Void*,
        grpc::ServerWriter<pb::AdHocRequest>* writer) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        ++shared_.seen.adhoc_followed;
        shared_.changed.notify_all();
        const auto count = [this] { return shared_.seen.adhoc_followed; };
        return act(shared_, call, *context, *writer, shared_.adhoc_acts, count);
    }

private:
    Shared& shared_;
};

class TelemetryService final : public pb::Telemetry::Service {
public:
    explicit TelemetryService(Shared& shared) : shared_{shared} {}

    grpc::Status PushTelemetry(grpc::ServerContext* context, const pb::RegionTelemetry* request,
        pb::PushTelemetryResponse* response) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        shared_.seen.telemetry.push_back(*request);
        const Answer answer = call.next(shared_.telemetry_answers);
        if (!shared_.telemetry_says_nothing)
            response->mutable_status()->set_code(answer.status);
        return to_grpc(answer.code, answer.text);
    }

private:
    Shared& shared_;
};

class TenantsService final : public pb::Tenants::Service {
public:
    explicit TenantsService(Shared& shared) : shared_{shared} {}

    grpc::Status GetTenant(
        grpc::ServerContext* context, const pb::TenantInfo* request, pb::Tenant* response) override
    {
        Call call{shared_, *context};
        if (!call.authorized())
            return call.refusal();
        shared_.seen.tenants.push_back(request->id());
        const Answer answer = call.next(shared_.tenant_answers);
        const auto found = shared_.tenants.find(request->id());
        if (found == shared_.tenants.end())
            return to_grpc(Code::not_found, "tenant not found");
        *response = found->second;
        return to_grpc(answer.code, answer.text);
    }

private:
    Shared& shared_;
};

}  // namespace

struct FakeControl::State {
    Shared shared;
    ChecksService checks{shared};
    TenantsService tenants{shared};
    AdHocService adhoc{shared};
    TelemetryService telemetry{shared};
    int port = 0;
    std::unique_ptr<grpc::Server> server;
};

FakeControl::FakeControl(const Offers& offers) : state_{std::make_unique<State>()}
{
    grpc::ServerBuilder builder;
    // Pings of HTTP/2 may come as often as a test makes them.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &state_->port);
    builder.RegisterService(&state_->checks);
    builder.RegisterService(&state_->tenants);
    if (offers.adhoc)
        builder.RegisterService(&state_->adhoc);
    if (offers.telemetry)
        builder.RegisterService(&state_->telemetry);
    state_->server = builder.BuildAndStart();
    REQUIRE(state_->server != nullptr);
}

FakeControl::~FakeControl()
{
    {
        const Lock lock{state_->shared.mutex};
        state_->shared.closing = true;
        state_->shared.changed.notify_all();
    }
    state_->server->Shutdown(std::chrono::system_clock::now());
    state_->server->Wait();
}

std::uint16_t FakeControl::port() const
{
    return static_cast<std::uint16_t>(state_->port);
}

Seen FakeControl::seen() const
{
    const Lock lock{state_->shared.mutex};
    return state_->shared.seen;
}

void FakeControl::set_token(std::string token)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.token = std::move(token);
}

void FakeControl::refuse_with(Code code)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.refusal = code;
}

void FakeControl::set_probe(const pb::Probe& probe)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.probe = probe;
}

void FakeControl::set_tenant(const pb::Tenant& tenant)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.tenants[tenant.id()] = tenant;
}

void FakeControl::set_checks(std::vector<pb::Check> checks)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.checks = std::move(checks);
}

void FakeControl::begin_with_nothing()
{
    const Lock lock{state_->shared.mutex};
    state_->shared.checks.reset();
}

void FakeControl::next_register(Answer answer)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.registers.push_back(std::move(answer));
}

void FakeControl::next_ping(Answer answer)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.pings.push_back(std::move(answer));
}

void FakeControl::next_tenant(Answer answer)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.tenant_answers.push_back(std::move(answer));
}

void FakeControl::next_adhoc_register(Answer answer)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.adhoc_registers.push_back(std::move(answer));
}

void FakeControl::next_telemetry(Answer answer)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.telemetry_answers.push_back(std::move(answer));
}

void FakeControl::answer_telemetry_with_nothing()
{
    const Lock lock{state_->shared.mutex};
    state_->shared.telemetry_says_nothing = true;
}

void FakeControl::send(const pb::Changes& changes)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.acts.push_back({changes, {}});
    state_->shared.changed.notify_all();
}

void FakeControl::end_stream(Code code, std::string text)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.acts.push_back({std::nullopt, to_grpc(code, text)});
    state_->shared.changed.notify_all();
}

void FakeControl::send(const pb::AdHocRequest& request)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.adhoc_acts.push_back({request, {}});
    state_->shared.changed.notify_all();
}

void FakeControl::end_adhoc(Code code, std::string text)
{
    const Lock lock{state_->shared.mutex};
    state_->shared.adhoc_acts.push_back({std::nullopt, to_grpc(code, text)});
    state_->shared.changed.notify_all();
}

}  // namespace sonde::tests
