#pragma once

#include "agent/control/api.h"

#include <span>
#include <string_view>

namespace sonde::control {

/// What the route table does not say of an operation. Schemas are in the short form of
/// openapi_schemas.h.
struct Operation {
    verb method;
    std::string_view path;
    std::string_view tag;
    std::string_view id;
    std::string_view summary;
    std::string_view request;       ///< empty: no body
    std::string_view answer;        ///< of a success
    std::string_view refusals;      ///< "404 409": what it may answer beside the usual
    std::string_view query = {};    ///< short form of an object: the parameters behind `?`
    std::string_view example = {};  ///< a request body
    bool deprecated = false;
    std::string_view success = "200";
};

/// All of them, in the order in which they are described.
std::span<const Operation> openapi_operations();

}  // namespace sonde::control
