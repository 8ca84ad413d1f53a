#pragma once

#include <string_view>

namespace sonde::exporters {

/// The two ways out of a tenant: samples by remote write, log lines by Loki push.
enum class Type { metrics, logs };

constexpr std::string_view name_of(Type type)
{
    return type == Type::metrics ? "metrics" : "logs";
}

}  // namespace sonde::exporters
