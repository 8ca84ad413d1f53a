#include "agent/control/http/auth_throttle.h"

#include <boost/asio/ip/network_v6.hpp>

namespace sonde::control {
namespace {

using boost::asio::ip::address;

constexpr std::chrono::seconds window{60};

std::string key_of(const address& client)
{
    constexpr unsigned short of_one_site = 64;
    if (client.is_v4())
        return client.to_string();
    const auto v6 = client.to_v6();
    if (v6.is_v4_mapped())
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
    return boost::asio::ip::network_v6{v6, of_one_site}.canonical().to_string();
}

}  // namespace

std::optional<std::chrono::seconds> AuthThrottle::refused(
    const address& client, Clock::time_point now)
{
    if (!per_minute_)
        return std::nullopt;
    const std::string key = key_of(client);
    const auto [at, is_new] = counts_.try_emplace(key, Count{now, 0});
    Count& count = at->second;
    if (is_new) {
        count.place = order_.insert(order_.end(), key);
    } else if (now - count.since >= window) {
        count = {now, 0, count.place};
        order_.splice(order_.end(), order_, count.place);
    }
    const bool too_many = ++count.refusals > *per_minute_;
    const auto left = std::chrono::ceil<std::chrono::seconds>(count.since + window - now);
    if (counts_.size() > most_clients_)
        forget_oldest();
    return too_many ? std::optional{left} : std::nullopt;
}

void AuthThrottle::forget_oldest()
{
    counts_.erase(order_.front());
    order_.pop_front();
}

}  // namespace sonde::control
