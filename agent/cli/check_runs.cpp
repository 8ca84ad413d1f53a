#include "agent/cli/check_runs.h"

#include "agent/net/curl_multi.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/registry.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <exception>

namespace sonde::cli {
namespace {

namespace asio = boost::asio;
using Came = std::function<void(const Outcome&)>;

/// A loop with all that a run needs.
class Bench {
public:
    Bench(const CheckRequest& request, const Came& came) : request_{request}, came_{came}
    {
        for (const pb::Check& check : request.checks) {
            prepared_.push_back(checkers::make(check));
            // Reading the system's trust store takes 15 ms, which would be part of the first run.
            if (check.settings().has_http() || check.settings().tcp().tls())
                static_cast<void>(tls_.get({}));
        }
    }

    bool run(int count)
    {
        asio::signal_set signals{loop_, SIGINT, SIGTERM};
        asio::cancellation_signal stop;
        bool interrupted = false;
        signals.async_wait([&](const boost::system::error_code& failed, int) {
            if (failed)
                return;
            interrupted = true;
            stop.emit(asio::cancellation_type::terminal);
        });
        std::exception_ptr failure;
        auto done = [&](const std::exception_ptr& failed) {
            failure = failed;
            loop_.stop();  // shared sockets would keep it waiting for packets
        };
        asio::co_spawn(loop_, all(count), asio::bind_cancellation_slot(stop.slot(), done));
        loop_.run();
        if (failure && !interrupted)
            std::rethrow_exception(failure);
        return interrupted;
    }

private:
    asio::awaitable<void> all(int count)
    {
        asio::steady_timer pause{loop_};
        for (int round = 0; count == 0 || round < count; ++round) {
            const auto began = asio::steady_timer::clock_type::now();
            for (std::size_t i = 0; i < prepared_.size(); ++i)
                co_await one(request_.checks[i], prepared_[i]);
            if (round + 1 == count)
                break;
            pause.expires_at(began + request_.interval);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }

    asio::awaitable<void> one(const pb::Check& check, const checkers::Prepared& prepared)
    {
        checkers::Subject subject;
        subject.target = check.target();
        subject.timeout = std::chrono::milliseconds{check.timeout()};
        subject.check_id = check.id();
        const auto report = co_await checkers::run_once(
            *prepared.kind, *prepared.checker, services_, options_, subject);
        const Outcome outcome{check, *prepared.kind, report, request_.limits};
        came_(outcome);
    }

    const CheckRequest& request_;
    const Came& came_;
    asio::io_context loop_{1};
    const std::unique_ptr<net::Resolver> resolver_ = net::make_resolver(loop_.get_executor());
    net::CurlMulti curl_{loop_.get_executor()};
    net::TlsContexts tls_;
    net::IcmpSockets icmp_{loop_.get_executor()};
    net::Services services_{*resolver_, curl_, tls_, icmp_};
    const config::CheckersConfig options_;
    std::vector<checkers::Prepared> prepared_;
};

}  // namespace

bool run_checks(const CheckRequest& request, int count, const Came& came)
{
    return Bench{request, came}.run(count);
}

}  // namespace sonde::cli
