#include "agent/status/notify.h"

#include "agent/base/log.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace sonde::status {
namespace {

constexpr log::Logger logger{"status"};

/// Sends one datagram. @return 0, or errno.
int deliver(const std::string& socket, std::string_view message)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool is_address = socket.starts_with('/') || socket.starts_with('@');
    if (!is_address || socket.size() >= sizeof address.sun_path)
        return EAFNOSUPPORT;
    std::memcpy(address.sun_path, socket.data(), socket.size());
    if (socket.front() == '@')
        address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());

    const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return errno;
    const timeval longest{0, 200'000};  // its queue is full: the loop can wait that long, once
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    const auto sent = ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL,
        reinterpret_cast<const sockaddr*>(&address), size);
    const int failed = sent < 0 ? errno : 0;
    ::close(descriptor);
    return failed;
}

/// A decimal number in the environment; nullopt when there is none.
std::optional<std::int64_t> number(const char* variable)
{
    const char* text = std::getenv(variable);
    if (!text)
        return std::nullopt;
    std::int64_t value = 0;
    const char* end = text + std::strlen(text);
    const auto [rest, failed] = std::from_chars(text, end, value);
    return failed == std::errc{} && rest == end ? std::optional{value} : std::nullopt;
}

}  // namespace

Notifier Notifier::from_environment()
{
    const char* socket = std::getenv("NOTIFY_SOCKET");
    return Notifier{socket ? socket : ""};
}

void Notifier::send(std::string_view message) const
{
    if (socket_.empty())
        return;
    if (const int failed = deliver(socket_, message))
        logger.warning(
            "systemd is not told", {{"what", message.substr(0, message.find('\n'))},
                                       {"socket", socket_}, {"why", std::strerror(failed)}});
}

void Notifier::ready() const
{
    send("READY=1");
}

void Notifier::reloading() const
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    send(fmt::format(
        "RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

void Notifier::stopping() const
{
    send("STOPPING=1");
}

void Notifier::alive() const
{
    send("WATCHDOG=1");
}

bool leads_to_journal(int descriptor)
{
    const char* journal = std::getenv("JOURNAL_STREAM");
    struct stat facts{};
    if (!journal || ::fstat(descriptor, &facts) != 0)
        return false;
    return fmt::format("{}:{}", facts.st_dev, facts.st_ino) == journal;
}

std::optional<std::chrono::microseconds> watchdog_timeout()
{
    const auto timeout = number("WATCHDOG_USEC");
    if (!timeout || *timeout <= 0)
        return std::nullopt;
    if (std::getenv("WATCHDOG_PID") && number("WATCHDOG_PID") != ::getpid())
        return std::nullopt;  // meant for a process whose environment we inherited
    return std::chrono::microseconds{*timeout};
}

Watchdog::Watchdog(
    Notifier notifier, std::chrono::microseconds timeout, std::function<bool()> on_time)
    : notifier_{std::move(notifier)}, timeout_{timeout}, on_time_{std::move(on_time)}
{}

asio::awaitable<void> Watchdog::run()
{
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (bool fed = true;;) {
        const bool on_time = on_time_();
        if (on_time)
            notifier_.alive();
        else if (fed)
            logger.error("runs are overdue by more than their period: the watchdog is not fed");
        fed = on_time;
        timer.expires_after(timeout_ / 2);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

}  // namespace sonde::status
