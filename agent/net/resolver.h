#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sonde::net {

namespace asio = boost::asio;

enum class IpVersion { any, v4, v6 };  // same numbers as in checks.proto

/// The one address a run uses for everything, and where it came from.
struct Resolution {
    enum class Source { literal, hosts_file, dns };

    asio::ip::address address;
    Source source = Source::literal;
};

/// Why there is no address. A failing lookup is an answer for the check's owner.
struct ResolveFailure {
    std::string_view cause;  ///< spec 02 §1.10: "nxdomain", "no_address", …; empty: none fits
    std::string message;     ///< "no such name"
    bool temporary = false;  ///< time-out or server failure: asking again may help
};

using Resolved = boost::system::result<Resolution, ResolveFailure>;
[[noreturn]] void throw_exception_from_error(
    const ResolveFailure& failure, const boost::source_location&);

/// Host names to addresses by the rules of spec 02 §1.5: literals, /etc/hosts, then DNS with the
/// host's own configuration; one address comes out, chosen by family and RFC 6724. Loop thread
/// only.
class Resolver {
public:
    virtual ~Resolver() = default;

    /// Has no time limit but those of /etc/resolv.conf: whoever awaits it cancels it.
    virtual asio::awaitable<Resolved> resolve(std::string host, IpVersion version) = 0;

    /// Whether a server has sent anything to any lookup of this process in the last 60 s. Where
    /// none has, a lookup that is cancelled has failed for a reason of this host's own (spec 02
    /// §1.10, local_resolver_unreachable).
    virtual bool heard_lately() const = 0;
};

/// Which files say how this host resolves names; tests write their own.
struct ResolverFiles {
    std::string hosts = "/etc/hosts";
    std::string resolv_conf = "/etc/resolv.conf";
    std::uint16_t port = 53;  ///< of the servers
};

/// The resolver of the product, on c-ares.
std::unique_ptr<Resolver> make_resolver(
    const asio::any_io_executor& loop, const ResolverFiles& files = {});

}  // namespace sonde::net
