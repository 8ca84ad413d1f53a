#include "agent/cli/healthcheck.h"

#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>

namespace sonde::cli {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto patience = 2s;

int complain(std::string_view what, int status)
{
    fmt::print(stderr, "sonde healthcheck: {}\n", what);
    return status;
}

/// Directly, whatever proxies the environment names: it is this host that is asked.
net::HttpAnswer ask(const std::string& url)
{
    asio::io_context loop{1};
    net::CurlMulti curl{loop.get_executor()};
    net::HttpClient client{curl, {{}, {}, false}};
    net::HttpCall call;
    call.method = "GET";
    call.url = url;
    call.timeout = patience;
    net::HttpAnswer answer;
    std::exception_ptr failure;
    asio::co_spawn(loop, client.send(std::move(call)),
        [&](const std::exception_ptr& failed, net::HttpAnswer came) {
            failure = failed;
            answer = std::move(came);
            loop.stop();  // the connection that is kept alive would keep it waiting
        });
    loop.run();
    if (failure)
        std::rethrow_exception(failure);
    return answer;
}

/// The options of the running process as far as they can be known here: secrets that only it can
/// read do not matter.
Result<std::string> url_of(const HealthRequest& request, const config::LoadOptions& options)
{
    if (!request.url.empty())
        return request.url;
    std::string file = request.config_file;
    std::error_code unknown;
    if (file.empty() && std::filesystem::exists(default_config, unknown))
        file = default_config;
    const auto loaded = config::load_agent_config(file, options);
    const bool unread = loaded.config.state_dir.empty();  // which has a default once it is read
    for (const std::string& problem : loaded.problems)
        if (unread || problem.find(": status.") != std::string::npos)
            return error("bad_value", "{}", problem);
    return ready_url(loaded.config.status);
}

}  // namespace

Result<std::string> ready_url(const config::StatusConfig& status)
{
    if (!status.listen)
        return error("bad_value", "status.listen is off: there is nobody to ask");
    HostPort address = *status.listen;
    if (address.host.empty() || address.host == "0.0.0.0")
        address.host = "127.0.0.1";
    else if (address.host == "::")
        address.host = "::1";
    return fmt::format("http://{}/ready", address.text());
}

int healthcheck(const HealthRequest& request, const config::LoadOptions& options)
{
    const auto url = url_of(request, options);
    if (!url)
        return complain(url.error().message, usage);
    const auto answer = ask(*url);
    if (answer.status == 200)
        return success;
    if (answer.status == 0)
        return complain(
            fmt::format("{}: {}", *url, answer.error), answer.bad_url ? usage : failure);
    return complain(
        fmt::format("{}: {} {}", *url, answer.status, text::trim(answer.body)), failure);
}

}  // namespace sonde::cli
