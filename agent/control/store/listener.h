#pragma once

#include "agent/control/feed.h"
#include "agent/control/store/transaction.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace sonde::control {

/// Wakes the streams of this replica for what any replica commits: PostgreSQL's NOTIFY on a
/// connection and a thread of its own, and a look at the version of the change log every second,
/// should a notification be lost. Reconnects by itself.
class Listener {
public:
    /// `dialect`, `seal` and `feed` outlive it. `healthy` is told, from its thread, whether the
    /// database answers.
    Listener(
        const Dialect& dialect, const Seal& seal, Feed& feed, std::function<void(bool)> healthy);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Everything committed after it returns wakes somebody. @throws std::exception.
    void start();

private:
    void connect();
    void run();
    bool stopped(int milliseconds, int descriptor = -1) const;
    void take_notifications();
    void look();

    const Dialect& dialect_;
    const Seal& seal_;
    Feed& feed_;
    std::function<void(bool)> healthy_;
    int stop_;  // an eventfd: written once
    std::unique_ptr<Connection> sql_;
    std::int64_t seen_ = 0;
    std::thread thread_;
};

}  // namespace sonde::control
