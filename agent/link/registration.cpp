#include "agent/link/registration.h"

#include "agent/base/version.h"
#include "agent/link/grpc_call.h"

#include <boost/asio/this_coro.hpp>
#include <grpcpp/channel.h>

#include <algorithm>

namespace sonde::link {
namespace {

using Kind = SessionEnd::Kind;

/// gRPC's own words for what exceeds the limit of the channel.
bool is_too_large(const grpc::Status& status)
{
    return status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED &&
           status.error_message().find("larger than max") != std::string::npos;
}

bool is_away(grpc::StatusCode code)
{
    return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
           code == grpc::StatusCode::INTERNAL;
}

SessionEnd refused(const pb::Status& answer)
{
    SessionEnd end;
    const bool for_good = answer.code() == pb::NOT_AUTHORIZED;
    end.kind = for_good ? Kind::fatal : Kind::generic;
    end.away = answer.code() == pb::INTERNAL_ERROR;
    const auto name = pb::StatusCode_IsValid(answer.code())
                          ? pb::StatusCode_Name(answer.code())
                          : std::to_string(static_cast<int>(answer.code()));
    end.why = error(for_good ? "not_authorized" : "api_error", "RegisterProbe: {} ({})",
        answer.message(), name);
    return end;
}

}  // namespace

SessionEnd end_of(const grpc::Status& status, std::string_view call)
{
    SessionEnd end;
    end.away = is_away(status.error_code());
    if (status.ok()) {
        end.why.message = fmt::format("{}: the API ended the stream", call);
        return end;
    }
    end.why = error("api_error", "{}: {} (gRPC code {})", call, status.error_message(),
        static_cast<int>(status.error_code()));
    switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
        end.kind = Kind::transient;
        break;
    case grpc::StatusCode::PERMISSION_DENIED:
        end.kind = Kind::fatal;
        end.why.reason = "not_authorized";
        end.why.message += ": check api.token";
        break;
    case grpc::StatusCode::UNIMPLEMENTED:
        end.kind = Kind::fatal;
        end.why.reason = "unimplemented";
        break;
    default:
        if (is_too_large(status)) {
            end.why.reason = "message_too_large";
            end.why.message += ": raise api.max_message_bytes";
        }
    }
    return end;
}

Result<> check_token(const std::string& token)
{
    if (std::all_of(token.begin(), token.end(), [](char c) { return c >= ' ' && c <= '~'; }))
        return {};
    return error("bad_token", "api.token: only printable ASCII characters can be sent");
}

asio::awaitable<boost::system::result<pb::Probe, SessionEnd>> register_probe(
    std::shared_ptr<grpc::Channel> channel, std::string service, std::string token,
    std::chrono::milliseconds limit)
{
    using Call = GrpcCall<pb::ProbeInfo, pb::RegisterProbeResult>;
    const auto loop = co_await asio::this_coro::executor;
    const auto call = std::make_shared<Call>(loop, token, limit);
    call->request.set_version(std::string{version::number});
    call->request.set_commit(std::string{version::commit});
    call->request.set_buildstamp(std::string{version::built});
    call->request.set_supportsprotocolsecrets(true);
    const std::string method = "/synthetic_monitoring." + service + "/RegisterProbe";
    const grpc::Status status = co_await finish(channel, method, call);
    if (!status.ok())
        co_return end_of(status, "RegisterProbe");
    if (call->response.status().code() == pb::OK)
        co_return call->response.probe();
    co_return refused(call->response.status());
}

}  // namespace sonde::link
