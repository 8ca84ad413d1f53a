#pragma once

#include <string_view>

namespace sonde::exporters {

/// What an answer to a push means for its records and for the queue behind them (spec 03 §4.5).
enum class Outcome {
    ok,         ///< stored
    retriable,  ///< the same again, after a pause that grows
    payload,    ///< these records will never be taken; the next ones may be
    limit,      ///< as payload: a limit on streams
    wait,       ///< too fast: both queues of the tenant rest for a minute
    tenant,     ///< the credentials are not accepted: look the tenant up again
    fatal,      ///< nothing of this tenant is wanted
};

/// `status` 0: no answer came. `body` tells some 400 and 429 apart: Mimir and Loki name the limit.
/// Prometheus remote write 1.0, "Retries & Backoff": 5xx must be retried, of 4xx only 429 may be.
Outcome classify(int status, std::string_view body);

/// "ok", "retriable", …
std::string_view name_of(Outcome outcome);

/// The first line of a body, at most 256 bytes of it: what remotes say about a refusal.
std::string_view first_line(std::string_view body);

}  // namespace sonde::exporters
