#include "agent/net/icmp_sockets.h"

#include "agent/net/kernel_stamp.h"

#include <arpa/inet.h>
#include <boost/asio/ip/icmp.hpp>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace sonde::net {
namespace {

using asio::ip::icmp;
using boost::system::error_code;

constexpr int receive_buffer_bytes = 1 << 20;
constexpr int send_buffer_bytes = 256 * 1024;
constexpr std::size_t largest_packet = 65536 + 128;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_{fd} {}
    ~Descriptor()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

void set(int fd, int level, int option, int value)
{
    ::setsockopt(fd, level, option, &value, sizeof value);
}

Error failed(const char* what, int number, std::string_view cause)
{
    return Error{
        "socket", fmt::format("this probe cannot {}: {}", what, std::strerror(number)), cause};
}

/// Only echo replies wake us; another process's are told apart later.
void filter_raw(int fd, bool v6)
{
    if (v6) {
        icmp6_filter filter{};
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
        return;
    }
    icmp_filter filter{};
    filter.data = ~(1U << ICMP_ECHOREPLY);
    ::setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
}

void set_options(int fd, const IcmpSockets::Wanted& wanted)
{
    set(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
    set(fd, SOL_SOCKET, SO_SNDBUF, send_buffer_bytes);
    stamp_received(fd);
    if (wanted.v6) {
        set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64);
        set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
            wanted.dont_fragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
    } else {
        set(fd, IPPROTO_IP, IP_RECVTTL, 1);
        set(fd, IPPROTO_IP, IP_TTL, 64);
        set(fd, IPPROTO_IP, IP_MTU_DISCOVER,
            wanted.dont_fragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
    }
}

/// The kernel's receive stamp and the hop limit of a message that has just been received.
void read_control(const msghdr& header, IcmpPacket& packet)
{
    const Now now = Now::read();
    packet.received = now.steady;
    for (const cmsghdr* part = CMSG_FIRSTHDR(&header); part;
        part = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(part))) {
        if (const auto waited = time_since_stamp(*part, now)) {
            packet.waited = *waited;
        } else if ((part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TTL) ||
                   (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT)) {
            int limit = 0;
            std::memcpy(&limit, CMSG_DATA(part), sizeof limit);
            packet.hop_limit = limit;
        }
    }
}

}  // namespace

IcmpSocket::Subscription::Subscription(std::shared_ptr<IcmpSocket> socket, Listener listener)
    : socket_{std::move(socket)}, number_{socket_->next_number_++}
{
    socket_->listeners_.emplace(number_, std::move(listener));
    socket_->wait();
}

IcmpSocket::Subscription::~Subscription()
{
    socket_->listeners_.erase(number_);
    if (socket_->listeners_.empty())  // nobody listens: the loop must not wait for packets
        socket_->descriptor_.cancel();
}

IcmpSocket::IcmpSocket(
    const asio::any_io_executor& loop, int descriptor, bool v6, bool raw, std::uint16_t id)
    : descriptor_{loop, descriptor}, v6_{v6}, raw_{raw}, id_{id}
{}

error_code IcmpSocket::send(const asio::ip::address& to, std::string_view message)
{
    const icmp::endpoint endpoint{to, 0};
    const auto attempt = [&] {
        const auto sent = ::sendto(descriptor_.native_handle(), message.data(), message.size(),
            MSG_NOSIGNAL, endpoint.data(), static_cast<socklen_t>(endpoint.size()));
        return sent < 0 ? error_code{errno, boost::system::system_category()} : error_code{};
    };
    error_code error = attempt();
    if (error.value() == EACCES) {
        set(descriptor_.native_handle(), SOL_SOCKET, SO_BROADCAST, 1);
        error = attempt();
    }
    return error;
}

void IcmpSocket::wait()
{
    if (listeners_.empty() || std::exchange(waiting_, true))
        return;
    descriptor_.async_wait(
        asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](const error_code&) {
            self->waiting_ = false;
            self->receive_all();
            self->wait();
        });
}

void IcmpSocket::receive_all()
{
    constexpr int at_once = 64;  // then others have their turn
    for (int i = 0; i < at_once && receive_one(); ++i) {
    }
}

bool IcmpSocket::receive_one()
{
    static std::vector<char> buffer(largest_packet);  // loop thread only
    std::array<char, 256> control{};
    sockaddr_storage from{};
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(descriptor_.native_handle(), &header, MSG_DONTWAIT);
    if (size < 0)
        return false;
    IcmpPacket packet;
    read_control(header, packet);
    icmp::endpoint source;
    std::memcpy(source.data(), &from, std::min<std::size_t>(header.msg_namelen, source.capacity()));
    packet.source = source.address();
    if (packet.source.is_v6()) {  // a link-local source has a scope, the destination may have none
        auto plain = packet.source.to_v6();
        plain.scope_id(0);
        packet.source = plain;
    }
    packet.message = {buffer.data(), static_cast<std::size_t>(size)};
    if (raw_ && !v6_) {  // raw IPv4 brings the IP header along
        const std::size_t ip_header =
            packet.message.empty() ? 0 : (static_cast<unsigned char>(packet.message[0]) & 15U) * 4U;
        packet.message.remove_prefix(std::min(ip_header, packet.message.size()));
    }
    const auto listeners = listeners_;  // one of them may end its run
    for (const auto& [number, listener] : listeners)
        if (listeners_.contains(number))
            listener(packet);
    return true;
}

IcmpSockets::IcmpSockets(const asio::any_io_executor& loop)
    : loop_{loop}, id_{static_cast<std::uint16_t>(std::random_device{}())}
{
    keep_stamping();
}

Result<std::shared_ptr<IcmpSocket>> IcmpSockets::get(const Wanted& wanted, bool own)
{
    if (own)
        return open(wanted);
    auto& kept = shared_[wanted];
    if (auto socket = kept.lock())
        return socket;
    auto opened = open(wanted);
    if (opened)
        kept = *opened;
    return opened;
}

Result<std::shared_ptr<IcmpSocket>> IcmpSockets::open(const Wanted& wanted) const
{
    const int family = wanted.v6 ? AF_INET6 : AF_INET;
    const int protocol =
        wanted.v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
    constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    bool raw = false;
    int fd = ::socket(family, SOCK_DGRAM | flags, protocol);
    if (fd < 0) {
        raw = true;
        fd = ::socket(family, SOCK_RAW | flags, protocol);
    }
    if (fd < 0) {
        const int number = errno;
        if (number == EACCES || number == EPERM)
            return Error{"socket",
                "this probe may not send pings: widen net.ipv4.ping_group_range to its group, or "
                "give it CAP_NET_RAW",
                "local_no_permission"};
        if (number == EAFNOSUPPORT)
            return failed(wanted.v6 ? "use IPv6" : "use IPv4", number, "local_no_route");
        return failed("open an ICMP socket", number, "local_exhausted");
    }
    Descriptor descriptor{fd};
    set_options(fd, wanted);
    if (raw)
        filter_raw(fd, wanted.v6);
    if (!wanted.source.empty()) {
        const icmp::endpoint local{asio::ip::make_address(wanted.source), 0};
        if (::bind(fd, local.data(), static_cast<socklen_t>(local.size())) != 0)
            return failed(fmt::format("use {} as source", wanted.source).c_str(), errno,
                "local_source_address");
    }
    return std::make_shared<IcmpSocket>(loop_, descriptor.release(), wanted.v6, raw, id_);
}

}  // namespace sonde::net
