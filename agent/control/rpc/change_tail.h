#pragma once

#include "agent/control/rpc/difference.h"
#include "agent/control/rpc/tail.h"
#include "agent/control/store/sessions.h"

#include <memory>

namespace sonde::control {

/// The stream of changes: what its probe has to run, and the tenants of it (spec 04 §9.4, §9.5).
/// Keeps the lease of its session.
class ChangeTail final : public Tail {
public:
    using Stream = std::shared_ptr<WriteStream<pb::Changes>>;

    /// @param session confirmed now by this stream.
    ChangeTail(const RpcParts& parts, Stream stream, Client of, store::Session session,
        pb::ProbeState state);

private:
    Result<> look(Transaction& db, const store::News& news) override;
    asio::awaitable<Result<>> tell() override;
    asio::awaitable<Result<>> keep() override;
    std::chrono::steady_clock::time_point look_again() const override { return renew_at_; }

    void look_at_checks(Transaction& db, const pb::Probe& probe);
    std::vector<pb::Changes> messages();
    void hold_lease();

    Stream stream_;
    store::Session session_;
    std::chrono::steady_clock::time_point renew_at_;
    std::chrono::steady_clock::time_point held_until_;
    pb::ProbeState state_;      // what the agent runs
    std::optional<Told> told_;  // once the first message is out
    // What was seen last:
    bool has_old_meta_ = false;           // the agent, of its probe
    std::optional<store::ToRun> to_run_;  // absent: as before
    std::optional<double> own_tenant_;    // its time of change
};

}  // namespace sonde::control
