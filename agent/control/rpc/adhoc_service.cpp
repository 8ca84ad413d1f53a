#include "agent/control/rpc/adhoc_service.h"

#include "agent/base/log.h"
#include "agent/control/rpc/agent_view.h"
#include "agent/control/rpc/tail.h"
#include "agent/control/store/adhoc.h"
#include "agent/control/store/probes.h"

#include <utility>
#include <vector>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};

/// Hands the requests of one probe to one agent.
class AdHocTail final : public Tail {
public:
    using Stream = std::shared_ptr<WriteStream<pb::AdHocRequest>>;

    AdHocTail(const RpcParts& parts, Stream stream, Client of)
        : Tail{parts, *stream, std::move(of)}, stream_{std::move(stream)}
    {}

private:
    Result<> look(Transaction&, const store::News& news) override
    {
        waiting_ = news.kinds.contains(ChangeKind::adhoc);
        return {};
    }
    asio::awaitable<Result<>> tell() override;

    Stream stream_;
    bool waiting_ = false;
};

/// What is taken is on its way: should the stream break now, nobody runs it.
asio::awaitable<Result<>> AdHocTail::tell()
{
    if (!waiting_)
        co_return Result<>{};
    auto take = [this](Transaction& db) -> Result<std::vector<pb::AdHocRequest>> {
        auto requests = store::take_adhoc(db, client().probe);
        for (pb::AdHocRequest& request : requests)
            *request.mutable_tenant() = for_agents(db, request.tenant(), parts().metrics);
        return requests;
    };
    auto requests = co_await parts().store.presence(take);
    if (!requests)
        co_return requests.error();
    for (pb::AdHocRequest& request : *requests) {
        const std::string id = request.adhoccheck().id();
        if (!bearable(request.adhoccheck())) {
            logger.error("an ad-hoc check that no agent can take is not sent", {{"id", id}});
            continue;
        }
        const bool written = co_await stream_->write(std::move(request));
        if (!written)
            co_return error("gone", "the probe has gone");
        logger.info("an ad-hoc check was sent", {{"id", id}, {"probe", client().probe}});
    }
    co_return Result<>{};
}

}  // namespace

grpc::ServerUnaryReactor* AdHocService::RegisterProbe(
    grpc::CallbackServerContext* context, const pb::ProbeInfo*, pb::RegisterProbeResult* response)
{
    auto* const reactor = context->DefaultReactor();
    asio::post(parts_.loop, [this, reactor, token = token_of(*context), response] {
        parts_.tasks.spawn(register_probe(UnaryCall{reactor}, token, response));
    });
    return reactor;
}

asio::awaitable<void> AdHocService::register_probe(
    UnaryCall call, std::string token, pb::RegisterProbeResult* response)
{
    const auto probe = co_await authenticate(parts_, std::move(token));
    if (!probe)
        co_return call.finish(status_of(probe.error()));
    auto find = [&](Transaction& db) -> Result<pb::Probe> {
        const auto stored = store::find_probe(db, *probe);
        return stored ? Result<pb::Probe>{stored->probe} : Error{"unknown", "unknown probe token"};
    };
    const auto found = co_await parts_.store.read(find);
    if (!found)
        co_return call.finish(status_of(found.error()));
    *response->mutable_probe() = for_agents(*found, parts_.config);
    response->mutable_status()->set_code(pb::OK);
    call.finish(grpc::Status::OK);
}

grpc::ServerWriteReactor<pb::AdHocRequest>* AdHocService::GetAdHocChecks(
    grpc::CallbackServerContext* context, const pb::Void*)
{
    const auto stream = std::make_shared<WriteStream<pb::AdHocRequest>>(parts_.loop);
    auto* const reactor = stream->start();
    asio::post(parts_.loop,
        [this, stream, token = token_of(*context)] { parts_.tasks.spawn(serve(stream, token)); });
    return reactor;
}

asio::awaitable<void> AdHocService::serve(Stream stream, std::string token)
{
    EndOfStream<pb::AdHocRequest> end{stream};
    const auto probe = co_await authenticate(parts_, token);
    if (!probe) {
        end.status = status_of(probe.error());
        co_return;
    }
    const Metrics::Stream live{parts_.metrics, StreamKind::adhoc};
    AdHocTail tail{parts_, stream, {*probe, std::move(token)}};
    end.status = co_await tail.run();
}

}  // namespace sonde::control
