#pragma once

#include "agent/link/timings.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <vector>

namespace grpc {
class Channel;
}

namespace sonde::link {

namespace asio = boost::asio;

/// The TenantSource of the daemon: tenants of the file, and those the API tells when asked.
/// Copies are refreshed when they age (15 min + jitter) and used beyond that while the API is away
/// (spec 01 §9.1). Loop thread only.
class Tenants final : public exporters::TenantSource {
public:
    /// `channel` may be null: then only tenants of the file are known.
    Tenants(const asio::any_io_executor& loop, const std::vector<config::TenantConfig>& of_file,
        std::shared_ptr<grpc::Channel> channel, const config::Secret& token,
        const Timings& timings = {});
    ~Tenants() override;

    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey key) override;
    void suspect(exporters::TenantKey key) override;

    /// For shutdown: nobody is asked any more.
    void stop();

    /// A tenant that the change stream brought: kept when it is newer than what is known.
    void told(const pb::Tenant& tenant);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::link
