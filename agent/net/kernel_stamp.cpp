#include "agent/net/kernel_stamp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace sonde::net {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_peeked = 64 * 1024;

Received receive_with(int socket, std::span<char> into, int flags)
{
    std::array<char, 128> control{};
    iovec part{into.data(), into.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(socket, &header, flags | MSG_DONTWAIT);
    Received out;
    if (size < 0) {
        out.error = {errno, boost::system::system_category()};
        out.seen = Clock::now();
        return out;
    }
    const Now now = Now::read();
    out.seen = now.steady;
    out.size = std::min(static_cast<std::size_t>(size), into.size());
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, each))
        if (const auto waited = time_since_stamp(*each, now))
            out.waited = waited;
    return out;
}

/// TCP_INFO as Linux has it since 4.6; the C library declares the first part only.
struct TcpInfo : tcp_info {
    std::uint64_t pacing_rate;
    std::uint64_t max_pacing_rate;
    std::uint64_t bytes_acked;
    std::uint64_t bytes_received;
    std::uint32_t segments_out;
    std::uint32_t segments_in;
    std::uint32_t unsent_bytes;
    std::uint32_t min_rtt;
    std::uint32_t data_segments_in;
    std::uint32_t data_segments_out;
};
static_assert(sizeof(TcpInfo) == 160);

std::optional<TcpInfo> info_of(int socket)
{
    TcpInfo info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return std::nullopt;
    return info;
}

}  // namespace

void keep_stamping()
{
    static const int keeper = [] {
        const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (socket >= 0)
            stamp_received(socket);
        return socket;
    }();
    static_cast<void>(keeper);
}

void stamp_received(int socket)
{
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
}

Now Now::read()
{
    constexpr nanoseconds close{5000};
    constexpr int attempts = 5;  // the thread may lose its core between the two
    Now now;
    for (int i = 0; i < attempts; ++i) {
        timespec wall{};
        const auto before = Clock::now();
        ::clock_gettime(CLOCK_REALTIME, &wall);
        now.steady = Clock::now();
        now.wall = std::chrono::seconds{wall.tv_sec} + nanoseconds{wall.tv_nsec};
        if (now.steady - before < close)
            break;
    }
    return now;
}

std::optional<nanoseconds> time_since_stamp(const cmsghdr& part, const Now& now)
{
    if (part.cmsg_level != SOL_SOCKET || part.cmsg_type != SCM_TIMESTAMPNS)
        return std::nullopt;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(&part), sizeof stamp);
    return now.wall - std::chrono::seconds{stamp.tv_sec} - nanoseconds{stamp.tv_nsec};
}

nanoseconds Received::late(SteadyTime since) const
{
    const bool believable = waited && *waited >= nanoseconds::zero() && *waited <= seen - since;
    return believable ? *waited : nanoseconds::zero();
}

Received receive(int socket, std::span<char> into)
{
    return receive_with(socket, into, 0);
}

Received peek(int socket, Bytes which)
{
    // MSG_TRUNC leaves TCP nothing to copy; the kernel wants a place all the same. Loop thread
    // only.
    static std::array<char, most_peeked> place;
    const std::span<char> all{place};
    return receive_with(socket, which == Bytes::first ? all.first(1) : all, MSG_PEEK | MSG_TRUNC);
}

std::optional<nanoseconds> handshake_time(int socket, nanoseconds measured)
{
    const auto info = info_of(socket);
    if (!info || info->tcpi_total_retrans != 0 || info->tcpi_rtt == 0)
        return std::nullopt;
    const nanoseconds rtt = std::chrono::microseconds{info->tcpi_rtt};
    return rtt <= measured ? std::optional{rtt} : std::nullopt;
}

nanoseconds starved()
{
    // "ran waited slices": the file is that of the thread which opens it.
    static thread_local const int file =
        ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    std::array<char, 64> text{};
    if (file < 0 || ::pread(file, text.data(), text.size() - 1, 0) <= 0)
        return nanoseconds::zero();
    char* rest = nullptr;
    std::strtoull(text.data(), &rest, 10);
    return nanoseconds{std::strtoull(rest, nullptr, 10)};
}

nanoseconds starved_lately()
{
    constexpr std::chrono::microseconds lately{100};
    static thread_local SteadyTime asked;
    static thread_local nanoseconds answer{0};
    if (const auto now = Clock::now(); now - asked > lately) {
        answer = starved();
        asked = now;
    }
    return answer;
}

void Arrivals::begin(bool tls)
{
    *this = {};
    tls_ = tls;
    began_ = Clock::now();
}

/// Only what came in before we sent something has delayed the peer; what was followed by more of
/// the same has not.
void Arrivals::settle(int socket)
{
    const auto info = info_of(socket);
    if (!info || info->data_segments_out == sent_)
        return;
    sent_ = info->data_segments_out;
    settled_ += std::exchange(last_, nanoseconds::zero());
}

void Arrivals::look(int socket)
{
    current_ = true;
    if (in_handshake()) {
        settle(socket);
        starved_before_ = starved();
    }
    if (!tls_ && !answered_)
        arrival_ = peek(socket, Bytes::first).arrived(began_);
    const Received newest = peek(socket, Bytes::all);
    last_ = newest.late(began_);
    if (tls_)
        arrival_ = newest.arrived(began_);
}

void Arrivals::handled()
{
    if (current_ && in_handshake())
        last_ += starved() - starved_before_;
    current_ = false;
}

nanoseconds Arrivals::late() const
{
    const bool in_the_midst = current_ && in_handshake();
    return settled_ + last_ + (in_the_midst ? starved() - starved_before_ : nanoseconds::zero());
}

SteadyTime Arrivals::answered(SteadyTime since)
{
    answered_ = true;
    if (arrival_ < since)  // what was looked at has led to the request: its answer was read at once
        current_ = false;
    const auto now = Clock::now();
    return current_ ? std::min(arrival_, now) : now;
}

void Arrivals::end()
{
    const auto now = Clock::now();
    ended_ = current_ ? now - last_ : now;
}

}  // namespace sonde::net
