#pragma once

#include "checkers/check.h"
#include "checkers/http/body.h"
#include "checkers/http/http.h"
#include "checkers/http/response.h"

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::checkers::http {

/// A finding about a response: the line it becomes and the verdict it is (spec 02 §2.10).
struct Finding {
    std::string line;  ///< message of the log (spec 03 §5.6)
    CheckLog::Fields fields;
    Verdict verdict;
    bool of_pattern = false;  ///< counts for probe_failed_due_to_regex
};

/// "2xx, 301": whole classes are shortened; what holds when there is none: "2xx".
std::string accepted_text(std::span<const int> statuses);
std::optional<Finding> judge_status(const Settings& settings, int status);
/// The first header rule that is broken.
std::optional<Finding> judge_headers(const Settings& settings, const ResponseHead& head);
/// The first body pattern that is broken. @param stop looked at before each pattern.
std::optional<Finding> judge_body(std::span<const Pattern> forbidden,
    std::span<const Pattern> required, std::string_view body, const std::stop_token& stop = {});
/// A body that is not valid for its compression, or too large.
std::optional<Finding> judge_decoding(
    const Settings& settings, const Body& body, std::size_t limit);
std::optional<Finding> judge_version(const Settings& settings, const std::string& version);
/// @param passed everything before was all right: a failed run does not also complain about TLS.
std::optional<Finding> judge_ssl(const Settings& settings, bool over_tls, bool passed);

}  // namespace sonde::checkers::http
