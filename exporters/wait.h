#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sonde::exporters {

namespace asio = boost::asio;

/// Sleeps until then, or until somebody cancels the timer because there is news.
/// @throws system_error(operation_aborted) when the coroutine is cancelled.
asio::awaitable<void> wait(asio::steady_timer& timer, asio::steady_timer::time_point until);

}  // namespace sonde::exporters
