#include "checkers/dial.h"

#include "agent/base/stopwatch.h"
#include "checkers/address_metrics.h"
#include "checkers/run_once.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace sonde::checkers {
namespace {

constexpr int extra_lookups_of_ping = 3;

std::string_view family_text(net::IpVersion version)
{
    return version == net::IpVersion::v4 ? "ip4" : "ip6";  // Any prefers IPv6
}

std::string_view version_text(net::IpVersion version)
{
    static constexpr std::array<std::string_view, 3> texts = {"Any", "V4", "V6"};
    return texts[static_cast<std::size_t>(version)];
}

/// Sets the series of a lookup however it ends.
class Measured {
public:
    explicit Measured(Run& run) : run_{run} {}
    ~Measured()
    {
        const auto& address = found.address;
        const bool any = seconds > 0 && !failed;
        run_.observed.set(
            metrics::dns_lookup_time_seconds, seconds > 0 ? seconds : clock_.seconds());
        run_.observed.set(metrics::ip_protocol, any ? (address.is_v4() ? 4 : 6) : 0);
        run_.observed.set(metrics::ip_addr_hash, any ? address_hash(address, hash_as_v6) : 0);
    }
    Measured(const Measured&) = delete;
    Measured& operator=(const Measured&) = delete;

    double stop() { return seconds = std::max(clock_.seconds(), 1e-9); }

    net::Resolution found;
    bool failed = true;
    bool hash_as_v6 = false;
    double seconds = 0;

private:
    Run& run_;
    Stopwatch clock_;
};

void log_start(Run& run, const std::string& host, net::IpVersion version, LookupLines lines)
{
    CheckLog::Fields fields;
    if (lines != LookupLines::ping)
        fields.emplace_back("target", host);
    fields.emplace_back("ip_protocol", family_text(version));
    run.log.write(lines == LookupLines::debug ? CheckLog::Level::debug : CheckLog::Level::info,
        "Resolving target address", std::move(fields));
}

void log_found(
    Run& run, const std::string& host, const asio::ip::address& address, LookupLines lines)
{
    CheckLog::Fields fields;
    if (lines != LookupLines::ping)
        fields.emplace_back("target", host);
    fields.emplace_back("ip", address.to_string());
    run.log.write(lines == LookupLines::debug ? CheckLog::Level::debug : CheckLog::Level::info,
        "Resolved target address", std::move(fields));
}

CheckLog::Fields explained(const std::string& host, net::IpVersion version,
    const net::ResolveFailure& failure, LookupLines lines)
{
    CheckLog::Fields fields;
    if (lines != LookupLines::ping) {
        fields.emplace_back("target", host);
        if (version != net::IpVersion::any)
            fields.emplace_back("ip_protocol", family_text(version));
    }
    fields.emplace_back("err", failure.message);
    return fields;
}

Verdict log_failure(Run& run, const std::string& host, net::IpVersion version,
    const net::ResolveFailure& failure, LookupLines lines)
{
    Verdict verdict = unresolved(host, version, failure);
    if (lines != LookupLines::ping) {
        fail(run, "Resolution with IP protocol failed", explained(host, version, failure, lines),
            verdict);
        CheckLog::Fields again;
        again.emplace_back("err", failure.message);
        return fail(run, "Error resolving address", std::move(again), std::move(verdict));
    }
    run.log.error("unable to find ip; no fallback");
    CheckLog::Fields fields;
    fields.emplace_back("err", "unable to find ip");
    return fail(run, "Error resolving address", std::move(fields), std::move(verdict));
}

}  // namespace

Verdict unresolved(
    std::string_view host, net::IpVersion version, const net::ResolveFailure& failure)
{
    return Verdict::fail("resolve",
        fmt::format("no usable address for host {}: {}", host, failure.message), failure.cause)
        .with("host", host)
        .with("ip_version", version_text(version));
}

