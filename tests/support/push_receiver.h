#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

/// A remote that takes what agents push, remote write at `/metrics` and Loki's push at `/logs`,
/// decodes every byte of it and keeps count, on a thread of its own. A test tells it when to
/// misbehave.
class PushReceiver {
public:
    struct Answer {
        int status = 200;
        std::string body = {};
        std::chrono::milliseconds after{0};  ///< the data are kept at once, whatever the answer
        bool keep = true;                    ///< false: they are thrown away
    };

    PushReceiver();
    ~PushReceiver();

    std::uint16_t port() const;
    std::string url(std::string_view path) const;

    void answer(const Answer& answer);  ///< from now on
    void go_down();                     ///< connections are refused from now on
    void come_up();

    /// Times of the samples of a series of one job, and how often each came; stale markers are left
    /// out.
    using Times = std::map<std::int64_t, int>;
    Times samples(std::string_view name, std::string_view job) const;
    /// Times of the runs whose "Beginning check" line came for a job, likewise.
    std::size_t lines(std::string_view job) const;

    struct Totals {
        std::size_t requests = 0;
        std::size_t samples = 0;
        std::size_t lines = 0;
        std::size_t doubled_samples = 0;  ///< same series, time and value once more
        std::size_t doubled_lines = 0;    ///< same stream, time and line once more
        std::size_t conflicting = 0;      ///< same series and time, another value
        std::size_t unreadable = 0;       ///< requests that could not be decoded
    };
    Totals totals() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::tests
