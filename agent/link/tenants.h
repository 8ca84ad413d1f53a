#pragma once

#include "agent/link/timings.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Channel;
}

namespace sonde::link {

namespace asio = boost::asio;

class StateFile;

/// The TenantSource of the daemon: tenants of the file, and those the API tells when asked.
/// Copies are refreshed when they age (15 min + jitter, or before their secrets' token expires) and
/// used beyond that while the API is away (spec 01 §9.1). Loop thread only.
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

    /// A tenant that a stream brought: kept when it is newer than what is known.
    void told(const pb::Tenant& tenant);

    /// Names of the check labels by which this tenant's costs are told apart, sorted, each once.
    const std::vector<std::string>& cost_labels(exporters::TenantKey key) const;

    /// What the API says is kept in `file`, which outlives this.
    void remember_in(StateFile& file);
    /// A copy of before the start: used when the API has been asked once and did not say.
    void recall(const pb::Tenant& tenant);
    /// Recalled copies are used at once: there is nobody to ask.
    void trust_recalled();

    void set_token(const config::Secret& token);
    void set_file_tenants(const std::vector<config::TenantConfig>& of_file);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::link