asio::awaitable<Chosen> choose_address(
    Run& run, std::string host, net::IpVersion version, LookupLines lines)
{
    run.phase = "resolve";
    log_start(run, host, version, lines);
    Chosen chosen;
    Measured measured{run};
    for (int more = lines == LookupLines::ping ? extra_lookups_of_ping : 0;; --more) {
        const auto resolved = co_await run.net.resolver.resolve(host, version);
        if (resolved) {
            chosen.found = *resolved;
            break;
        }
        const net::ResolveFailure& failure = resolved.error();
        if (lines == LookupLines::ping)
            run.log.warn(
                "Resolution with IP protocol failed", explained(host, version, failure, lines));
        if (more > 0 && failure.temporary)
            continue;
        chosen.seconds = measured.stop();
        chosen.failure = log_failure(run, host, version, failure, lines);
        co_return chosen;
    }
    chosen.seconds = measured.stop();
    measured.failed = false;
    measured.found = chosen.found;
    measured.hash_as_v6 =
        lines == LookupLines::ping && chosen.found.source != net::Resolution::Source::dns;
    run.address = chosen.found.address;
    log_found(run, host, chosen.found.address, lines);
    co_return chosen;
}

std::uint32_t address_hash(const asio::ip::address& address, bool as_v6)
{
    std::uint32_t hash = 0x811c9dc5U;
    const auto mix = [&hash](const auto& bytes) {
        for (const unsigned char byte : bytes)
            hash = (hash ^ byte) * 0x01000193U;
    };
    if (address.is_v6())
        mix(address.to_v6().to_bytes());
    else if (as_v6)
        mix(make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes());
    else
        mix(address.to_v4().to_bytes());
    return hash;
}

std::string_view cause_of(
    const boost::system::error_code& error, const asio::ip::address& destination)
{
    if (error == asio::error::eof)
        return "closed";
    if (error.category() != boost::system::system_category() &&
        error.category() != asio::error::get_system_category())
        return {};
    switch (error.value()) {
    case EACCES:
    case EPERM:
        return "local_no_permission";
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return "local_exhausted";
    case EMSGSIZE:
        return "local_too_big";
    case ECONNREFUSED:
        return "refused";
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        return has_route(destination) ? "unreachable" : "local_no_route";
    case EADDRNOTAVAIL:
    case EAGAIN:
        return has_route(destination) ? "local_exhausted" : "local_no_route";
    case EAFNOSUPPORT:
    case EINVAL:
        return has_route(destination) ? std::string_view{} : "local_no_route";
    default:
        return {};
    }
}

std::string_view deadline_cause(const Run& run)
{
    if (delay_of(run).least() >= run.subject.timeout / 2)
        return "local_exhausted";
    if (run.phase == "resolve" && !run.net.resolver.heard_lately())
        return "local_resolver_unreachable";
    return run.phase;
}

std::string lateness_of(const Run& run)
{
    const std::chrono::duration<double> late = delay_of(run).least();
    return fmt::format(": this probe was late itself, for {:.3g} s of it; it needs more of a core "
                       "or fewer checks",
        late.count());
}

bool has_route(const asio::ip::address& address)
{
    if (address.is_unspecified())
        return true;
    const asio::ip::udp::endpoint endpoint{address, 53};
    const int socket = ::socket(endpoint.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0)
        return false;
    const bool connected =
        ::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
    ::close(socket);
    return connected;
}

Source source_address(
    const std::string& text, const asio::ip::address& destination, std::string_view code)
{
    Source source;
    boost::system::error_code bad;
    source.address = asio::ip::make_address(text, bad);
    if (bad)
        source.failure = Verdict::fail(
            "bad_source_address", fmt::format("sourceIpAddress \"{}\" is not an IP address", text))
                             .with("source", text);
    else if (source.address.is_v4() != destination.is_v4())
        source.failure = Verdict::fail(code,
            fmt::format("this probe cannot use {} as source towards {}: another address family",
                text, destination.to_string()),
            "local_source_address");
    return source;
}

}  // namespace sonde::checkers
