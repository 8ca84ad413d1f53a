#pragma once

#include "agent/base/error.h"
#include "agent/base/host_port.h"
#include "agent/net/http_server.h"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace prometheus {
class Registry;
}

namespace sonde::status {

namespace asio = boost::asio;

/// What `/ready` asks: empty when ready, else the reason why not.
using Readiness = std::function<std::string()>;

/// `/metrics` (Prometheus text), `/ready` and `/live` of this process (spec 01 §12).
class StatusServer {
public:
    StatusServer(
        const asio::any_io_executor& loop, prometheus::Registry& registry, Readiness not_ready);

    /// @return the port; Error "bind".
    Result<std::uint16_t> listen(const HostPort& address);
    void stop();

private:
    asio::awaitable<net::HttpReply> answer(const net::HttpRequest& request) const;

    prometheus::Registry& registry_;
    Readiness not_ready_;
    net::HttpServer server_;
};

}  // namespace sonde::status
