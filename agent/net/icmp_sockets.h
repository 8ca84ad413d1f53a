#pragma once

#include "agent/base/error.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::net {

namespace asio = boost::asio;

/// An ICMP message as it came in.
struct IcmpPacket {
    std::string_view message;  ///< from the ICMP header on; valid during the call only
    asio::ip::address source;
    std::optional<int> hop_limit;                    ///< TTL or hop limit, if the kernel told
    std::chrono::steady_clock::time_point received;  ///< after the receive call
    /// How long the packet lay in the socket before, by the kernel's stamp; zero when unknown.
    std::chrono::nanoseconds waited{0};
};

/// One ICMP socket, maybe used by several runs at a time: each hears every packet and knows its
/// own. Loop thread only.
class IcmpSocket : public std::enable_shared_from_this<IcmpSocket> {
public:
    using Listener = std::function<void(const IcmpPacket&)>;

    /// Hears packets for as long as it lives.
    class Subscription {
    public:
        Subscription(std::shared_ptr<IcmpSocket> socket, Listener listener);
        ~Subscription();
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;

    private:
        std::shared_ptr<IcmpSocket> socket_;
        std::uint64_t number_;
    };

    IcmpSocket(
        const asio::any_io_executor& loop, int descriptor, bool v6, bool raw, std::uint16_t id);

    /// Hands a message to the kernel. Broadcast addresses are allowed at the second try.
    boost::system::error_code send(const asio::ip::address& to, std::string_view message);

    bool raw() const { return raw_; }
    /// Identifier of our messages; of datagram sockets the kernel's.
    std::uint16_t id() const { return id_; }

private:
    void wait();
    void receive_all();
    bool receive_one();

    asio::posix::stream_descriptor descriptor_;
    bool v6_;
    bool raw_;
    std::uint16_t id_;
    bool waiting_ = false;
    std::uint64_t next_number_ = 1;
    std::map<std::uint64_t, Listener> listeners_;
};

/// Opens ICMP sockets, unprivileged ones if the kernel allows it, else raw ones, and shares them
/// between runs (spec 02 §4.3, §9.6). Loop thread only.
class IcmpSockets {
public:
    struct Wanted {
        bool v6 = false;
        bool dont_fragment = false;
        std::string source;  ///< local IP address; empty: the kernel's choice

        auto operator<=>(const Wanted&) const = default;
    };

    explicit IcmpSockets(const asio::any_io_executor& loop);

    /// A socket, shared with others that want the same unless `own`.
    /// @return Error "socket" with a cause of spec 02 §1.10.
    Result<std::shared_ptr<IcmpSocket>> get(const Wanted& wanted, bool own);

private:
    Result<std::shared_ptr<IcmpSocket>> open(const Wanted& wanted) const;

    asio::any_io_executor loop_;
    std::uint16_t id_;  // of raw sockets
    std::map<Wanted, std::weak_ptr<IcmpSocket>> shared_;
};

}  // namespace sonde::net
