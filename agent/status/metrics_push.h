#pragma once

#include "exporters/payload.h"

#include <boost/asio/awaitable.hpp>
#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace prometheus {
class Registry;
}
namespace sonde::exporters {
class Publisher;
}

namespace sonde::status {

namespace asio = boost::asio;

/// Whose metrics they are, and which tenant is to have them.
struct Owner {
    exporters::TenantKey tenant;
    std::string probe;
};

/// Counters, gauges and untyped metrics as series of `owner`, each with the label `probe`;
/// histograms and summaries are left out (spec 01 §11.3).
exporters::Payload own_payload(const std::vector<prometheus::MetricFamily>& families,
    const Owner& owner, std::int64_t timestamp_ms);

/// Metamonitoring: publishes what `/metrics` has, again and again (spec 01 §11.3).
class MetricsPush {
public:
    /// @param owner nullopt while the probe does not know who it is: nothing is published then.
    MetricsPush(const prometheus::Registry& registry, exporters::Publisher& publisher,
        std::chrono::milliseconds every, std::function<std::optional<Owner>()> owner);

    /// Until it is cancelled. The first time is after one interval.
    asio::awaitable<void> run();

private:
    const prometheus::Registry& registry_;
    exporters::Publisher& publisher_;
    std::chrono::milliseconds every_;
    std::function<std::optional<Owner>()> owner_;
};

}  // namespace sonde::status
