#pragma once

#include "tests/contract/script.h"

#include <span>
#include <string_view>

namespace sonde::contract {

/// One call of each operation of the document, in the state that add_probe_and_checks() makes.
/// `$name` and `@name` as in a Step.
struct Call {
    std::string_view operation;  ///< operationId
    std::string_view path;       ///< below /api/v1/, with its query
    std::string_view body;
    int own;    ///< status with the token of the tenant that has the objects
    int other;  ///< with another tenant's
};

std::span<const Call> all_calls();
/// Fails the test where the operation has no row.
const Call& call_of(const std::string& operation);

/// The request without a credential, as a user of that operation sends it.
Request request_of(const Call& call, const std::string& method, const Script& script);

}  // namespace sonde::contract
