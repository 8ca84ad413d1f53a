#include "agent/control/feed.h"

#include "agent/control/store/transaction.h"

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

void Feed::committed(const Transaction& db)
{
    if (db.touched().empty() && !db.all_touched())
        return;
    asio::post(
        loop_, [this, touched = db.touched(), all = db.all_touched()] { wake(touched, all); });
}

void Feed::wake(const std::set<std::int64_t>& touched, bool all)
{
    for (auto& [number, subscriber] : subscribers_)
        if (all || touched.contains(subscriber.probe))
            subscriber.wake();
}

}  // namespace sonde::control
