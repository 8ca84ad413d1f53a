#pragma once

#include "checkers/check.h"
#include "checkers/dns/query.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <string>

namespace sonde::checkers::dns {

/// One query to one server, over UDP or TCP.
struct Exchange {
    asio::ip::address server;
    std::uint16_t port;
    std::string source;  ///< local IP address; empty: the kernel's choice
    bool tcp;
    std::uint16_t id;
    std::string name;  ///< on the wire
    std::uint16_t type;
};

/// What came of it: an accepted message, or why there is none (not logged yet).
struct Exchanged {
    Verdict verdict;
    Message message;
};

/// Sends the query and awaits a response that fits it; times the phases "connect" and "request".
asio::awaitable<Exchanged> exchange(Run& run, Exchange asked);

}  // namespace sonde::checkers::dns
