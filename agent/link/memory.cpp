#include "agent/link/memory.h"

#include "agent/base/log.h"
#include "agent/link/tenants.h"
#include "agent/schedule/schedule.h"

#include <algorithm>
#include <map>
#include <set>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};

/// What a check's results say of the probe (spec 03 §2).
std::string identity(const pb::Probe& probe)
{
    pb::Probe out;
    out.set_id(probe.id());
    out.set_name(probe.name());
    out.set_latitude(probe.latitude());
    out.set_longitude(probe.longitude());
    out.set_region(probe.region());
    *out.mutable_labels() = probe.labels();
    return out.SerializeAsString();
}

}  // namespace

void Memory::use(StateFile& file)
{
    file_ = &file;
    stored_ = file.load();
    if (!stored_)
        return;
    for (const pb::Tenant& tenant : stored_->tenants)
        tenants_.recall(tenant);
}

void Memory::resume()
{
    if (!stored_)
        return;
    resumed_ = std::exchange(stored_, std::nullopt);
    tenants_.trust_recalled();
    const auto probe = std::make_shared<const pb::Probe>(resumed_->probe);
    std::erase_if(
        resumed_->checks, [](const pb::Check& check) { return !unusable(check).empty(); });
    file_->keep(*probe);
    for (const pb::Check& check : resumed_->checks) {
        schedule_.put(schedule::Origin::api, check, probe);
        file_->keep(check);
    }
    logger.warning("the API is away: the checks it gave before the start go on",
        {{"checks", resumed_->checks.size()}, {"probe_id", probe->id()}});
}

void Memory::carried_out(const Plan& plan, const std::shared_ptr<const pb::Probe>& probe)
{
    stored_.reset();
    if (file_) {
        for (const auto id : plan.remove)
            file_->forget_check(id);
        for (const pb::Check* check : plan.put)
            file_->keep(*check);
        file_->keep(*probe);
    }
    if (!resumed_)
        return;
    std::set<std::int64_t> replaced;
    for (const pb::Check* check : plan.put)
        replaced.insert(check->id());
    std::erase_if(
        resumed_->checks, [&](const pb::Check& check) { return replaced.contains(check.id()); });
    correct_probe(probe);
    resumed_.reset();
}

void Memory::correct_probe(const std::shared_ptr<const pb::Probe>& probe)
{
    if (identity(*probe) == identity(resumed_->probe))
        return;
    std::set<std::int64_t> on_schedule;
    for (const auto& [id, modified] : schedule_.known(schedule::Origin::api))
        on_schedule.insert(id);
    for (const pb::Check& check : resumed_->checks)
        if (on_schedule.contains(check.id()))
            schedule_.put(schedule::Origin::api, check, probe);
}

}  // namespace sonde::link
