#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <set>

namespace sonde::control {

namespace asio = boost::asio;

/// Tells the streams of probes that a commit concerns them.
class Feed {
public:
    using Wake = std::function<void()>;

    explicit Feed(const asio::any_io_executor& loop) : loop_{loop} {}

    /// Loop thread. `wake` is called on the loop after each commit that concerns `probe`, at
    /// whichever replica.
    std::uint64_t subscribe(std::int64_t probe, Wake wake);
    void unsubscribe(std::uint64_t subscription);

    // Any thread.
    void changed(std::set<std::int64_t> probes);  ///< a commit concerns these
    void all_changed();                           ///< nobody knows whom

private:
    struct Subscriber {
        std::int64_t probe;
        Wake wake;
    };

    asio::any_io_executor loop_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, Subscriber> subscribers_;
};

}  // namespace sonde::control
