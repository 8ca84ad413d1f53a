#pragma once

#include "agent/base/error.h"
#include "agent/link/timings.h"
#include "config/schema.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::link {

namespace asio = boost::asio;

/// What the API has said last of this probe. Holds secrets: of checks, and of tenants' remotes.
struct ApiState {
    std::string api;  ///< who said it
    pb::Probe probe;
    std::vector<pb::Check> checks;
    std::vector<pb::Tenant> tenants;
};

/// The content of a state file: a line "sonde-api-state 1 <CRC-32C of the rest> <its size>", then
/// fields in protobuf's format: 1 the API, 2 the probe, 3 a check each, 4 a tenant each.
std::string encode(const ApiState& state);
/// @return Error "state_file" when it is of somebody else, of another version, cut or damaged.
Result<ApiState> decode_state(std::string_view content);

/// Keeps what the API says in a file (`api.state_file`), so that a process that starts while there
/// is no API can go on with the checks of the one before it. Written on a worker some seconds after
/// a change, whole or not at all; nobody else may read it (0600). Loop thread only.
class StateFile {
public:
    /// @param api the address of the API: what another has said does not count.
    StateFile(const asio::any_io_executor& loop, asio::thread_pool& workers, std::string path,
        std::string api, const Timings& timings = {});
    ~StateFile();

    /// What the process before this one left. Nothing, with a warning, when that cannot be used.
    /// Reads on the calling thread.
    std::optional<ApiState> load() const;

    /// Nothing is written before the first call: what is there is from the process before.
    void keep(const pb::Probe& probe);
    void keep(const pb::Check& check);
    void forget_check(std::int64_t id);
    /// Written for as long as a check is this tenant's.
    void keep(const pb::Tenant& tenant);

    /// Writes what changes until cancelled.
    asio::awaitable<void> run();
    /// For shutdown: writes what has not been written.
    asio::awaitable<void> save();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::link
