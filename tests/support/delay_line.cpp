#include "tests/support/delay_line.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace sonde::tests {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto awake = 200us;  // before a packet is due: a sleep would be late
constexpr std::size_t header_size = 20;
constexpr std::size_t protocol_at = 9;
constexpr std::size_t source_at = 12;
constexpr std::size_t destination_at = 16;
constexpr std::size_t most_bytes = 65536;

// Path n has the third octet n + 1. The client is 10.77.0.1 and asks 10.77.n.2; the
// server 10.77.n.1 hears that from 10.77.0.2. So the line's work is to exchange the last octets 1
// and 2 of source and destination, which leaves all checksums as they are.
std::string address(std::size_t third, int last)
{
    return "10.77." + std::to_string(third) + '.' + std::to_string(last);
}

ifreq request_for(const std::string& device)
{
    ifreq request{};
    std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
    return request;
}

bool set_address(int control, unsigned long what, const std::string& device, const std::string& to)
{
    ifreq request = request_for(device);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, to.c_str(), &address.sin_addr);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    return ::ioctl(control, what, &request) == 0;
}

/// The client's address and route, and an address for the server of each path.
bool configure(const std::string& device, std::size_t paths)
{
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq up = request_for(device);
    up.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP;
    bool good = set_address(control, SIOCSIFADDR, device, address(0, 1)) &&
                set_address(control, SIOCSIFNETMASK, device, "255.255.0.0") &&
                ::ioctl(control, SIOCSIFFLAGS, &up) == 0;
    for (std::size_t path = 0; path < paths; ++path)
        good = good && set_address(control, SIOCSIFADDR, device + ':' + std::to_string(path + 1),
                           DelayLine::server(path));
    ::close(control);
    return good;
}

int open_tap(const std::string& device)
{
    const int tap = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    const int much = 1 << 22;
    ::setsockopt(tap, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    ::setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &much, sizeof much);
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETH_P_ALL);  // others do not see what goes out
    where.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    if (tap >= 0 && ::bind(tap, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0)
        return tap;
    ::close(tap);
    return -1;
}

/// A kernel's stamp, of the wall clock, on the steady one.
Clock::time_point steady_time_of(const timespec& stamp)
{
    timespec now{};
    auto before = Clock::now();
    for (int attempt = 0; attempt < 5; ++attempt) {  // the thread may lose its core in between
        ::clock_gettime(CLOCK_REALTIME, &now);
        const auto after = Clock::now();
        const auto took = after - std::exchange(before, after);
        if (took < 5us)
            break;
    }
    const auto age = std::chrono::seconds{now.tv_sec - stamp.tv_sec} +
                     std::chrono::nanoseconds{now.tv_nsec - stamp.tv_nsec};
    return before - std::clamp<Clock::duration>(age, 0s, 1s);  // should the clock be set meanwhile
}

/// What a TCP segment says that this line needs.
struct Segment {
    std::uint16_t source;
    std::uint16_t destination;
    bool opens;    ///< SYN
    bool carries;  ///< has a payload
};

std::optional<Segment> segment_in(const std::string& bytes)
{
    const auto octet = [&bytes](std::size_t at) {
        return static_cast<unsigned>(static_cast<unsigned char>(bytes[at]));
    };
    const auto number = [&](std::size_t at) {
        return static_cast<std::uint16_t>(octet(at) << 8 | octet(at + 1));
    };
    const std::size_t tcp = (octet(0) & 0xf) * 4;
    if (octet(protocol_at) != IPPROTO_TCP || bytes.size() < tcp + header_size)
        return std::nullopt;
    const std::size_t payload = tcp + (octet(tcp + 12) >> 4) * 4;
    return Segment{number(tcp), number(tcp + 2), (octet(tcp + 13) & 2) != 0,
        number(2) > payload};  // the second word of the IP header: its whole length
}

}  // namespace

DelayLine::DelayLine(std::vector<Path> paths, Priority priority) : priority_{priority}
{
    for (const Path& path : paths)
        for (const Way& way : {path.there, path.back})
            ways_.push_back({way, 0, std::nullopt, {}, {}, {}, {}});
    if (!open()) {
        ::close(std::exchange(device_, -1));
        return;
    }
    thread_ = std::thread{[this] { forward(); }};
}

DelayLine::~DelayLine()
{
    if (thread_.joinable()) {
        ::eventfd_write(stop_, 1);
        thread_.join();
    }
    for (const int descriptor : {device_, tap_, stop_})
        if (descriptor >= 0)
            ::close(descriptor);
}

std::string DelayLine::target(std::size_t path)
{
    return address(path + 1, 2);
}

std::string DelayLine::server(std::size_t path)
{
    return address(path + 1, 1);
}

DelayLine::Late DelayLine::take_late(std::size_t path)
{
    const std::lock_guard locked{notes_};
    return {std::exchange(ways_.at(2 * path).late_us, {}),
        std::exchange(ways_.at(2 * path + 1).late_us, {})};
}

std::vector<DelayLine::Exchange> DelayLine::take_exchanges(std::size_t path)
{
    const std::lock_guard locked{notes_};
    return std::exchange(ways_.at(2 * path).exchanges, {});
}

bool DelayLine::open()
{
    device_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    ifreq request = request_for("delay%d");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (device_ < 0 || stop_ < 0 || ::ioctl(device_, TUNSETIFF, &request) != 0)
        return false;
    tap_ = open_tap(request.ifr_name);
    return tap_ >= 0 && configure(request.ifr_name, ways_.size() / 2);
}

