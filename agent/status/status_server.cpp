#include "agent/status/status_server.h"

#include "agent/base/log.h"
#include "agent/base/stopwatch.h"
#include "agent/base/text.h"
#include "agent/net/worker.h"
#include "agent/status/results.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <exception>

namespace sonde::status {
namespace {

using boost::beast::http::field;
using boost::beast::http::verb;
using http_status = boost::beast::http::status;

constexpr log::Logger logger{"http"};
constexpr std::size_t longest_body = 4096;

net::HttpReply text_reply(http_status status, std::string body)
{
    net::HttpReply reply{status, 11};
    reply.set(field::content_type, "text/plain; charset=utf-8");
    reply.set(field::cache_control, "no-store");
    reply.body() = std::move(body);
    return reply;
}

net::HttpReply exposition(std::string text)
{
    auto reply = text_reply(http_status::ok, std::move(text));
    reply.set(field::content_type, "text/plain; version=0.0.4; charset=utf-8");
    return reply;
}

net::HttpLimits limits()
{
    net::HttpLimits limits;
    limits.body_bytes = [](const net::HttpRequest&) { return longest_body; };
    return limits;
}

std::string_view view(boost::beast::string_view text)
{
    return {text.data(), text.size()};
}

/// Whether a page in somebody's browser may have made the request, which reaches what its reader
/// can reach (CSRF): browsers send Origin with every POST, but with a GET only their own name.
bool of_a_page(const net::HttpRequest& request)
{
    return request.count(field::origin) > 0 || request.count("Sec-Fetch-Site") > 0 ||
           (request.method() == verb::get && request[field::user_agent].starts_with("Mozilla/"));
}

/// "1 minute", "90 seconds".
std::string in_words(std::chrono::milliseconds time)
{
    using namespace std::chrono_literals;
    const bool minutes = time % 1min == 0min;
    const auto count = minutes ? time / 1min : time / 1s;
    return fmt::format("{} {}{}", count, minutes ? "minute" : "second", count == 1 ? "" : "s");
}

/// Counts as long as it lives.
class InFlight {
public:
    explicit InFlight(prometheus::Gauge& gauge) : gauge_{gauge} { gauge_.Increment(); }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() { gauge_.Decrement(); }

private:
    prometheus::Gauge& gauge_;
};

/// Lowers a flag at its end, however that comes.
class Raised {
public:
    explicit Raised(bool& flag) : flag_{flag} { flag_ = true; }
    Raised(const Raised&) = delete;
    Raised& operator=(const Raised&) = delete;
    ~Raised() { flag_ = false; }

private:
    bool& flag_;
};

}  // namespace

struct StatusServer::Route {
    std::string_view path;
    std::string_view methods;  ///< as Allow has them
    asio::awaitable<net::HttpReply> (StatusServer::*answer)(const net::HttpRequest&);
    bool config::StatusConfig::* allowed = nullptr;  ///< the option that enables it; null: none
    std::string_view option = {};                    ///< its name
    bool acts = false;                               ///< has the daemon do something
};

StatusServer::StatusServer(const asio::any_io_executor& loop, prometheus::Registry& registry,
    const config::StatusConfig& config, Actions actions)
    : registry_{registry}, config_{config}, actions_{std::move(actions)}, metrics_{registry},
      server_{loop,
          [this](const net::HttpRequest& request, const net::HttpPeer& peer) {
              return serve(request, peer);
          },
          limits()}
{}

Result<std::uint16_t> StatusServer::listen(const HostPort& address)
{
    return server_.listen(address);
}

void StatusServer::stop()
{
    server_.stop();
}

asio::awaitable<net::HttpReply> StatusServer::serve(
    const net::HttpRequest& request, const net::HttpPeer& peer)
{
    const Stopwatch since;
    const InFlight counted{metrics_.in_flight};
    net::HttpReply reply;
    try {
        reply = co_await answer(request, peer);
    } catch (const std::exception& failure) {
        logger.error("no answer", {{"url", view(request.target())}, {"why", failure.what()}});
        reply = text_reply(http_status::internal_server_error, fmt::format("{}\n", failure.what()));
    }
    account(request, reply, since.seconds());
    co_return reply;
}

/// One line and two observations for each request (spec 01 §12.1, §12.2).
void StatusServer::account(
    const net::HttpRequest& request, const net::HttpReply& reply, double seconds)
{
    const unsigned code = reply.result_int();
    const bool known = request.method() != verb::unknown;  // a label of few values
    const std::string method =
        known ? text::lower(view(request.method_string())) : std::string{"unknown"};
    const std::size_t bytes = request.method() == verb::head ? 0 : reply.body().size();
    const prometheus::Labels labels{{"code", std::to_string(code)}, {"method", method}};
    const prometheus::Summary::Quantiles none;
    metrics_.duration.Add(labels, none).Observe(seconds);
    metrics_.written.Add(labels, none).Observe(static_cast<double>(bytes));

    constexpr std::size_t longest_url = 200;
    const auto write = code >= 500   ? &log::Logger::error
                       : code >= 400 ? &log::Logger::warning
                                     : &log::Logger::info;
    (logger.*write)(
        "request", {{"method", view(request.method_string())},
                       {"url", text::shorten(view(request.target()), longest_url)}, {"code", code},
                       {"duration", std::round(seconds * 1e6) / 1e3}, {"bytes_written", bytes}});
}

bool StatusServer::enabled(const Route& route) const
{
    return route.allowed == nullptr || config_.*route.allowed;
}

asio::awaitable<net::HttpReply> StatusServer::answer(
    const net::HttpRequest& request, const net::HttpPeer& peer)
{
    const std::string_view target = view(request.target());
    const std::string_view path = target.substr(0, target.find('?'));
    const auto known = routes();
    const auto route = std::find_if(
        known.begin(), known.end(), [path](const Route& each) { return each.path == path; });
    if (route == known.end())
        co_return text_reply(http_status::not_found, "Not Found\n");
    if (!enabled(*route))
        co_return text_reply(
            http_status::forbidden, fmt::format("off: {} is not set\n", route->option));
    const auto methods = text::split(route->methods, ',');
    const auto method = view(request.method_string());
    const auto same = [method](std::string_view each) { return text::trim(each) == method; };
    if (std::none_of(methods.begin(), methods.end(), same)) {
        auto refusal = text_reply(http_status::method_not_allowed, "Method Not Allowed\n");
        refusal.set(field::allow, route->methods);  // RFC 9110 §15.5.6 wants it
        co_return refusal;
    }
    if (route->acts && of_a_page(request))
        co_return text_reply(http_status::forbidden, "not from a browser\n");
    if (peer.too_large)
        co_return text_reply(http_status::payload_too_large, "Payload Too Large\n");
    auto answering = (this->*route->answer)(request);
    co_return co_await std::move(answering);
}

asio::awaitable<net::HttpReply> StatusServer::index(const net::HttpRequest&)
{
    std::string paths;
    for (const Route& route : routes())
        if (route.path != "/" && enabled(route))
            paths += fmt::format("{}{}", paths.empty() ? "sonde: " : ", ", route.path);
    co_return text_reply(http_status::ok, paths + "\n");
}

asio::awaitable<net::HttpReply> StatusServer::metrics(const net::HttpRequest&)
{
    co_return exposition(prometheus::TextSerializer{}.Serialize(own_families(registry_)));
}

asio::awaitable<net::HttpReply> StatusServer::live(const net::HttpRequest&)
{
    co_return text_reply(http_status::ok, "live\n");
}

asio::awaitable<net::HttpReply> StatusServer::ready(const net::HttpRequest&)
{
    const std::string why_not = actions_.not_ready();
    if (why_not.empty())
        co_return text_reply(http_status::ok, "ready\n");
    co_return text_reply(http_status::service_unavailable, "not ready: " + why_not + "\n");
}

asio::awaitable<net::HttpReply> StatusServer::results(const net::HttpRequest&)
{
    std::vector<exporters::Payload> last;
    if (actions_.results)
        last = actions_.results();
    if (actions_.workers == nullptr)
        co_return exposition(render_results(last));
    auto writing = net::on_worker(
        *actions_.workers, [last = std::move(last)] { return render_results(last); });
    co_return exposition(co_await std::move(writing));
}

asio::awaitable<net::HttpReply> StatusServer::disconnect(const net::HttpRequest&)
{
    std::chrono::milliseconds away{0};
    if (actions_.disconnect)
        away = actions_.disconnect();
    if (away.count() == 0)
        co_return text_reply(http_status::conflict, "there is no session with an API\n");
    co_return text_reply(http_status::ok,
        fmt::format("disconnecting this agent from the API for {}.\n", in_words(away)));
}

asio::awaitable<net::HttpReply> StatusServer::change_level(const net::HttpRequest& request)
{
    constexpr std::size_t longest_word = 10;  // what comes after is not looked at
    const std::string word =
        text::lower(text::trim(std::string_view{request.body()}.substr(0, longest_word)));
    const auto level = word == "default" ? log::configured_level() : log::parse_level(word);
    if (!level)
        co_return text_reply(http_status::bad_request, level.error().message + ", default\n");
    log::set_level(*level);
    logger.info("log level changed", {{"to", word}});
    co_return text_reply(http_status::ok, "");
}

asio::awaitable<net::HttpReply> StatusServer::reload(const net::HttpRequest&)
{
    if (reloading_)
        co_return text_reply(http_status::conflict, "a reload is in progress\n");
    std::vector<std::string> problems{"this process has nothing to reload"};
    if (actions_.reload) {
        const Raised meanwhile{reloading_};
        problems = co_await actions_.reload();
    }
    if (problems.empty())
        co_return text_reply(http_status::ok, "reloaded\n");
    std::string lines;
    for (const std::string& problem : problems)
        lines += problem + "\n";
    co_return text_reply(http_status::bad_request, std::move(lines));
}

std::span<const StatusServer::Route> StatusServer::routes()
{
    using Config = config::StatusConfig;
    constexpr std::string_view read = "GET, HEAD";
    static constexpr Route table[] = {
        {"/", read, &StatusServer::index},
        {"/metrics", read, &StatusServer::metrics},
        {"/live", read, &StatusServer::live},
        {"/ready", read, &StatusServer::ready},
        {"/results", read, &StatusServer::results, &Config::results, "status.results"},
        {"/disconnect", "GET, POST", &StatusServer::disconnect, &Config::allow_disconnect,
            "status.allow_disconnect", true},
        {"/logger", "POST", &StatusServer::change_level, &Config::allow_log_level,
            "status.allow_log_level", true},
        {"/-/reload", "POST", &StatusServer::reload, &Config::allow_reload, "status.allow_reload",
            true},
    };
    return table;
}

}  // namespace sonde::status
