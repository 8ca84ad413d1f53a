#include "tests/bench/peer.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <mutex>
#include <stdexcept>

namespace sonde::bench {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

tcp::endpoint loopback(std::uint16_t port)
{
    return {asio::ip::address_v4::loopback(), port};
}

}  // namespace

struct PeerConnection::State {
    asio::io_context loop;
    tcp::socket socket{loop};
    boost::beast::flat_buffer buffer;
};

PeerConnection::PeerConnection(std::uint16_t port) : state_{std::make_unique<State>()}
{
    state_->socket.connect(loopback(port));
    state_->socket.set_option(tcp::no_delay{true});
}

PeerConnection::~PeerConnection() = default;

std::string PeerConnection::get(const std::string& path)
{
    http::request<http::empty_body> request{http::verb::get, path, 11};
    request.set(http::field::host, "localhost");
    http::write(state_->socket, request);
    http::response<http::string_body> response;
    http::read(state_->socket, state_->buffer, response);
    return std::move(response.body());
}

void await_port(std::uint16_t port, const Process& program, std::chrono::seconds patience)
{
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < give_up) {
        asio::io_context loop;
        tcp::socket socket{loop};
        boost::system::error_code refused;
        socket.connect(loopback(port), refused);
        if (!refused)
            return;
        program.let_work(std::chrono::milliseconds{10});
    }
    throw std::runtime_error{"nobody listens on port " + std::to_string(port)};
}

double value_in(const std::string& page, const std::string& series)
{
    const auto at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

PeerLoad::PeerLoad(std::uint16_t port, std::vector<std::string> paths, int connections, Due due,
    std::size_t most, Seen seen)
    : paths_{std::move(paths)}, due_{std::move(due)}, most_{most}, seen_{std::move(seen)}
{
    for (int i = 0; i < connections; ++i)
        threads_.emplace_back([this, port] { work(port); });
}

PeerLoad::~PeerLoad()
{
    stop_ = true;
    join();
}

void PeerLoad::join()
{
    for (std::thread& thread : threads_)
        if (thread.joinable())
            thread.join();
}

void PeerLoad::work(std::uint16_t port)
{
    static std::mutex one_at_a_time;
    PeerConnection connection{port};
    while (!stop_) {
        const std::size_t number = next_++;
        if (number >= most_)
            return;
        std::this_thread::sleep_until(began_ + due_(number));
        const std::string page = connection.get(paths_[number % paths_.size()]);
        if (value_in(page, "probe_success") != 1)
            ++failed_;
        ++done_;
        if (seen_) {
            const std::lock_guard locked{one_at_a_time};
            seen_(number, page);
        }
    }
}

}  // namespace sonde::bench
