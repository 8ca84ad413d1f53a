#include "checkers/dns/exchange.h"

#include "agent/base/host_port.h"
#include "agent/net/kernel_stamp.h"
#include "checkers/blocked.h"
#include "checkers/dial.h"
#include "checkers/dns/metrics.h"
#include "checkers/phase_timer.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>
#include <span>
#include <type_traits>

namespace sonde::checkers::dns {
namespace {

using boost::system::error_code;

// One buffer for all runs: it is read in one go, without a wait in between. Loop thread only.
constinit std::array<char, 65535> received{};
constexpr int most_discards_logged = 20;

/// What failed, in the words of its code. @throws operation_aborted.
Exchanged failed(std::string_view code, const Exchange& asked, const error_code& error)
{
    if (error == asio::error::operation_aborted)
        throw boost::system::system_error{error};
    const std::string_view cause = cause_of(error, asked.server);
    const char* const who =
        cause.starts_with("local_") ? "this probe cannot talk to" : "no response from";
    Exchanged out;
    out.verdict = Verdict::fail(code,
        fmt::format(
            "{} {} port {}: {}", who, asked.server.to_string(), asked.port, error.message()),
        cause)
                      .with("address", HostPort{asked.server.to_string(), asked.port}.text());
    return out;
}

Exchanged unreadable(const Reading& reading)
{
    Exchanged out;
    out.verdict = Verdict::fail("dns_response", "response could not be read: " + reading.why,
        reading.fit == Fit::foreign ? "mismatch" : "malformed");
    return out;
}

template <class Socket>
error_code open(Socket& socket, const typename Socket::endpoint_type& to, const std::string& source)
{
    error_code error;
    if (socket.open(to.protocol(), error); error || source.empty())
        return error;
    socket.bind({asio::ip::make_address(source), 0}, error);
    return error;
}

bool of_source(const Exchange& asked, const error_code& error)
{
    return !asked.source.empty() && (error.value() == EADDRNOTAVAIL || error.value() == EINVAL);
}

/// Connects within the phase "connect".
template <class Socket>
asio::awaitable<std::optional<Exchanged>> connect(Run& run, Socket& socket, const Exchange& asked)
{
    PhaseTimer timer{run, metrics::duration_seconds, "connect"};
    const typename Socket::endpoint_type to{asked.server, asked.port};
    error_code error = open(socket, to, asked.source);
    if (error) {
        Exchanged out = failed("connect", asked, error);
        if (of_source(asked, error))
            out.verdict.cause = "local_source_address";
        co_return out;
    }
    net::stamp_received(socket.native_handle());
    if constexpr (std::is_same_v<Socket, asio::ip::udp::socket>)
        socket.connect(to, error);  // sends nothing, waits for nothing
    else
        co_await socket.async_connect(to, asio::redirect_error(asio::use_awaitable, error));
    if (error)
        co_return failed("connect", asked, error);
    if constexpr (!std::is_same_v<Socket, asio::ip::udp::socket>)
        if (const auto took = net::handshake_time(
                socket.native_handle(), PhaseTimer::Clock::now() - timer.began()))
            timer.ended(timer.began() + *took);
    co_return std::nullopt;
}

/// What is there, once something is.
template <class Socket>
asio::awaitable<net::Received> receive(Socket& socket, std::span<char> into)
{
    net::Received got;
    do {
        co_await socket.async_wait(
            Socket::wait_read, asio::redirect_error(asio::use_awaitable, got.error));
        if (got.error)
            break;
        got = net::receive(socket.native_handle(), into);
    } while (got.error == asio::error::would_block);
    co_return got;
}

asio::awaitable<Exchanged> over_udp(Run& run, const Exchange& asked)
{
    asio::ip::udp::socket socket{co_await asio::this_coro::executor};
    auto refused = co_await connect(run, socket, asked);
    if (refused)
        co_return std::move(*refused);
    const std::string query = build_query(asked.id, asked.name, asked.type);
    PhaseTimer timer{run, metrics::duration_seconds, "request"};
    error_code error;
    socket.send(asio::buffer(query), 0, error);
    std::string discarded;
    int discards = 0;
    while (!error) {
        const net::Received got = co_await receive(socket, received);
        error = got.error;
        if (error)
            break;
        const std::string_view bytes{received.data(), got.size};
        Reading reading = read_response(bytes, asked.id, asked.name, asked.type);
        if (reading.fit == Fit::response || reading.fit == Fit::malformed)
            timer.ended(got.arrived(timer.began()));
        if (reading.fit == Fit::response) {
            Exchanged out;
            out.message = std::move(reading.message);
            co_return out;
        }
        if (reading.fit == Fit::malformed)
            co_return unreadable(reading);
        // Somebody else's, or a forgery: the response may still come.
        if (reading.why == discarded || ++discards > most_discards_logged)
            continue;
        discarded = reading.why;
        CheckLog::Fields why;
        why.emplace_back("why", reading.why);
        run.log.info("Ignored a datagram", std::move(why));
    }
    // A refusal of the port comes with the next receive: it counts as a failed connection.
    co_return failed(
        error == asio::error::connection_refused ? "connect" : "dns_response", asked, error);
}

/// Fills `into`. @return the last piece; its error is eof when the stream ends before.
asio::awaitable<net::Received> receive_all(asio::ip::tcp::socket& socket, std::span<char> into)
{
    net::Received got;
    while (!into.empty() && !got.error) {
        got = co_await receive(socket, into);
        if (!got.error && got.size == 0)
            got.error = asio::error::eof;
        into = into.subspan(got.size);
    }
    co_return got;
}

asio::awaitable<Exchanged> over_tcp(Run& run, const Exchange& asked)
{
    asio::ip::tcp::socket socket{co_await asio::this_coro::executor};
    auto refused = co_await connect(run, socket, asked);
    if (refused)
        co_return std::move(*refused);
    std::string query = build_query(asked.id, asked.name, asked.type);
    const std::size_t length = query.size();
    query.insert(0, 1, static_cast<char>(length & 0xffU));
    query.insert(0, 1, static_cast<char>(length >> 8U));
    PhaseTimer timer{run, metrics::duration_seconds, "request"};
    error_code error;
    co_await asio::async_write(
        socket, asio::buffer(query), asio::redirect_error(asio::use_awaitable, error));
    if (error)
        co_return failed("dns_response", asked, error);
    std::array<char, 2> prefix{};
    net::Received got = co_await receive_all(socket, prefix);
    std::string bytes(static_cast<std::size_t>(static_cast<unsigned char>(prefix[0]) << 8U |
                                               static_cast<unsigned char>(prefix[1])),
        '\0');
    if (!got.error && !bytes.empty())
        got = co_await receive_all(socket, bytes);
    if (got.error)
        co_return failed("dns_response", asked, got.error);
    timer.ended(got.arrived(timer.began()));
    Reading reading = read_response(bytes, asked.id, asked.name, asked.type);
    if (reading.fit != Fit::response)
        co_return unreadable(reading);
    Exchanged out;
    out.message = std::move(reading.message);
    co_return out;
}

}  // namespace

asio::awaitable<Exchanged> exchange(Run& run, Exchange asked)
{
    if (auto refused = blocked(run.options, asked.server, asked.port)) {
        Exchanged out;
        out.verdict = std::move(*refused);
        co_return out;
    }
    if (asked.tcp)
        co_return co_await over_tcp(run, asked);
    co_return co_await over_udp(run, asked);
}

}  // namespace sonde::checkers::dns
