#pragma once

#include <chrono>

namespace sonde::exporters {

/// How long the publisher waits for what; tests wait less.
struct Timings {
    std::chrono::milliseconds after_429{60'000};  ///< where the remote does not say
    std::chrono::milliseconds longest_429{300'000};
    std::chrono::milliseconds after_401{10'000};  ///< doubling up to …
    std::chrono::milliseconds longest_401{60'000};
    std::chrono::milliseconds after_fatal{60'000};  ///< doubling up to …
    std::chrono::milliseconds longest_fatal{300'000};
    std::chrono::milliseconds first_backoff{50};  ///< doubling up to …
    std::chrono::milliseconds longest_backoff{30'000};
    std::chrono::milliseconds gather{10};    ///< what comes within it is one write to the journal
    std::chrono::milliseconds settle{100};   ///< the same, where only deliveries are noted
    std::chrono::milliseconds stuck{5'000};  ///< a write that takes longer is not waited for
    std::chrono::milliseconds journal_retry{1'000};  ///< after a write that failed
    std::chrono::milliseconds tidy{30'000};          ///< the journal's age limit is looked at
};

}  // namespace sonde::exporters
