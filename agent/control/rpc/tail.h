#pragma once

#include "agent/control/rpc/parts.h"
#include "agent/control/rpc/reactors.h"
#include "agent/control/store/changes.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace sonde::control {

/// Whose stream it is.
struct Client {
    std::int64_t probe = 0;
    std::string token;  ///< as presented; the stream ends when it is no longer the probe's
};

/// A stream of one probe that follows the change log (spec 04 §13.4): looks at what is stored in
/// one snapshot, tells its agent, and looks again when there is news. Loop thread only, but for
/// look().
class Tail {
public:
    /// `parts` and `events` outlive it.
    Tail(const RpcParts& parts, StreamEvents& events, Client of)
        : parts_{parts}, events_{events}, of_{std::move(of)}, undelivered_{parts.undelivered}
    {}
    virtual ~Tail() = default;

    /// Goes on until there is a reason to end the stream. @return UNAVAILABLE with the reason.
    asio::awaitable<grpc::Status> run();

protected:
    const RpcParts& parts() const { return parts_; }
    const Client& client() const { return of_; }

private:
    /// Reads what there is to tell; everything is news the first time, and what could not be told
    /// is news again. On a worker, while nothing else of the stream runs.
    /// @return an Error to end the stream with.
    virtual Result<> look(Transaction& db, const store::News& news) = 0;
    /// Tells the agent what look() has found.
    /// @return an Error to end the stream with, but for those of the store: look and tell again.
    virtual asio::awaitable<Result<>> tell() = 0;
    /// Whether the stream may go on, asked whenever it has waited.
    virtual asio::awaitable<Result<>> keep();
    /// When to look again if nobody says that there is news.
    virtual std::chrono::steady_clock::time_point look_again() const;

    asio::awaitable<Result<>> round();

    const RpcParts& parts_;
    StreamEvents& events_;
    Client of_;
    Undelivered::Stream undelivered_;
    std::optional<std::int64_t> version_;  // of the change log: told up to here
};

}  // namespace sonde::control
