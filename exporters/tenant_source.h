#pragma once

#include "agent/base/error.h"
#include "config/schema.h"
#include "config/secret.h"

#include <boost/asio/awaitable.hpp>

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::exporters {

namespace asio = boost::asio;

/// Who says what is to be done: the API, or this probe's own file. Their numbers may coincide.
enum class Origin : std::uint8_t { api, file };

constexpr std::string_view name_of(Origin origin)
{
    return origin == Origin::api ? "api" : "file";
}

struct TenantKey {
    Origin origin = Origin::api;
    std::int64_t id = 0;

    auto operator<=>(const TenantKey&) const = default;
};

/// A check among those of all origins.
struct CheckKey {
    Origin origin = Origin::api;
    std::int64_t id = 0;

    auto operator<=>(const CheckKey&) const = default;
};

/// One destination: the complete URL of a push.
struct Remote {
    std::string url;
    std::string username;  ///< empty: no Authorization header
    config::Secret password;

    bool operator==(const Remote&) const = default;
};

/// Who gives a tenant's secrets away (spec 01 §9.5).
struct SecretStore {
    std::string url;
    config::Secret token;

    bool operator==(const SecretStore&) const = default;
};

/// Where a tenant's data go, and within which limits (spec 03 §2.8, §4.1).
struct Tenant {
    std::optional<Remote> metrics;  ///< absent: not sent
    std::optional<Remote> events;
    pb::LabelMode label_mode = pb::LABEL_MODE_PREFIXED;
    std::int64_t max_metric_labels = 22;
    std::int64_t max_log_labels = 15;
    std::optional<SecretStore> secrets;  ///< absent: no check of it can refer to one
};

/// Knows tenants; asked by whoever labels or sends. Loop thread only.
class TenantSource {
public:
    virtual ~TenantSource() = default;

    /// May ask the network; what is known is answered at once.
    /// @return Error "tenant" when nobody knows it.
    virtual asio::awaitable<Result<std::shared_ptr<const Tenant>>> tenant(TenantKey key) = 0;

    /// The remotes refused the credentials: what is known of them is due for another look.
    virtual void suspect(TenantKey key) = 0;
};

}  // namespace sonde::exporters
