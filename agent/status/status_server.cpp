#include "agent/status/status_server.h"

#include "agent/status/process.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <iterator>

namespace sonde::status {
namespace {

using http_status = boost::beast::http::status;
using boost::beast::http::verb;

net::HttpReply text_reply(http_status status, std::string body)
{
    net::HttpReply reply{status, 11};
    reply.set("Content-Type", "text/plain; charset=utf-8");
    reply.set("Cache-Control", "no-store");
    reply.body() = std::move(body);
    return reply;
}

net::HttpReply metrics_reply(prometheus::Registry& registry)
{
    auto families = registry.Collect();
    auto process = ProcessCollector{}.Collect();
    families.insert(families.end(), std::make_move_iterator(process.begin()),
        std::make_move_iterator(process.end()));
    auto reply = text_reply(http_status::ok, prometheus::TextSerializer{}.Serialize(families));
    reply.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return reply;
}

}  // namespace

StatusServer::StatusServer(
    const asio::any_io_executor& loop, prometheus::Registry& registry, Readiness not_ready)
    : registry_{registry}, not_ready_{std::move(not_ready)},
      server_{loop,
          [this](const net::HttpRequest& request, const net::HttpPeer&) { return answer(request); }}
{}

Result<std::uint16_t> StatusServer::listen(const HostPort& address)
{
    return server_.listen(address);
}

void StatusServer::stop()
{
    server_.stop();
}

asio::awaitable<net::HttpReply> StatusServer::answer(const net::HttpRequest& request) const
{
    const std::string_view target{request.target().data(), request.target().size()};
    const std::string_view path = target.substr(0, target.find('?'));
    if (request.method() != verb::get && request.method() != verb::head) {
        auto refusal = text_reply(http_status::method_not_allowed, "Method Not Allowed\n");
        refusal.set("Allow", "GET, HEAD");  // RFC 9110 §15.5.6 wants it
        co_return refusal;
    }
    if (path == "/metrics")
        co_return metrics_reply(registry_);
    if (path == "/live")
        co_return text_reply(http_status::ok, "live\n");
    if (path == "/ready") {
        const std::string why_not = not_ready_();
        if (why_not.empty())
            co_return text_reply(http_status::ok, "ready\n");
        co_return text_reply(http_status::service_unavailable, "not ready: " + why_not + "\n");
    }
    if (path == "/")
        co_return text_reply(http_status::ok, "sonde: /metrics, /ready, /live\n");
    co_return text_reply(http_status::not_found, "Not Found\n");
}

}  // namespace sonde::status
