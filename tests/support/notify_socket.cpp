#include "tests/support/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sonde::tests {
namespace {

constexpr int patience_ms = 60'000;

}  // namespace

NotifySocket::NotifySocket(std::string path)
    : path_{std::move(path)}, socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)}
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool fits = path_.size() < sizeof address.sun_path;
    if (fits)
        std::memcpy(address.sun_path, path_.c_str(), path_.size());
    if (!fits || ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket_);
        throw std::runtime_error{"no socket can be bound to " + path_};
    }
}

NotifySocket::~NotifySocket()
{
    ::close(socket_);
    ::unlink(path_.c_str());
}

bool NotifySocket::await(std::string_view line) const
{
    pollfd wanted{socket_, POLLIN, 0};
    std::array<char, 4096> buffer{};
    const std::string whole = "\n" + std::string{line} + "\n";
    while (::poll(&wanted, 1, patience_ms) == 1) {
        const auto size = std::max(::recv(socket_, buffer.data(), buffer.size(), 0), 0L);
        const std::string message{buffer.data(), static_cast<std::size_t>(size)};
        if (("\n" + message + "\n").find(whole) != std::string::npos)
            return true;
    }
    return false;
}

}  // namespace sonde::tests
