#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::status {

namespace asio = boost::asio;

/// Tells systemd how the process is doing, as `Type=notify` wants it (sd_notify(3)). Where nobody
/// asked to be told, nothing happens; what cannot be delivered is logged.
class Notifier {
public:
    /// @param socket a path, or "@name" in the abstract name space; empty: nobody is told.
    explicit Notifier(std::string socket) : socket_{std::move(socket)} {}
    /// To `$NOTIFY_SOCKET`.
    static Notifier from_environment();

    void ready() const;      ///< started, or done with a reload
    void reloading() const;  ///< ready() must follow
    void stopping() const;
    void alive() const;  ///< feeds the watchdog

private:
    void send(std::string_view message) const;

    std::string socket_;
};

/// Whether what is written to `descriptor` goes to the journal, which reads "<3>" at the start of a
/// line as its priority (systemd.exec(5), `$JOURNAL_STREAM`).
bool leads_to_journal(int descriptor);

/// After how long without Notifier::alive() systemd restarts this process; nullopt: never
/// (sd_watchdog_enabled(3): `$WATCHDOG_USEC`, `$WATCHDOG_PID`).
std::optional<std::chrono::microseconds> watchdog_timeout();

/// Feeds systemd's watchdog twice in its time, as long as the schedule is on time: a loop that
/// turns and a schedule that does not keep up are no healthy process (spec 06 §2.2).
class Watchdog {
public:
    /// @param on_time whether no run is overdue by more than its period.
    Watchdog(Notifier notifier, std::chrono::microseconds timeout, std::function<bool()> on_time);

    /// Until it is cancelled.
    asio::awaitable<void> run();

private:
    Notifier notifier_;
    std::chrono::microseconds timeout_;
    std::function<bool()> on_time_;
};

}  // namespace sonde::status
