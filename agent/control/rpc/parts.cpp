#include "agent/control/rpc/parts.h"

#include "agent/control/store/probes.h"

namespace sonde::control {

grpc::Status unavailable(const std::string& why)
{
    return {grpc::StatusCode::UNAVAILABLE, why};
}

grpc::Status status_of(const Error& error)
{
    if (error.reason == "unknown")
        return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    if (error.reason == "missing")
        return {grpc::StatusCode::UNAUTHENTICATED, error.message};
    if (error.reason == "not_found")
        return {grpc::StatusCode::NOT_FOUND, error.message};
    return unavailable(error.message);
}

asio::awaitable<Result<std::int64_t>> authenticate(const RpcParts& parts, std::string token)
{
    if (token.empty()) {
        parts.metrics.refused(TokenKind::probe, Refusal::missing);
        co_return error("missing", "metadata authorization: Bearer TOKEN is required");
    }
    auto find = [&token](Transaction& db) -> Result<std::int64_t> {
        const auto probe = store::probe_of_token(db, token);
        return probe ? Result<std::int64_t>{*probe} : Error{"unknown", "unknown probe token"};
    };
    auto probe = co_await parts.store.read(find);
    if (!probe && probe.error().reason == "unknown")
        parts.metrics.refused(TokenKind::probe, Refusal::unknown);
    co_return probe;
}

}  // namespace sonde::control
