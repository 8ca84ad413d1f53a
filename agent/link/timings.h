#pragma once

#include <chrono>

namespace sonde::link {

/// Times of spec 01 §1.1, §7.7, §7.8 and §9.1; tests have shorter ones.
struct Timings {
    using Milliseconds = std::chrono::milliseconds;

    Milliseconds first_backoff{2'000};
    Milliseconds longest_backoff{30'000};  ///< upper bound after eight steps
    Milliseconds ping_every{90'000};
    Milliseconds answer_limit{60'000};     ///< for RegisterProbe and Ping; the reference has none
    Milliseconds keepalive_after{90'000};  ///< silence after which HTTP/2 asks for a sign of life
    Milliseconds keepalive_limit{30'000};  ///< for that sign; without it the connection is lost
    Milliseconds tenant_valid{900'000};
    Milliseconds tenant_jitter{225'000};  ///< up to this much longer
    Milliseconds tenant_retry{30'000};    ///< when the API did not answer and an old copy is in use
    Milliseconds tenant_limit{5'000};     ///< for one GetTenant
};

}  // namespace sonde::link
