#pragma once

#include <chrono>

namespace sonde::link {

/// Times of spec 01 §1.1, §7.7, §7.8, §9.1 and §11.1; tests have shorter ones.
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
    Milliseconds secrets_margin{180'000};  ///< so long before a secret store's token expires
    Milliseconds service_retry{300'000};   ///< for a service that the API does not offer us
    Milliseconds telemetry_step{1'000};    ///< periods are up to 59 of these longer
    Milliseconds state_delay{3'000};       ///< from a change to the state file
    Milliseconds state_retry{30'000};      ///< when it could not be written
};

}  // namespace sonde::link
