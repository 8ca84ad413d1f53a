#include "agent/control/rpc/difference.h"

#include <utility>

namespace sonde::control {

/// Fills one message after the other.
class Told::Messages {
public:
    explicit Messages(std::size_t largest) : largest_{largest} {}

    void add(pb::CheckOperation operation, const pb::Check& check)
    {
        auto* const change = room_for(check.ByteSizeLong()).add_checks();
        change->set_operation(operation);
        *change->mutable_check() = check;
    }
    void add(const pb::Tenant& tenant) { *room_for(tenant.ByteSizeLong()).add_tenants() = tenant; }
    std::vector<pb::Changes> take() { return std::move(messages_); }

private:
    pb::Changes& room_for(std::size_t bytes)
    {
        constexpr std::size_t around = 24;  // tags, lengths, operation
        if (messages_.empty() || used_ + bytes + around > largest_) {
            messages_.emplace_back();
            used_ = 0;
        }
        used_ += bytes + around;
        return messages_.back();
    }

    std::size_t largest_;
    std::size_t used_ = 0;
    std::vector<pb::Changes> messages_;
};

Told::Told(std::map<std::int64_t, double> known, bool resend, std::size_t largest)
    : checks_{std::move(known)}, resend_{resend}, delta_{!checks_.empty()}, largest_{largest}
{}

std::vector<pb::Changes> Told::first(const store::ToRun& now)
{
    Messages messages{largest_};
    add_checks(now, messages);
    resend_ = false;
    auto out = messages.take();
    if (out.empty())
        out.emplace_back();
    out.front().set_isdeltafirstbatch(delta_);
    return out;
}

std::vector<pb::Changes> Told::next(const store::ToRun& now)
{
    Messages messages{largest_};
    add_tenants(now, messages);
    add_checks(now, messages);
    return messages.take();
}

void Told::add_checks(const store::ToRun& now, Messages& into)
{
    std::map<std::int64_t, double> listed;
    for (const pb::Check& check : now.checks) {
        const auto before = checks_.find(check.id());
        const bool known = before != checks_.end();
        listed[check.id()] = check.modified();
        if (known && !resend_ && before->second == check.modified())
            continue;
        into.add(known ? pb::CHECK_UPDATE : pb::CHECK_ADD, check);
    }
    for (const auto& [id, modified] : checks_)
        if (!listed.contains(id)) {
            pb::Check gone;
            gone.set_id(id);
            into.add(pb::CHECK_DELETE, gone);
        }
    checks_ = std::move(listed);
}

void Told::add_tenants(const store::ToRun& now, Messages& into)
{
    for (const auto& [id, tenant] : now.tenants) {
        auto& told = tenants_[id];
        if (tenant.modified() <= told)
            continue;
        told = tenant.modified();
        into.add(tenant);
    }
}

}  // namespace sonde::control
