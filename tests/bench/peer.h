#pragma once

#include "tests/bench/process.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sonde::bench {

/// One kept-alive connection to a blackbox_exporter on a loopback port.
class PeerConnection {
public:
    explicit PeerConnection(std::uint16_t port);
    ~PeerConnection();

    /// @return the text of /probe?…; awaits it. @throws system_error.
    std::string get(const std::string& path);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Awaits until the program listens there. @throws runtime_error when it ends before, or does not
/// come up in time.
void await_port(std::uint16_t port, const Process& program,
    std::chrono::seconds patience = std::chrono::seconds{5});

/// The value of a series of a text page, named as there: `probe_success`; negative: not there.
double value_in(const std::string& page, const std::string& series);

/// Asks for probes over so many connections at once until it is destroyed.
class PeerLoad {
public:
    /// When probe `number` (from 0) is due after the start; zero: at once.
    using Due = std::function<std::chrono::nanoseconds(std::size_t number)>;
    /// Given the number of a probe and the page that it brought.
    using Seen = std::function<void(std::size_t number, const std::string& page)>;

    /// Probes ask for `paths` in turn. `seen` is called by any thread, one at a time.
    PeerLoad(std::uint16_t port, std::vector<std::string> paths, int connections, Due due,
        std::size_t most = SIZE_MAX, Seen seen = {});
    ~PeerLoad();
    PeerLoad(const PeerLoad&) = delete;
    PeerLoad& operator=(const PeerLoad&) = delete;

    std::size_t done() const { return done_; }
    std::size_t failed() const { return failed_; }
    /// Awaits the last of `most` probes.
    void join();

private:
    void work(std::uint16_t port);

    std::vector<std::string> paths_;
    Due due_;
    std::size_t most_;
    Seen seen_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::atomic<std::size_t> next_ = 0;
    std::atomic<std::size_t> done_ = 0;
    std::atomic<std::size_t> failed_ = 0;
    std::atomic<bool> stop_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace sonde::bench
