#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>

namespace sonde::tests {

/// From now on `loop` has a handler that works for a `turn`, again and again: it comes to whatever
/// has happened once in a turn.
inline void make_late(boost::asio::io_context& loop, std::chrono::milliseconds turn)
{
    boost::asio::post(loop, [&loop, turn] {
        const auto end = std::chrono::steady_clock::now() + turn;
        while (std::chrono::steady_clock::now() < end) {
        }
        make_late(loop, turn);
    });
}

}  // namespace sonde::tests
