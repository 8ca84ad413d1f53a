#include "agent/control/feed.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace sonde::control {

std::uint64_t Feed::subscribe(std::int64_t probe, Wake wake)
{
    subscribers_.emplace(next_, Subscriber{probe, std::move(wake)});
    return next_++;
}

void Feed::unsubscribe(std::uint64_t subscription)
{
    subscribers_.erase(subscription);
}

void Feed::changed(std::set<std::int64_t> probes)
{
    if (probes.empty())
        return;
    asio::post(loop_, [this, probes = std::move(probes)] {
        for (auto& [number, subscriber] : subscribers_)
            if (probes.contains(subscriber.probe))
                subscriber.wake();
    });
}

void Feed::all_changed()
{
    asio::post(loop_, [this] {
        for (auto& [number, subscriber] : subscribers_)
            subscriber.wake();
    });
}

}  // namespace sonde::control
