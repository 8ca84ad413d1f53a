#include "exporters/lane/report.h"

#include "agent/base/log.h"
#include "config/ids.h"

#include <utility>

namespace sonde::exporters::lane {
namespace {

constexpr log::Logger logger{"publisher"};
constexpr std::chrono::minutes between_lines{1};

/// At most one line in a while, and the first at once.
bool may_tell(std::optional<std::chrono::steady_clock::time_point>& told)
{
    const auto now = std::chrono::steady_clock::now();
    if (told && now - *told < between_lines)
        return false;
    told = now;
    return true;
}

double age_seconds(std::int64_t timestamp_ms)
{
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    return now.count() - (static_cast<double>(timestamp_ms) / 1000);
}

}  // namespace

Report::Report(Metrics& metrics, TenantKey tenant, Type type)
    : metrics_{metrics}, tenant_{tenant}, type_{type}, pushed_{metrics.pushed.Add(labels())},
      bytes_{metrics.bytes.Add(labels())}, retries_{metrics.retries.Add(labels())},
      dropped_{metrics.dropped.Add(labels())}, uncertain_{metrics.uncertain.Add(labels())},
      queued_{metrics.queued.Add(labels())}, queued_bytes_{metrics.queued_bytes.Add(labels())},
      backlog_{metrics.backlog.Add(labels())}, backlog_bytes_{metrics.backlog_bytes.Add(labels())}
{}

void Report::answered(int status)
{
    auto& found = responses_[status];
    if (found == nullptr)
        found = &metrics_.responses.Add(labels("status", std::to_string(status)));
    found->Increment();
}

void Report::delivered(std::size_t records, std::size_t bytes)
{
    pushed_.Increment(static_cast<double>(records));
    bytes_.Increment(static_cast<double>(bytes));
}

void Report::not_accepted(const net::HttpAnswer& answer, Outcome outcome, std::size_t records)
{
    metrics_.errors.Add(labels("status", std::to_string(answer.status)))
        .Increment(static_cast<double>(records));
    ++untold_failures_;
    if (!may_tell(told_failure_))
        return;
    const std::string said =
        answer.status == 0 ? answer.error : std::string{first_line(answer.body)};
    logger.warning("a push was not accepted",
        {{"tenant", tenant_.id}, {"type", name_of(type_)}, {"status", answer.status},
            {"outcome", name_of(outcome)}, {"records", records},
            {"pushes", std::exchange(untold_failures_, 0)}, {"said", said}});
}

void Report::kept(std::size_t records)
{
    retries_.Increment(static_cast<double>(records));
}

void Report::sent_again(std::size_t records)
{
    uncertain_.Increment(static_cast<double>(records));
}

void Report::tenant_unknown(std::string_view why)
{
    metrics_.given_up.Add(labels("reason", "tenant")).Increment();
    if (may_tell(told_failure_))
        logger.error("a tenant's remotes are not known", {{"tenant", tenant_.id}, {"why", why}});
}

void Report::url_unusable()
{
    metrics_.given_up.Add(labels("reason", "client")).Increment();
}

void Report::goes_in_order()
{
    logger.warning("the remote takes nothing older than what it has: from now on in order",
        {{"tenant", tenant_.id}, {"type", name_of(type_)}});
}

void Report::lost(GapReason reason, std::int64_t timestamp_ms)
{
    dropped_.Increment();
    metrics_.count_lost(type_, reason, 1, age_seconds(timestamp_ms));
    ++untold_lost_;
    newest_reason_ = reason;
    if (may_tell(told_lost_))
        tell_lost();
}

void Report::end()
{
    if (untold_lost_ > 0)
        tell_lost();
}

void Report::tell_lost()
{
    logger.error("records dropped",
        {{"tenant", tenant_.id}, {"type", name_of(type_)},
            {"records", std::exchange(untold_lost_, 0)}, {"why", name_of(newest_reason_)}});
}

void Report::waiting(const Waiting& now)
{
    queued_.Set(static_cast<double>(now.queued));
    queued_bytes_.Set(static_cast<double>(now.queued_bytes));
    backlog_.Set(static_cast<double>(now.backlog));
    backlog_bytes_.Set(static_cast<double>(now.backlog_bytes));
}

prometheus::Labels Report::labels() const
{
    const auto [local, region] = config::split_id(tenant_.id);
    return {{"regionID", std::to_string(region)}, {"tenantID", std::to_string(local)},
        {"type", std::string{name_of(type_)}}};
}

prometheus::Labels Report::labels(std::string_view name, std::string value) const
{
    auto all = labels();
    all.emplace(name, std::move(value));
    return all;
}

}  // namespace sonde::exporters::lane
