#include "tests/support/unreachable_net.h"

#include "checkers/ping/echo.h"
#include "tests/support/echo_target.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace sonde::tests {
namespace {

constexpr std::size_t header_size = 20;  // IPv4, without options
constexpr std::size_t protocol_at = 9;
constexpr std::size_t checksum_at = 10;
constexpr std::size_t source_at = 12;
constexpr const char* router = "10.78.0.9";

ifreq request_for(const ifreq& device)
{
    ifreq request{};
    std::memcpy(request.ifr_name, device.ifr_name, IFNAMSIZ);
    return request;
}

bool set_address(int control, unsigned long what, const ifreq& device, const char* to)
{
    ifreq request = request_for(device);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, to, &address.sin_addr);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    return ::ioctl(control, what, &request) == 0;
}

/// A device with 10.78.0.0/16 behind it. @return its descriptor, or -1.
int open_device()
{
    const int tun = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq device{};
    std::strcpy(device.ifr_name, "away%d");
    device.ifr_flags = IFF_TUN | IFF_NO_PI;
    bool good = tun >= 0 && ::ioctl(tun, TUNSETIFF, &device) == 0;
    ifreq up = request_for(device);
    up.ifr_flags = IFF_UP | IFF_RUNNING;
    good = good && set_address(control, SIOCSIFADDR, device, "10.78.0.1") &&
           set_address(control, SIOCSIFNETMASK, device, "255.255.0.0") &&
           ::ioctl(control, SIOCSIFFLAGS, &up) == 0;
    ::close(control);
    if (!good && tun >= 0)
        ::close(tun);
    return good ? tun : -1;
}

}  // namespace

UnreachableNet::UnreachableNet(boost::asio::io_context& loop)
{
    const int device = open_device();
    if (device < 0)
        return;
    device_.emplace(loop, device);
    wait();
}

void UnreachableNet::wait()
{
    device_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
        [this](const boost::system::error_code& failed) {
            if (failed)
                return;
            std::array<char, 2048> buffer;
            for (;;) {
                const auto size = ::read(device_->native_handle(), buffer.data(), buffer.size());
                if (size <= 0)
                    break;
                answer({buffer.data(), static_cast<std::size_t>(size)});
            }
            wait();
        });
}

/// The router's message has the header of the packet and 8 bytes of what follows (RFC 792).
void UnreachableNet::answer(std::string_view packet)
{
    if (packet.size() < header_size + 8 || packet[0] != 0x45)
        return;  // IPv6 looks for neighbours
    const std::string message =
        icmp_message(3, code_, std::string(4, '\0').append(packet.substr(0, header_size + 8)));
    std::string header{packet.substr(0, header_size)};
    const std::size_t length = header_size + message.size();
    header[2] = static_cast<char>(length >> 8U);
    header[3] = static_cast<char>(length & 0xffU);
    header[protocol_at] = 1;
    header.replace(checksum_at, 2, 2, '\0');
    header.replace(source_at + 4, 4, packet.substr(source_at, 4));
    in_addr from{};
    ::inet_pton(AF_INET, router, &from);
    header.replace(source_at, 4, std::string{reinterpret_cast<const char*>(&from), 4});
    const std::uint16_t sum = checkers::ping::checksum(header);
    header[checksum_at] = static_cast<char>(sum >> 8U);
    header[checksum_at + 1] = static_cast<char>(sum & 0xffU);
    const std::string whole = header + message;
    static_cast<void>(!::write(device_->native_handle(), whole.data(), whole.size()));
}

}  // namespace sonde::tests
