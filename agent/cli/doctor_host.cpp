// What `sonde doctor` asks of the host: ICMP, names, the clock, disks.
#include "agent/base/text.h"
#include "agent/cli/check_runs.h"
#include "agent/cli/doctor.h"
#include "agent/net/resolver.h"
#include "config/values.h"
#include "exporters/journal.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

namespace sonde::cli {
namespace {

namespace asio = boost::asio;
using State = Finding::State;
using namespace std::chrono_literals;

/// An echo to this host itself: what is missing then is the right to send it.
Finding examine_ping(const char* target, pb::IpVersion version, const char* family)
{
    CheckRequest request;
    pb::Check& check = request.checks.emplace_back();
    check.set_target(target);
    check.set_timeout(2000);
    check.mutable_settings()->mutable_ping()->set_ipversion(version);
    Finding finding{
        "icmp", State::ok, fmt::format("{}: an echo to {} came back", family, target), {}};
    static_cast<void>(run_checks(request, 1, [&](const Outcome& outcome) {
        if (outcome.report.verdict.passed())
            return;
        finding.state = State::bad;
        finding.said = fmt::format("{}: {}", family, outcome.report.verdict.message);
        finding.fix =
            "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\", or AmbientCapabilities="
            "CAP_NET_RAW in the unit";
    }));
    return finding;
}

bool has_ipv6()
{
    return ::access("/proc/net/if_inet6", R_OK) == 0;
}

Finding examine_clock()
{
    timex state{};
    const int answer = ::adjtimex(&state);  // only reads
    if (answer < 0)
        return {"clock", State::skipped,
            std::string{"the kernel does not say: "} + std::strerror(errno), {}};
    if (answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
        return {"clock", State::warning, "the kernel says that nothing keeps the clock right",
            "timedatectl set-ntp true (samples carry this clock's time)"};
    return {"clock", State::ok,
        fmt::format(
            "kept right, estimated error {:.1f} ms", static_cast<double>(state.esterror) / 1e3),
        {}};
}

std::string host_of(const std::string& url)
{
    const auto begin = url.find("://");
    if (begin == std::string::npos)
        return {};
    std::string host = url.substr(begin + 3);
    host = host.substr(0, host.find_first_of("/?#"));
    if (const auto at = host.rfind('@'); at != std::string::npos)
        host = host.substr(at + 1);
    if (host.starts_with('['))
        return host.substr(1, host.find(']') - 1);
    return host.substr(0, host.find(':'));
}

/// Names that the daemon itself must be able to look up.
std::set<std::string> needed_names(const config::AgentConfig& config)
{
    std::set<std::string> names;
    if (config.api && !config.api->embedded)
        names.insert(config.api->address.host);
    for (const config::TenantConfig& tenant : config.tenants)
        for (const std::string& url : {tenant.metrics.push_url, tenant.events.push_url})
            names.insert(host_of(url));
    for (const auto& canary : config.egress.targets)
        names.insert(canary.host);
    std::erase_if(names, [](const std::string& name) {
        boost::system::error_code is_name;
        asio::ip::make_address(name, is_name);
        return name.empty() || !is_name;
    });
    return names;
}

Finding examine_name(const std::string& name)
{
    asio::io_context loop{1};
    const auto resolver = net::make_resolver(loop.get_executor());
    std::optional<net::Resolved> answer;
    auto ask = [&]() -> asio::awaitable<void> {
        answer = co_await resolver->resolve(name, net::IpVersion::any);
    };
    asio::co_spawn(loop, ask(), [&](const std::exception_ptr&) { loop.stop(); });
    loop.run_for(5s);
    if (answer && *answer)
        return {"resolver", State::ok,
            fmt::format("{} is {}", name, (*answer)->address.to_string()), {}};
    return {"resolver", State::bad,
        fmt::format("{}: {}", name, answer ? answer->error().message : "no answer in 5 s"),
        "check the name, and the servers in /etc/resolv.conf"};
}

/// Whether files can be made there, for real.
std::optional<std::string> cannot_write(const std::string& directory)
{
    const std::string file = directory + "/.doctor";
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return std::strerror(errno);
    const bool written = ::write(fd, "x", 1) == 1 && ::fsync(fd) == 0;
    const std::string why = written ? "" : std::strerror(errno);
    ::close(fd);
    ::unlink(file.c_str());
    return written ? std::nullopt : std::optional{why};
}

/// The folder, or the nearest one above it that is there: the daemon makes the rest.
std::string existing(const std::string& directory)
{
    std::filesystem::path path{directory};
    std::error_code unknown;
    while (!std::filesystem::exists(path, unknown) && path.has_relative_path())
        path = path.parent_path();
    return path.string();
}

Finding examine_folder(std::string_view subject, const std::string& directory)
{
    const std::string place = existing(directory);
    if (const auto why = cannot_write(place))
        return {subject, State::bad, fmt::format("{}: {}", place, *why),
            fmt::format("make {} writable for the user of the agent, or set state_dir", directory)};
    struct stat found{};
    if (place == directory && ::stat(place.c_str(), &found) == 0 && (found.st_mode & 0077) != 0)
        return {subject, State::warning, fmt::format("{}: others can look into it", directory),
            fmt::format("chmod 0700 {}", directory)};
    return {subject, State::ok, fmt::format("{}: can be written", directory), {}};
}

Finding examine_space(const config::JournalConfig& journal)
{
    struct statvfs disk{};
    if (::statvfs(existing(journal.directory).c_str(), &disk) != 0)
        return {"journal", State::bad,
            fmt::format("{}: {}", journal.directory, std::strerror(errno)), {}};
    const std::size_t free = std::size_t{disk.f_bavail} * disk.f_frsize;
    if (free < journal.max_bytes)
        return {"journal", State::warning,
            fmt::format("{} MiB are free, less than journal.max_bytes ({})", free >> 20U,
                config::print_size(journal.max_bytes)),
            "make room, or lower journal.max_bytes"};
    return {"journal", State::ok, fmt::format("{} MiB are free", free >> 20U), {}};
}

Finding examine_journal(const std::string& directory)
{
    std::error_code unknown;
    if (!std::filesystem::exists(directory, unknown))
        return {"journal", State::ok, "empty: nothing was published yet", {}};
    const auto found = exporters::Journal::inspect(directory);
    if (!found)
        return {"journal", State::bad, found.error().message, {}};
    if (!found->found.empty())
        return {"journal", State::warning,
            fmt::format("{} places cannot be read", found->found.size()),
            "check the disk; what is lost is told as gaps (sonde queue ls)"};
    return {"journal", State::ok, fmt::format("{} records wait", found->waiting.size()), {}};
}

}  // namespace

Findings examine_host(const config::AgentConfig& config)
{
    Findings findings{examine_ping("127.0.0.1", pb::V4, "IPv4")};
    if (has_ipv6())
        findings.push_back(examine_ping("::1", pb::V6, "IPv6"));
    for (const std::string& name : needed_names(config))
        findings.push_back(examine_name(name));
    findings.push_back(examine_clock());
    return findings;
}

Findings examine_disk(const config::AgentConfig& config)
{
    Findings findings{examine_folder("state", config.state_dir)};
    if (!config.journal.enabled) {
        findings.push_back({"journal", State::warning,
            "off: what is not delivered is lost with the process", "journal.enabled: true"});
        return findings;
    }
    findings.push_back(examine_folder("journal", config.journal.directory));
    if (findings.back().state == State::bad)
        return findings;
    findings.push_back(examine_space(config.journal));
    findings.push_back(examine_journal(config.journal.directory));
    return findings;
}

}  // namespace sonde::cli
