#pragma once

#include <boost/asio/any_io_executor.hpp>

namespace sonde::net {

class Resolver;
class CurlMulti;
class TlsContexts;
class IcmpSockets;

/// The shared network services of the loop; outlive every run.
struct Services {
    Resolver& resolver;
    CurlMulti& curl;
    TlsContexts& tls;
    IcmpSockets& icmp;
    /// Threads for work that would hold up the loop, such as patterns on large bodies; none: it is
    /// done on the loop. They are joined before the loop is destroyed.
    boost::asio::any_io_executor heavy = {};
};

}  // namespace sonde::net
