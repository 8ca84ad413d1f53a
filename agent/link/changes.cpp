#include "agent/link/changes.h"

#include <utility>

namespace sonde::link {
namespace {

constexpr std::int64_t longest_period_ms = 3'600'000;

std::string_view name_of(pb::CheckOperation operation)
{
    switch (operation) {
    case pb::CHECK_ADD:
        return "add";
    case pb::CHECK_UPDATE:
        return "update";
    case pb::CHECK_DELETE:
        return "delete";
    default:
        return "unknown";
    }
}

}  // namespace

std::string unusable(const pb::Check& check)
{
    if (check.id() == 0)
        return "invalid check id";
    if (check.tenantid() == 0)
        return "invalid tenant ID";
    if (check.target().empty() || check.target() == "__internal__")
        return "invalid check target";
    if (check.job().empty() || check.job() == "__internal__")
        return "invalid check job";
    if (check.frequency() < 1 || check.frequency() > longest_period_ms)
        return "invalid check frequency";
    if (check.timeout() < 1 || check.timeout() > check.frequency())
        return "invalid check timeout";
    return {};
}

ChangeReader::ChangeReader(const std::vector<schedule::Known>& known)
{
    for (const auto& [id, modified] : known)
        known_[id] = modified;
}

Plan ChangeReader::read(const pb::Changes& message)
{
    const bool snapshot = std::exchange(first_, false) && !message.isdeltafirstbatch();
    return snapshot ? read_snapshot(message) : read_difference(message);
}

Plan ChangeReader::read_snapshot(const pb::Changes& message)
{
    Plan plan;
    plan.snapshot = true;
    std::map<std::int64_t, double> listed;
    for (const pb::CheckChange& change : message.checks()) {
        const pb::Check& check = change.check();
        Plan::Handled handled{name_of(change.operation()), {}, check.id()};
        const auto before = known_.find(check.id());
        if (change.operation() != pb::CHECK_ADD)
            handled.problem = "a first batch only adds";
        else if (before == known_.end() || before->second != check.modified())
            handled.problem = unusable(check);
        if (handled.problem.empty()) {
            if (before == known_.end() || before->second != check.modified())
                plan.put.push_back(&check);
            listed[check.id()] = check.modified();
        }
        plan.handled.push_back(std::move(handled));
    }
    for (const auto& [id, modified] : known_)
        if (!listed.contains(id))
            plan.remove.push_back(id);
    known_ = std::move(listed);
    return plan;
}

Plan ChangeReader::read_difference(const pb::Changes& message)
{
    Plan plan;
    for (const pb::CheckChange& change : message.checks())
        read_change(change, plan);
    return plan;
}

void ChangeReader::read_change(const pb::CheckChange& change, Plan& plan)
{
    const pb::Check& check = change.check();
    const auto before = known_.find(check.id());
    Plan::Handled handled{name_of(change.operation()), {}, check.id()};
    switch (change.operation()) {
    case pb::CHECK_ADD:
        handled.problem = before != known_.end() ? "check already exists" : unusable(check);
        break;
    case pb::CHECK_UPDATE:
        handled.problem = unusable(check);
        break;
    case pb::CHECK_DELETE:
        if (before == known_.end())
            handled.problem = "check not found";
        break;
    default:
        handled.problem = "unknown operation";
    }
    if (handled.problem.empty()) {
        // Within one message the last word on a check counts.
        std::erase_if(
            plan.put, [&](const pb::Check* earlier) { return earlier->id() == check.id(); });
        if (change.operation() == pb::CHECK_DELETE) {
            plan.remove.push_back(check.id());
            known_.erase(check.id());
        } else {
            plan.put.push_back(&check);
            known_[check.id()] = check.modified();
        }
    }
    plan.handled.push_back(std::move(handled));
}

}  // namespace sonde::link
