#include "agent/cli/ctl/client.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/cli/ctl/fields.h"
#include "agent/cli/ctl/objects.h"
#include "agent/cli/ctl/table.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <utility>

namespace sonde::cli::ctl {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto patience = 30s;
constexpr std::size_t most_of_body = 64 << 20;
constexpr std::size_t longest_saying = 500;

/// What an error of the API says: "msg: err" of its JSON, without control characters.
std::string said_by(std::string_view body)
{
    const std::string msg = text_member(body, "msg");
    const std::string err = text_member(body, "err");
    if (msg.empty() || err.empty() || msg == err)
        return printable(text::shorten(msg.empty() ? err : msg, longest_saying));
    return printable(text::shorten(msg + ": " + err, longest_saying));
}

/// Why a call was not carried out, from whatever answered.
std::string refusal(const net::HttpAnswer& answer)
{
    const std::string said = said_by(answer.body);
    if (answer.status == 401)
        return fmt::format("401 the API refuses the token{}", said.empty() ? "" : ": " + said);
    if (!said.empty())
        return fmt::format("{} {}", answer.status, said);
    if (answer.status / 100 == 3)
        return fmt::format(
            "{} a redirect, which is not followed: give the address that it leads to",
            answer.status);
    return fmt::format(
        "{} and no word of the API: is this its HTTP address? gRPC has another", answer.status);
}

}  // namespace

bool Reply::hopeless() const
{
    return !ok() && (status == 0 || status == 401 || status == 403 || status >= 500);
}

Reply Client::call(std::string_view method, std::string_view resource, std::string body)
{
    net::HttpCall call;
    call.method = method;
    call.url = fmt::format("{}/api/v1/{}", connection_.url, resource);
    call.headers = {"Authorization: Bearer " + connection_.token.reveal(),
        "Accept: application/json", "X-Client-ID: sonde-ctl",
        fmt::format("X-Client-Version: {}", version::number)};
    if (!body.empty())
        call.headers.emplace_back("Content-Type: application/json; charset=utf-8");
    call.body = std::move(body);
    call.timeout = patience;
    auto answer = send(std::move(call));
    Reply reply;
    reply.status = answer.status;
    if (answer.status == 0) {
        reply.problem = fmt::format("{}: {}", hide_user(connection_.url), answer.error);
        reply.perhaps_done = answer.sent && method != "GET";
    } else if (answer.status != 200 && answer.status != 202) {
        reply.problem = fmt::format("{} {}: {}", method, resource, refusal(answer));
        reply.perhaps_done = answer.status >= 500 && method != "GET";
    } else if (!nlohmann::json::accept(answer.body)) {
        reply.problem = fmt::format("{} {}: the answer is no JSON: is {} the API's HTTP address?",
            method, resource, hide_user(connection_.url));
        reply.perhaps_done = method != "GET";
    }
    reply.body = std::move(answer.body);
    return reply;
}

net::HttpAnswer Client::send(net::HttpCall call)
{
    call.most_of_body = most_of_body;
    net::HttpAnswer answer;
    std::exception_ptr failure;
    const auto done = [&](const std::exception_ptr& failed, net::HttpAnswer came) {
        failure = failed;
        answer = std::move(came);
        loop_.stop();  // the connection that is kept would keep it waiting
    };
    loop_.restart();
    asio::co_spawn(loop_, http_.send(std::move(call)), done);
    loop_.run();
    if (failure)
        std::rethrow_exception(failure);
    answer.error = printable(answer.error);
    return answer;
}

void Client::wait(std::chrono::milliseconds time)
{
    asio::steady_timer timer{loop_, time};
    timer.async_wait([this](const boost::system::error_code&) { loop_.stop(); });
    loop_.restart();
    loop_.run();
}

}  // namespace sonde::cli::ctl
