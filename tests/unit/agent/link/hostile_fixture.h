#pragma once

#include "tests/unit/agent/link/link_fixture.h"

#include <string>
#include <string_view>

namespace sonde::tests {

using exporters::GapReason;
using exporters::Origin;

/// An API that a test makes misbehave, and all that talks to it.
struct HostileFixture : LinkFixture {
    explicit HostileFixture(const FakeControl::Offers& offers = {}) : LinkFixture{offers}
    {
        api.set_checks({});
        timings.telemetry_step = 0ms;
        telemetry_every = 10ms;
        timings.service_retry = 5ms;
        api.set_tenant(whole_tenant(1));
    }

    void start_all()
    {
        start();
        start_adhoc();
        until_connected();
    }

    /// Results of one check so far.
    std::size_t results_of(std::int64_t id) const
    {
        std::size_t count = 0;
        for (const exporters::Payload& payload : results.payloads)
            count += payload.run_of && payload.run_of->id == id;
        return count;
    }
    void until_results_of(std::int64_t id, std::size_t count = 1)
    {
        until([&] { return results_of(id) >= count; });
    }

    /// A check that comes now is run, in a session: all is as it should be.
    void check_all_is_well(std::int64_t id = 77)
    {
        until([&] { return link->connected(); });
        api.send(Message{}.update(busy_check(id, address())).changes);
        until_results_of(id);
        CHECK_FALSE(given_up);
    }

    pb::AdHocRequest adhoc_request() const
    {
        pb::AdHocRequest out;
        out.mutable_adhoccheck()->set_id("adhoc");
        out.mutable_adhoccheck()->set_tenantid(1);
        out.mutable_adhoccheck()->set_timeout(1000);
        out.mutable_adhoccheck()->set_target(address());
        out.mutable_adhoccheck()->mutable_settings()->mutable_tcp();
        return out;
    }

    /// The label of a name in the newest result of a check, on any of its series.
    std::string label_of(std::int64_t id, std::string_view name) const
    {
        for (auto payload = results.payloads.rbegin(); payload != results.payloads.rend();
            ++payload)
            if (payload->run_of && payload->run_of->id == id)
                for (std::size_t i = 0; i < payload->series->size(); ++i)
                    for (const auto& label : payload->series->labels(i))
                        if (label.name == name)
                            return label.value;
        return "?";
    }
};

/// Its streams begin with nothing.
struct SilentFixture : HostileFixture {
    SilentFixture() { api.begin_with_nothing(); }
};

inline pb::Label& add_label(pb::Check& check, const std::string& name, const std::string& value)
{
    pb::Label& label = *check.add_labels();
    label.set_name(name);
    label.set_value(value);
    return label;
}

}  // namespace sonde::tests
