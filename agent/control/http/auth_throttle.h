#pragma once

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

namespace sonde::control {

/// Counts refused credentials by client, so that nobody tries them at will (spec 04 §1.7). A right
/// one always passes: one expired token behind a NAT must not shut out its neighbours. Loop thread
/// only.
class AuthThrottle {
public:
    using Clock = std::chrono::steady_clock;

    /// @param per_minute refusals that a client may have; nullopt: any number.
    /// @param most_clients remembered at a time; beyond it the oldest is forgotten.
    explicit AuthThrottle(
        std::optional<std::int64_t> per_minute, std::size_t most_clients = 100'000)
        : per_minute_{per_minute}, most_clients_{most_clients}
    {}

    /// One more refusal. Clients are told apart by IPv4 address, or by IPv6 network of 64 bits.
    /// @return how long this one should wait; nullopt: it has not had too many.
    std::optional<std::chrono::seconds> refused(
        const boost::asio::ip::address& client, Clock::time_point now);

private:
    using Order = std::list<std::string>;
    struct Count {
        Clock::time_point since;
        std::int64_t refusals = 0;
        Order::iterator place = {};
    };
    void forget_oldest();

    std::optional<std::int64_t> per_minute_;
    std::size_t most_clients_;
    std::map<std::string, Count> counts_;
    Order order_;  // of counts_, by when each began
};

}  // namespace sonde::control
