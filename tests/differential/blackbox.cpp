#include "tests/differential/blackbox.h"

#include "tests/support/loop.h"
#include "tests/support/real_servers.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <stdexcept>
#include <vector>

namespace sonde::tests {
namespace {

using asio::ip::tcp;

/// Sends a request and reads until the peer closes.
asio::awaitable<std::string> exchange(
    asio::io_context& loop, std::uint16_t port, std::string request)
{
    tcp::socket socket{loop};
    const tcp::endpoint peer{asio::ip::address_v4::loopback(), port};
    co_await socket.async_connect(peer, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    std::string answer;
    boost::system::error_code end;
    auto into = asio::dynamic_buffer(answer);
    co_await asio::async_read(
        socket, std::move(into), asio::redirect_error(asio::use_awaitable, end));
    co_return answer;
}

std::string escaped(std::string_view text)
{
    std::string out;
    for (const char byte : text)
        out += fmt::format("%{:02x}", static_cast<unsigned char>(byte));
    return out;
}

}  // namespace

Blackbox::Blackbox(asio::io_context& loop) : loop_{loop}
{
    const std::string file = folder_.write("blackbox.yml", "modules: {}\n");
    try {
        process_.emplace(
            std::vector<std::string>{"prometheus-blackbox-exporter", "--config.file=" + file,
                fmt::format("--web.listen-address=127.0.0.1:{}", port_)},
            folder_.path("blackbox.log"));
    } catch (const std::runtime_error& error) {
        FAIL(std::string{error.what()} << ": packaging/install-packages.sh test installs it");
    }
    await_listener(port_);
}

std::string Blackbox::probe(std::string_view prober, std::string_view options,
    std::string_view target, std::chrono::milliseconds timeout)
{
    const std::string modules =
        fmt::format("modules: {{it: {{prober: {0}, timeout: {1}ms, {0}: {{{2}}}}}}}\n", prober,
            timeout.count(), options);
    CAPTURE(modules);
    folder_.write("blackbox.yml", modules);
    ask("POST", "/-/reload");
    return ask("GET", "/probe?module=it&target=" + escaped(target));
}

std::string Blackbox::ask(std::string_view method, std::string_view path)
{
    const std::string answer =
        await(loop_, exchange(loop_, port_, fmt::format("{} {} HTTP/1.0\r\n\r\n", method, path)));
    REQUIRE_MESSAGE(answer.starts_with("HTTP/1.0 200 "), answer);
    const auto head = answer.find("\r\n\r\n");
    REQUIRE(head != std::string::npos);
    return answer.substr(head + 4);
}

}  // namespace sonde::tests
