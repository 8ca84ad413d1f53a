#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

/// A network of which a router says that nobody is there: each IPv4 packet into it is answered with
/// ICMP "destination unreachable" (RFC 792, RFC 1812 §5.2.7.1). Behind a TUN device of the thread's
/// network namespace, which should be one made for it (PrivateNetwork). Needs CAP_NET_ADMIN.
class UnreachableNet {
public:
    /// What the router says is not there: codes of the ICMP message.
    enum Code : std::uint8_t { net = 0, host = 1 };

    explicit UnreachableNet(boost::asio::io_context& loop);

    bool ready() const { return device_.has_value(); }  ///< false: not permitted
    void say(Code code) { code_ = code; }
    static std::string target() { return "10.78.0.2"; }  ///< an address in it

private:
    void wait();
    void answer(std::string_view packet);

    std::optional<boost::asio::posix::stream_descriptor> device_;
    Code code_ = host;
};

}  // namespace sonde::tests
