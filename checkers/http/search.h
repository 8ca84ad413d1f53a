#pragma once

#include "checkers/check.h"
#include "checkers/http/http.h"
#include "checkers/http/judge.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace sonde::checkers::http {

/// Bodies up to this size are searched on the loop.
inline constexpr std::size_t most_bytes_on_loop = 64 * 1024;

/// The first body pattern that is broken; a large body is searched by Services::heavy (spec 02
/// §9.4). What is at work there goes on when the deadline ends the wait, on data of its own; what
/// has not begun is left out.
asio::awaitable<std::optional<Finding>> search(
    Run& run, const Settings& settings, std::string body);

}  // namespace sonde::checkers::http
