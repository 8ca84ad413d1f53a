#include "agent/control/rpc/change_tail.h"

#include "agent/base/log.h"
#include "agent/control/rpc/agent_view.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/tenants.h"

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
constexpr std::chrono::seconds retry_after{1};  // when the database does not answer

/// Whether records of these kinds concern what there is to run.
bool concerns_checks(const std::set<ChangeKind>& kinds)
{
    return kinds.size() > (kinds.contains(ChangeKind::adhoc) ? 1U : 0U);
}

}  // namespace

ChangeTail::ChangeTail(
    const RpcParts& parts, Stream stream, Client of, store::Session session, pb::ProbeState state)
    : Tail{parts, *stream, std::move(of)}, stream_{std::move(stream)}, session_{session},
      state_{std::move(state)}
{
    hold_lease();
}

Result<> ChangeTail::look(Transaction& db, const store::News& news)
{
    const auto stored = store::find_probe(db, client().probe);
    if (!stored || stored->meta_version != session_.meta_version)
        return error("changed", "the probe has changed, come back for its new data");
    has_old_meta_ = stored->delivered_meta_version != session_.meta_version;
    to_run_.reset();
    if (concerns_checks(news.kinds))
        look_at_checks(db, stored->probe);
    return {};
}

void ChangeTail::look_at_checks(Transaction& db, const pb::Probe& probe)
{
    to_run_ = store::checks_to_run(db, probe.id());
    std::erase_if(to_run_->checks, [](const pb::Check& check) {
        if (bearable(check))
            return false;
        logger.error("a check that no agent can take is not sent", {{"check", check.id()}});
        return true;
    });
    // The probe's own tenant may be known to its agent from elsewhere, so it hears of its changes
    // though no check asks for it.
    const auto known = to_run_->tenants.find(probe.tenantid());
    const auto own = probe.public_()                   ? std::nullopt
                     : known != to_run_->tenants.end() ? std::optional{known->second}
                                                       : store::find_tenant(db, probe.tenantid());
    if (own && own->has_metricsremote() && own->has_eventsremote()) {
        if (!own_tenant_)
            own_tenant_ = own->modified();
        if (own->modified() > *own_tenant_)
            to_run_->tenants.emplace(own->id(), *own);
    }
    for (auto& [id, tenant] : to_run_->tenants)
        tenant = for_agents(db, std::move(tenant), parts().metrics);
}

std::vector<pb::Changes> ChangeTail::messages()
{
    if (!to_run_)
        return {};
    if (told_)
        return told_->next(*to_run_);
    std::map<std::int64_t, double> known;
    for (const pb::EntityRef& ref : state_.checks())
        known[ref.id()] = ref.lastmodified();
    told_.emplace(std::move(known), has_old_meta_, largest_message);
    auto first = told_->first(*to_run_);
    // Tenants do not count in a first message, so they have one of their own.
    for (pb::Changes& more : told_->next(*to_run_))
        first.push_back(std::move(more));
    return first;
}

asio::awaitable<Result<>> ChangeTail::tell()
{
    auto changes = messages();
    for (pb::Changes& each : changes) {
        const bool written = co_await stream_->write(std::move(each));
        if (!written)
            co_return error("gone", "the probe has gone");
    }
    co_return Result<>{};
}

void ChangeTail::hold_lease()
{
    const auto now = std::chrono::steady_clock::now();
    renew_at_ = now + parts().config.presence_lease / 3;
    held_until_ = now + parts().config.presence_lease;
}

/// Renews the lease when it is time. Without an answer of the database it is ours until it ends: an
/// outage that is shorter costs nobody a reconnection.
asio::awaitable<Result<>> ChangeTail::keep()
{
    const auto now = std::chrono::steady_clock::now();
    if (now < renew_at_)
        co_return Result<>{};
    auto renew = [this](Transaction& db) -> Result<bool> {
        return store::renew_session(
            db, client().probe, session_.number, parts().config.presence_lease);
    };
    const auto renewed = co_await parts().store.presence(renew);
    if (renewed && *renewed)
        hold_lease();
    else if (!renewed)
        renew_at_ = now + retry_after;
    const bool ours = renewed ? *renewed : now < held_until_;
    if (!ours)
        co_return error("lease", "another agent of this probe is connected");
    co_return Result<>{};
}

}  // namespace sonde::control
