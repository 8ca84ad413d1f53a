#include "tests/support/scripted_server.h"

#include <boost/algorithm/string/replace.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace sonde::tests {

using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

ScriptedServer::ScriptedServer(asio::io_context& loop, std::vector<std::vector<Step>> scripts)
    : acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}, scripts_{std::move(scripts)}
{
    for (auto& script : scripts_)
        for (Step& step : script)
            boost::replace_all(step.send, "{port}", std::to_string(port()));
    asio::co_spawn(loop, accept(), asio::detached);
}

asio::awaitable<void> ScriptedServer::accept()
{
    for (std::size_t number = 0;; ++number) {
        tcp::socket socket{acceptor_.get_executor()};
        error_code failed;
        co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        received_.emplace_back();
        const auto& script = scripts_[std::min(number, scripts_.size() - 1)];
        asio::co_spawn(
            acceptor_.get_executor(), serve(std::move(socket), script, number), asio::detached);
    }
}

asio::awaitable<void> ScriptedServer::serve(
    tcp::socket socket, std::vector<Step> script, std::size_t number)
{
    error_code failed;
    char bytes[4096];
    for (const Step& step : script) {
        while (!failed && received_[number].find(step.await) == std::string::npos) {
            const std::size_t size = co_await socket.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
            received_[number].append(bytes, size);
        }
        if (step.delay.count() > 0) {
            asio::steady_timer later{acceptor_.get_executor(), step.delay};
            co_await later.async_wait(asio::redirect_error(asio::use_awaitable, failed));
        }
        co_await asio::async_write(
            socket, asio::buffer(step.send), asio::redirect_error(asio::use_awaitable, failed));
        if (step.hold) {
            held_.push_back(std::move(socket));
            co_return;
        }
        if (step.reset) {
            socket.set_option(tcp::socket::linger{true, 0}, failed);
            socket.close(failed);  // the destructor would take the option back
            co_return;
        }
    }
}

DatagramServer::DatagramServer(asio::io_context& loop, Answer answer)
    : socket_{loop, {asio::ip::address_v4::loopback(), 0}}, answer_{std::move(answer)}
{
    asio::co_spawn(loop, serve(), asio::detached);
}

asio::awaitable<void> DatagramServer::serve()
{
    char bytes[4096];
    for (;;) {
        udp::endpoint from;
        error_code failed;
        const std::size_t size = co_await socket_.async_receive_from(
            asio::buffer(bytes), from, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        for (const std::string& datagram : answer_({bytes, size}))
            co_await socket_.async_send_to(asio::buffer(datagram), from, asio::use_awaitable);
    }
}

}  // namespace sonde::tests
