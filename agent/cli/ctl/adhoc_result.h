#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli::ctl {

/// What a probe has logged of an ad-hoc check (spec 01 §8).
struct AdhocResult {
    std::string probe;
    bool passed = false;
    double seconds = 0;
    std::string error;               ///< why it was not run; empty: it was
    std::vector<std::string> lines;  ///< of the run, "level message key=value"
    std::string json;                ///< the log line as it is
};

/// The results of check `id` in Loki's answer to a range query, one for each probe; what else is in
/// it is passed over. @return Error "bad_json" when it is no such answer.
Result<std::vector<AdhocResult>> read_results(std::string_view answer, std::string_view id);

/// The URL of the query for `id` since `start_ns`. @param base Loki's, with or without
/// "/loki/api/v1" behind it.
std::string query_url(
    std::string_view base, std::string_view id, std::int64_t start_ns, std::int64_t end_ns);

/// For people: verdict, probe, time; the lines below it.
std::string render_result(const AdhocResult& result);

}  // namespace sonde::cli::ctl
