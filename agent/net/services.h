#pragma once

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
};

}  // namespace sonde::net
