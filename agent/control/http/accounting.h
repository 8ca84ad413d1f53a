#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sonde::control {

/// How many series a check has that passes, by what it is (spec 03 §1.9, spec 04 §4.6).
struct AccountingClass {
    std::string_view name;  ///< "http_ssl_basic"
    std::string_view kind;  ///< its member of the settings
    int type = 0;           ///< the number of the kind
    int series = 0;
};

/// Of the kinds that the agents run.
std::span<const AccountingClass> accounting_classes();

}  // namespace sonde::control
