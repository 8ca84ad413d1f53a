#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// An ICMPv4 message of type and code with a correct checksum; `rest` is all behind the checksum.
std::string icmp_message(std::uint8_t type, std::uint8_t code, std::string_view rest);

/// What answers pings on loopback in place of the kernel (PrivateNetwork): as a test says. Needs
/// CAP_NET_RAW.
class EchoTarget {
public:
    struct Packet {
        std::string message;  ///< from the ICMP header on
        std::string source = "127.0.0.1";
    };
    /// `rest` of a request: identifier, sequence and data. What comes out is sent, in order.
    using Answer =
        std::function<std::vector<Packet>(std::uint16_t sequence, std::string_view rest)>;

    EchoTarget(asio::io_context& loop, Answer answer);

    bool ready() const { return descriptor_.has_value(); }  ///< false: not permitted

private:
    void wait();
    void receive();

    std::optional<asio::posix::stream_descriptor> descriptor_;
    Answer answer_;
};

}  // namespace sonde::tests
