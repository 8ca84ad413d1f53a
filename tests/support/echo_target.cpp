#include "tests/support/echo_target.h"

#include "checkers/ping/echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sonde::tests {
namespace {

constexpr std::uint8_t echo_request = 8;

sockaddr_in address_of(const std::string& text)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, text.c_str(), &address.sin_addr);
    return address;
}

void send(const EchoTarget::Packet& packet)
{
    const sockaddr_in from = address_of(packet.source);
    const sockaddr_in to = address_of("127.0.0.1");
    const int socket = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    ::bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof from);
    ::sendto(socket, packet.message.data(), packet.message.size(), 0,
        reinterpret_cast<const sockaddr*>(&to), sizeof to);
    ::close(socket);
}

}  // namespace

std::string icmp_message(std::uint8_t type, std::uint8_t code, std::string_view rest)
{
    std::string message{static_cast<char>(type), static_cast<char>(code), '\0', '\0'};
    message += rest;
    const std::uint16_t sum = checkers::ping::checksum(message);
    message[2] = static_cast<char>(sum >> 8U);
    message[3] = static_cast<char>(sum & 0xffU);
    return message;
}

EchoTarget::EchoTarget(asio::io_context& loop, Answer answer) : answer_{std::move(answer)}
{
    const int socket = ::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (socket < 0)
        return;
    descriptor_.emplace(loop, socket);
    wait();
}

void EchoTarget::wait()
{
    descriptor_->async_wait(
        asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ended) {
            if (ended)
                return;
            receive();
            wait();
        });
}

void EchoTarget::receive()
{
    std::string packet(65536, '\0');
    for (;;) {
        const auto size = ::recv(descriptor_->native_handle(), packet.data(), packet.size(), 0);
        if (size < 0)
            return;
        const std::size_t header = (static_cast<unsigned char>(packet[0]) & 15U) * 4U;
        const std::string_view message =
            std::string_view{packet}.substr(header, static_cast<std::size_t>(size) - header);
        if (message.size() < 8 || static_cast<unsigned char>(message[0]) != echo_request)
            continue;
        const auto sequence = static_cast<std::uint16_t>(
            static_cast<unsigned char>(message[6]) << 8U | static_cast<unsigned char>(message[7]));
        for (const Packet& reply : answer_(sequence, message.substr(4)))
            send(reply);
    }
}

}  // namespace sonde::tests
