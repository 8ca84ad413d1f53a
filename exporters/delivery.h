#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sonde::exporters {

/// What an answer to a push means for its records and for those behind them (spec 03 §4.5; what
/// follows from it differs: nothing is given up that the remote may still take).
enum class Outcome {
    ok,         ///< stored
    retriable,  ///< the same again, after a pause that grows
    payload,    ///< some of these records will never be taken: find out which
    limit,      ///< as payload: a limit on streams
    wait,       ///< too fast: both lanes of the tenant rest
    tenant,     ///< the credentials are not accepted: look the tenant up again
    fatal,      ///< nothing is taken at this URL: look the tenant up again, and rest longer
};

/// `status` 0: no answer came. `body` tells some 400 and 429 apart: Mimir and Loki name the limit.
/// Prometheus remote write 1.0, "Retries & Backoff": 5xx must be retried, of 4xx only 429 may be.
Outcome classify(int status, std::string_view body);

/// "ok", "retriable", …
std::string_view name_of(Outcome outcome);

/// The first line of a body, at most 256 bytes of it: what remotes say about a refusal.
std::string_view first_line(std::string_view body);

/// Whether a refusal is about time: the remote has newer samples of the series, or takes none that
/// old. Prometheus, Mimir and Loki each have words of their own.
bool is_about_time(std::string_view body);

/// How long to rest after a 429: what `Retry-After` asks for in seconds, else `usual`; at most
/// `longest`. A date in that header counts as nothing.
std::chrono::milliseconds rest_after_429(std::string_view retry_after,
    std::chrono::milliseconds usual, std::chrono::milliseconds longest);

}  // namespace sonde::exporters