void DelayLine::forward()
{
    const sched_param first{2};
    if (priority_ == Priority::first)
        ::sched_setscheduler(0, SCHED_FIFO, &first);
    for (;;) {
        send_due();
        std::array<pollfd, 2> watched{{{device_, POLLIN, 0}, {stop_, POLLIN, 0}}};
        std::chrono::nanoseconds left = 60s;
        if (!waiting_.empty())
            left =
                std::max<std::chrono::nanoseconds>(waiting_.top().due - Clock::now() - awake, 0ns);
        const timespec rest{left / 1s, (left % 1s).count()};
        if (::ppoll(watched.data(), watched.size(), &rest, nullptr) <= 0)
            continue;
        if (watched[1].revents != 0)
            return;
        take_in();
    }
}

void DelayLine::take_in()
{
    std::array<char, most_bytes> buffer;
    for (;;) {
        const auto size = ::read(device_, buffer.data(), buffer.size());
        if (size <= 0)
            return;
        if (static_cast<std::size_t>(size) < header_size || buffer[0] >> 4 != 4)
            continue;  // IPv6 looks for neighbours
        std::string bytes{buffer.data(), static_cast<std::size_t>(size)};
        const Time set_out = when_set_out(bytes);
        queue(std::move(bytes), set_out);
    }
}

/// The tap has a copy of each packet before the device has it.
DelayLine::Time DelayLine::when_set_out(const std::string& bytes) const
{
    std::array<char, header_size> start{};
    alignas(cmsghdr) std::array<char, 128> control{};
    sockaddr_ll where{};
    iovec part{start.data(), start.size()};
    for (;;) {
        msghdr message{};
        message.msg_name = &where;
        message.msg_namelen = sizeof where;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        if (::recvmsg(tap_, &message, MSG_DONTWAIT) < 0)
            return Clock::now();  // its buffer was full once
        if (where.sll_pkttype != PACKET_OUTGOING ||
            !bytes.starts_with({start.data(), start.size()}))
            continue;
        for (cmsghdr* each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each))
            if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
                timespec stamp{};
                std::memcpy(&stamp, CMSG_DATA(each), sizeof stamp);
                return steady_time_of(stamp);
            }
    }
}

void DelayLine::queue(std::string bytes, Time set_out)
{
    const auto octet = [&bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    const bool back = octet(source_at + 2) != 0;
    const std::size_t path = octet(back ? source_at + 2 : destination_at + 2) - std::size_t{1};
    if (path >= ways_.size() / 2)
        return;  // nobody's: goes nowhere
    for (const std::size_t last : {source_at + 3, destination_at + 3})
        bytes[last] = static_cast<char>(octet(last) == 1 ? 2 : 1);
    const std::size_t number = 2 * path + (back ? 1 : 0);
    if (!back)
        note_dialogue(number, bytes, set_out);
    State& state = ways_[number];
    const auto hit = [n = ++state.packets](unsigned each) { return each != 0 && n % each == 0; };
    if (hit(state.way.lost))
        return;
    const Time due = std::max(set_out + state.way.delay, state.last_due);
    state.last_due = due;
    Packet packet{due, number, std::move(bytes)};
    if (hit(state.way.doubled))
        wait_until(due, packet);
    if (hit(state.way.overtaken) && !state.held) {
        state.held = std::move(packet);
        return;
    }
    wait_until(due, std::move(packet));
    if (auto held = std::exchange(state.held, std::nullopt))
        wait_until(due, *std::move(held));
}

void DelayLine::wait_until(Time due, Packet packet)
{
    packet.due = due;
    packet.number = next_number_++;
    waiting_.push(std::move(packet));
}

void DelayLine::send_due()
{
    while (!waiting_.empty() && waiting_.top().due - Clock::now() <= awake) {
        const Packet packet = waiting_.top();
        waiting_.pop();
        while (Clock::now() < packet.due) {
        }
        send(packet);
    }
}

void DelayLine::send(const Packet& packet)
{
    const std::lock_guard locked{notes_};  // who has the packet finds its lateness noted
    if (::write(device_, packet.bytes.data(), packet.bytes.size()) < 0)
        return;  // the kernel has no room: lost, as on any line
    const auto now = Clock::now();
    const std::chrono::duration<double, std::micro> late = now - packet.due;
    ways_[packet.way].late_us.push_back(late.count());
    if (packet.way % 2 != 0)
        note_dialogue(packet.way, packet.bytes, now);
}

/// Of a packet as it is at the client's end.
void DelayLine::note_dialogue(std::size_t way, const std::string& bytes, Time when)
{
    const auto segment = segment_in(bytes);
    if (!segment)
        return;
    const bool back = way % 2 != 0;
    State& state = ways_[way - (back ? 1 : 0)];
    Connection& connection = state.connections[back ? segment->destination : segment->source];
    if (!back && segment->opens)
        connection = {};
    if (!segment->carries || connection.past)
        return;
    if (!connection.asked) {
        connection.past = back;  // a server that speaks first answers nothing
        connection.asked = when;
    } else if (back) {
        connection.answered = when;
    } else if (connection.answered) {
        connection.past = true;
        const std::lock_guard locked{notes_};
        state.exchanges.push_back({*connection.asked, *connection.answered, when});
    }
}

}  // namespace sonde::tests
