#pragma once

#include "agent/net/http_client.h"
#include "checkers/secret_source.h"
#include "exporters/tenant_source.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sonde::net {
class CurlMulti;
}

namespace sonde::schedule {

namespace asio = boost::asio;

/// The stores of tenants' secrets (spec 01 §9.5): a value is asked for when a run needs it and kept
/// for a minute. Loop thread only.
class SecretStores {
public:
    using Clock = std::chrono::steady_clock;

    explicit SecretStores(net::CurlMulti& curl) : client_{curl, {}} {}

    /// The secrets of a tenant, for one run; null when it has no store.
    std::unique_ptr<checkers::SecretSource> of(
        exporters::TenantKey key, std::shared_ptr<const exporters::Tenant> tenant);

private:
    class Source;
    struct Kept {
        std::string value;
        Clock::time_point until;
    };

    asio::awaitable<Result<std::string>> read(exporters::TenantKey key,
        std::shared_ptr<const exporters::Tenant> tenant, std::string name);

    net::HttpClient client_;
    std::map<std::pair<exporters::TenantKey, std::string>, Kept> kept_;
};

}  // namespace sonde::schedule
