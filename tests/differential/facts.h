#pragma once

#include "checkers/run_once.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

/// One series with its value.
struct Sample {
    std::string name;
    std::map<std::string, std::string> labels;
    double value = 0;
};

/// Reads a text exposition of gauges (Prometheus, version 0.0.4); fails the test for a line that is
/// none.
std::vector<Sample> read_exposition(std::string_view text);

/// The same of a report of ours, `probe_success` included.
std::vector<Sample> samples_of(const checkers::Report& report);

/// What two probers are held to, by series and, for those, by phase: "probe_http_redirects" -> "1",
/// "probe_http_duration_seconds{tls}" -> ">0". Of times there is only "0" and ">0", of a series
/// that says all in its labels the labels.
using Facts = std::map<std::string, std::string>;
Facts facts_of(const std::vector<Sample>& samples);

/// Series that the package does not have and that are ours alone (spec 02 §11, §6).
bool only_ours(std::string_view series);

}  // namespace sonde::tests
