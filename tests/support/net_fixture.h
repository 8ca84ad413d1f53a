#pragma once

#include "agent/net/curl_multi.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/services.h"
#include "agent/net/tls.h"
#include "tests/support/loop.h"

namespace sonde::tests {

/// A loop and the real network services a run needs.
struct NetFixture {
    asio::io_context loop;
    std::unique_ptr<net::Resolver> resolver = net::make_resolver(loop.get_executor());
    net::CurlMulti curl{loop.get_executor()};
    net::TlsContexts tls;
    net::IcmpSockets icmp{loop.get_executor()};
    net::Services net{*resolver, curl, tls, icmp};
};

}  // namespace sonde::tests
