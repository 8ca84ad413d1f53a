#pragma once

#include "agent/base/error.h"
#include "agent/base/host_port.h"
#include "agent/net/http_server.h"
#include "agent/status/metrics.h"
#include "config/agent_config.h"
#include "exporters/payload.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace sonde::status {

namespace asio = boost::asio;

/// What `/ready` asks: empty when ready, else the reason why not.
using Readiness = std::function<std::string()>;

/// What the status server asks of the daemon, or has it do. All but `not_ready` may be empty.
struct Actions {
    Readiness not_ready;
    /// Gives up the session with the API. @return for how long; zero: there is none.
    std::function<std::chrono::milliseconds()> disconnect = {};
    /// Reads the options again. @return what kept them from being applied, a line each; empty: they
    /// are in force.
    std::function<asio::awaitable<std::vector<std::string>>()> reload = {};
    /// The last result of each check.
    std::function<std::vector<exporters::Payload>()> results = {};
    /// Writes the page of them, which may have a hundred thousand lines; null: the loop does.
    asio::thread_pool* workers = nullptr;
};

/// `/metrics` (Prometheus text), `/live`, `/ready` of this process, and what the options allow of
/// `/results`, `/disconnect`, `/logger` and `/-/reload` (spec 01 §12.1, spec 07 §6). Each request
/// is logged. Loop thread only.
class StatusServer {
public:
    StatusServer(const asio::any_io_executor& loop, prometheus::Registry& registry,
        const config::StatusConfig& config, Actions actions);

    /// @return the port; Error "bind".
    Result<std::uint16_t> listen(const HostPort& address);
    void stop();

private:
    struct Route;
    static std::span<const Route> routes();

    asio::awaitable<net::HttpReply> serve(
        const net::HttpRequest& request, const net::HttpPeer& peer);
    asio::awaitable<net::HttpReply> answer(
        const net::HttpRequest& request, const net::HttpPeer& peer);
    void account(const net::HttpRequest& request, const net::HttpReply& reply, double seconds);
    bool enabled(const Route& route) const;

    asio::awaitable<net::HttpReply> index(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> metrics(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> live(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> ready(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> results(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> disconnect(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> change_level(const net::HttpRequest& request);
    asio::awaitable<net::HttpReply> reload(const net::HttpRequest& request);

    prometheus::Registry& registry_;
    const config::StatusConfig config_;
    const Actions actions_;
    HttpMetrics metrics_;
    bool reloading_ = false;
    net::HttpServer server_;
};

}  // namespace sonde::status
