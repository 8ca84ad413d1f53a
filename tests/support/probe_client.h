#pragma once

#include "config/schema.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sonde::tests {

/// What an agent has of what it was told, and what happened on the way there.
struct ProbeView {
    std::map<std::int64_t, pb::Check> checks;
    std::map<std::int64_t, pb::Tenant> tenants;
    pb::Probe probe;               ///< as the last registration answered
    std::size_t sessions = 0;      ///< streams that brought a first message
    std::size_t messages = 0;      ///< of all streams
    std::size_t largest = 0;       ///< of those, in bytes
    std::size_t refused = 0;       ///< PERMISSION_DENIED: a real agent would have stopped for good
    std::size_t turned_away = 0;   ///< ALREADY_EXISTS
    std::vector<std::string> odd;  ///< what an agent must not be told, or not in that way
    std::string last_end;          ///< why the last call or stream ended
};

/// The protocol of the public agent and nothing else (spec 01 §7): registers, follows changes,
/// keeps the checks they result in, and comes back with them when the stream ends. Runs by itself.
class ProbeClient {
public:
    /// Called by a thread of the client with each message, once it is applied.
    using Heard = std::function<void(const pb::Changes&)>;

    /// @param token as an agent is given it.
    /// @param addresses HOST:PORT each, of the replicas: whenever a call fails the next one is
    /// tried.
    ProbeClient(std::string token, std::vector<std::string> addresses, Heard heard = {});
    ~ProbeClient();
    ProbeClient(const ProbeClient&) = delete;
    ProbeClient& operator=(const ProbeClient&) = delete;

    void disconnect();     ///< the connection breaks
    void restart();        ///< the agent does: it comes back with no checks
    void stall(bool yes);  ///< it reads no more, or again
    void use_token(std::string token);
    void use_addresses(std::vector<std::string> addresses);  ///< from the next session on

    ProbeView view() const;
    /// @return whether the view was as wanted within that time.
    bool await(const std::function<bool(const ProbeView&)>& wanted,
        std::chrono::milliseconds limit = std::chrono::seconds{60}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::tests
