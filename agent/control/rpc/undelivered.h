#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

namespace sonde::control {

/// Since when live streams have news that their agents were not told. Loop thread only.
class Undelivered {
public:
    using Clock = std::chrono::steady_clock;

    /// One stream's; goes with it. What is heard while it looks at what is stored may be later than
    /// that, and waits on.
    class Stream {
    public:
        explicit Stream(Undelivered& of) : of_{of} { of_.streams_.insert(this); }
        ~Stream() { of_.streams_.erase(this); }
        Stream(const Stream&) = delete;
        Stream& operator=(const Stream&) = delete;

        void hear(Clock::time_point now)
        {
            auto& since = looking_ ? later_ : since_;
            since = since.value_or(now);
        }
        void look() { looking_ = true; }
        /// How the look has ended.
        void tell(bool told)
        {
            looking_ = false;
            if (told || !since_)
                since_ = later_;
            later_.reset();
        }
        std::optional<Clock::time_point> since() const { return since_ ? since_ : later_; }

    private:
        Undelivered& of_;
        bool looking_ = false;
        std::optional<Clock::time_point> since_;
        std::optional<Clock::time_point> later_;
    };

    /// Of the oldest; zero: all is told.
    Clock::duration age(Clock::time_point now) const
    {
        Clock::duration oldest{};
        for (const Stream* stream : streams_)
            if (const auto since = stream->since())
                oldest = std::max(oldest, now - *since);
        return oldest;
    }

private:
    std::set<const Stream*> streams_;
};

}  // namespace sonde::control
