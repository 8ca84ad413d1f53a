#pragma once

// An agent as the reference is (spec 01 §7, §14): it looks at every message for what it would not
// survive, and keeps what it runs and knows as the reference does.

#include "tests/unit/agent/control/plane.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sonde::tests {

using grpc::StatusCode;

inline int kinds_in(const pb::CheckSettings& settings)
{
    return settings.has_ping() + settings.has_http() + settings.has_dns() + settings.has_tcp() +
           settings.has_traceroute() + settings.has_scripted() + settings.has_multihttp() +
           settings.has_grpc() + settings.has_browser();
}

inline void survive(const pb::Tenant& tenant)
{
    CHECK(tenant.has_metricsremote());
    CHECK(tenant.has_eventsremote());
    CHECK(tenant.modified() > 0);
    CHECK_FALSE(tenant.metricsremote().password().empty());
    if (tenant.has_limits()) {
        CHECK(tenant.limits().maxmetriclabels() >= 9);
        CHECK(tenant.limits().maxloglabels() >= 1);
    }
    if (tenant.has_secretstore()) {
        CHECK_FALSE(tenant.secretstore().url().empty());
        CHECK_FALSE(tenant.secretstore().token().empty());
    }
}

/// A check with the tenant's record that the agent has.
inline void survive(const pb::Check& check, const pb::Tenant* tenant)
{
    CHECK(kinds_in(check.settings()) == 1);
    CHECK(check.tenantid() != 0);
    CHECK(check.probes_size() > 0);
    CHECK(check.modified() > 0);
    CHECK(check.enabled());
    if (tenant == nullptr)
        return;
    for (const std::string& name : tenant->costattributionlabels())
        for (const pb::Label& label : check.labels()) {
            const bool split = label.value().find_first_of(",=") != std::string::npos;
            const bool crashes = label.name() == name && split;
            CHECK_FALSE(crashes);
        }
}

inline void survive(const pb::RegisterProbeResult& result)
{
    REQUIRE(result.has_status());
    REQUIRE(result.status().code() == pb::OK);
    // Agents without k6 stop without both.
    CHECK(result.probe().capabilities().disablescriptedchecks());
    CHECK(result.probe().capabilities().disablebrowserchecks());
    CHECK(result.probe().id() != 0);
}

/// The session in which it hears of checks to run.
class Agent {
public:
    explicit Agent(Plane& at) : Agent{at, at.token} {}
    Agent(Plane& at, std::string token) : at_{at}, token_{std::move(token)} {}
    ~Agent() { leave(); }
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Registers, also where another has to be waited for, and takes what comes first.
    void connect()
    {
        pb::RegisterProbeResult result;
        do {
            AgentCall call{token_};
            REQUIRE(at_.checks->RegisterProbe(&call, {}, &result).ok());
        } while (result.status().code() == pb::ALREADY_EXISTS);
        survive(result);
        pb::ProbeState state;
        for (const auto& [id, modified] : running) {
            auto* const ref = state.add_checks();
            ref->set_id(id);
            ref->set_lastmodified(modified);
        }
        had_checks_ = !running.empty();
        call_ = std::make_unique<AgentCall>(token_);
        stream_ = at_.checks->GetChanges(call_.get(), state);
        begun_ = false;
        next();
    }

    /// The next message, taken as the reference takes it.
    pb::Changes next()
    {
        pb::Changes changes;
        REQUIRE(stream_->Read(&changes));  // one of more than 4 MiB would end the stream here
        const bool whole = !std::exchange(begun_, true) && !changes.isdeltafirstbatch();
        if (whole) {
            // All that it runs and is not listed stops, and tenants are not looked at.
            CHECK_FALSE(had_checks_);
            CHECK(changes.tenants().empty());
        }
        for (const pb::Tenant& tenant : changes.tenants()) {
            survive(tenant);
            // An older record is not looked at.
            CHECK(tenant.modified() > known[tenant.id()].modified());
            known[tenant.id()] = tenant;
        }
        for (const pb::CheckChange& change : changes.checks())
            take(change);
        return changes;
    }

    /// Until a check of this job is added or changed.
    pb::Check next_of(const std::string& job)
    {
        for (;;) {
            const pb::Changes changes = next();
            for (const pb::CheckChange& change : changes.checks())
                if (change.check().job() == job)
                    return change.check();
        }
    }

    StatusCode end()
    {
        pb::Changes changes;
        while (stream_->Read(&changes)) {
        }
        const auto status = stream_->Finish();
        stream_.reset();
        return status.error_code();
    }

    void leave()
    {
        if (!stream_)
            return;
        call_->TryCancel();
        end();
    }

    std::map<std::int64_t, double> running;
    std::map<std::int64_t, pb::Tenant> known;

private:
    void take(const pb::CheckChange& change)
    {
        const std::int64_t id = change.check().id();
        const bool runs = running.contains(id);
        if (change.operation() == pb::CHECK_DELETE) {
            CHECK(runs);  // else an error in its log
            running.erase(id);
            return;
        }
        CHECK(runs == (change.operation() == pb::CHECK_UPDATE));  // a second ADD is refused
        const auto tenant = known.find(change.check().tenantid());
        survive(change.check(), tenant == known.end() ? nullptr : &tenant->second);
        running[id] = change.check().modified();
    }

    Plane& at_;
    std::string token_;
    std::unique_ptr<AgentCall> call_;
    std::unique_ptr<grpc::ClientReader<pb::Changes>> stream_;
    bool begun_ = false;
    bool had_checks_ = false;
};

/// The other session that an agent has.
class AdHocAgent {
public:
    explicit AdHocAgent(Plane& at)
    {
        pb::RegisterProbeResult result;
        AgentCall call{at.token};
        REQUIRE(at.ad_hoc->RegisterProbe(&call, {}, &result).ok());
        survive(result);
        call_ = std::make_unique<AgentCall>(at.token);
        stream_ = at.ad_hoc->GetAdHocChecks(call_.get(), {});
    }
    ~AdHocAgent()
    {
        if (!stream_)
            return;
        call_->TryCancel();
        end();
    }
    AdHocAgent(const AdHocAgent&) = delete;
    AdHocAgent& operator=(const AdHocAgent&) = delete;

    pb::AdHocRequest next()
    {
        pb::AdHocRequest request;
        REQUIRE(stream_->Read(&request));
        CHECK(kinds_in(request.adhoccheck().settings()) == 1);
        CHECK(request.adhoccheck().tenantid() != 0);
        if (request.has_tenant())
            survive(request.tenant());
        return request;
    }

    StatusCode end()
    {
        pb::AdHocRequest request;
        while (stream_->Read(&request)) {
        }
        const auto status = stream_->Finish();
        stream_.reset();
        return status.error_code();
    }

private:
    std::unique_ptr<AgentCall> call_;
    std::unique_ptr<grpc::ClientReader<pb::AdHocRequest>> stream_;
};

}  // namespace sonde::tests
