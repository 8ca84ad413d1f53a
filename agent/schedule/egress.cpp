#include "agent/schedule/egress.h"

#include "agent/base/log.h"
#include "agent/net/deadline.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "checkers/check.h"
#include "checkers/ping/echo.h"
#include "checkers/reasons.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <prometheus/gauge.h>

#include <algorithm>
#include <optional>
#include <string>

namespace sonde::schedule {
namespace {

constexpr log::Logger logger{"egress"};

namespace echo = checkers::ping;

constexpr std::size_t echo_payload = 56;  // as ping(8) sends

asio::awaitable<bool> connects(const asio::ip::address& address, std::uint16_t port)
{
    asio::ip::tcp::socket socket{co_await asio::this_coro::executor};
    const asio::ip::tcp::endpoint endpoint{address, port};
    boost::system::error_code failed;
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, failed));
    co_return !failed;
}

asio::awaitable<bool> pings(net::Services& net, const asio::ip::address& address)
{
    net::IcmpSockets::Wanted wanted;
    wanted.v6 = address.is_v6();
    const auto socket = net.icmp.get(wanted, false);
    if (!socket)
        co_return false;
    const std::string token = echo::random_token();
    const auto loop = co_await asio::this_coro::executor;
    asio::steady_timer news{loop, asio::steady_timer::time_point::max()};
    bool answered = false;
    auto hear = [&](const net::IcmpPacket& packet) {
        const auto reply = echo::parse_reply(address.is_v6(), packet.message);
        if (!reply || packet.source != address || !echo::is_ours(reply->data, echo_payload, token))
            return;
        answered = true;
        news.cancel();
    };
    const net::IcmpSocket::Subscription hears{*socket, hear};
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const std::string data = echo::payload(echo_payload, token, wall);
    if ((*socket)->send(address, echo::request(address.is_v6(), (*socket)->id(), 0, data)))
        co_return false;
    boost::system::error_code woken;
    if (!answered)  // on loopback the reply may be there before send() returns
        co_await news.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    co_return answered;
}

asio::awaitable<bool> reaches(net::Services& net, const config::EgressConfig::Canary& canary)
{
    const auto found = co_await net.resolver.resolve(canary.host, net::IpVersion::any);
    if (!found)
        co_return false;
    if (canary.kind == config::EgressConfig::Canary::Kind::ping)
        co_return co_await pings(net, found->address);
    co_return co_await connects(found->address, canary.port);
}

}  // namespace

bool may_be_our_way_out(const checkers::Verdict& verdict)
{
    if (verdict.passed())
        return false;
    if (verdict.cause.starts_with("local_"))
        return verdict.cause == "local_no_route" || verdict.cause == "local_resolver_unreachable";
    const auto* reason = checkers::find_reason(verdict.code);
    return reason && reason->layer != "config" && reason->layer != "agent";
}

struct Egress::Question {
    Question(const asio::any_io_executor& loop, Config asked_by)
        : config{std::move(asked_by)}, open{config->targets.size()},
          needed{std::min(config->quorum, open)},
          decided{loop, asio::steady_timer::time_point::max()}
    {}

    Config config;
    std::size_t open;  ///< canaries that may still answer
    std::size_t needed;
    std::size_t answered = 0;
    std::optional<bool> up;
    asio::steady_timer decided;  ///< cancelled when `up` is there
};

Egress::Egress(const asio::any_io_executor& loop, net::Services& net,
    const config::EgressConfig& config, prometheus::Gauge& up)
    : loop_{loop}, net_{net}, config_{std::make_shared<const config::EgressConfig>(config)},
      shown_{up}, tasks_{loop}
{
    shown_.Set(1);
}

asio::awaitable<bool> Egress::up()
{
    if (!asks())
        co_return true;
    if (Clock::now() < known_until_)
        co_return up_;
    const std::shared_ptr<Question> question = question_ ? question_ : ask();
    boost::system::error_code woken;
    if (!question->up)
        co_await question->decided.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (!question->up)
        throw boost::system::system_error{asio::error::operation_aborted};
    co_return *question->up;
}

std::shared_ptr<Egress::Question> Egress::ask()
{
    const auto question = question_ = std::make_shared<Question>(loop_, config_);
    for (const Canary& canary : question->config->targets)
        tasks_.spawn(ask_one(*this, question, canary));
    return question;
}

/// `canary` is the question's.
asio::awaitable<void> Egress::ask_one(
    Egress& self, std::shared_ptr<Question> question, const Canary& canary)
{
    bool answered = false;
    try {
        const auto deadline = net::Clock::now() + question->config->timeout;
        const auto answer = co_await net::until(deadline, reaches(self.net_, canary));
        answered = answer.value_or(false);
    } catch (const std::exception& failure) {
        if (self.stopped_)
            throw;
        logger.warning(
            "a canary could not be asked", {{"host", canary.host}, {"why", failure.what()}});
    }
    self.count(*question, answered);
}

void Egress::count(Question& question, bool answered)
{
    --question.open;
    question.answered += answered ? 1 : 0;
    const bool enough = question.answered >= question.needed;
    if (question.up || (!enough && question.answered + question.open >= question.needed))
        return;
    question.up = enough;
    question_.reset();
    if (question.config == config_)  // an answer to other settings holds for those who asked alone
        learn(enough);
    question.decided.cancel();
}

void Egress::learn(bool up)
{
    known_until_ = Clock::now() + config_->valid_for;
    if (up && !up_)
        logger.warning("our own way out works again");
    else if (!up && up_)
        logger.warning("our own way out is down: too few canaries answer",
            {{"canaries", config_->targets.size()},
                {"failures_withheld", config_->withhold_failures}});
    up_ = up;
    shown_.Set(up ? 1 : 0);
}

void Egress::reconfigure(const config::EgressConfig& config)
{
    if (config == *config_)
        return;
    config_ = std::make_shared<const config::EgressConfig>(config);
    known_until_ = Clock::time_point::min();
    if (!asks()) {
        up_ = true;
        shown_.Set(1);
    }
}

void Egress::stop()
{
    stopped_ = true;
    tasks_.cancel();
    if (question_)
        question_->decided.cancel();
    question_.reset();
}

}  // namespace sonde::schedule
