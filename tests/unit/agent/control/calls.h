#pragma once

#include "config/services.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sonde::tests {

/// What goes with a call: pairs of metadata.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// A call with a limit, so that a silent server fails the test.
struct Call : grpc::ClientContext {
    explicit Call(const Metadata& metadata)
    {
        for (const auto& [name, value] : metadata)
            AddMetadata(name, value);
        set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{30});
    }
};

inline Metadata bearer(const std::string& token)
{
    return {{"authorization", "Bearer " + token}};
}

/// How every call that a probe may make ends, for callers that are turned away. `at` has the stubs.
template <class Stubs>
std::vector<grpc::StatusCode> codes_of_all_calls(Stubs& at, const Metadata& metadata)
{
    std::vector<grpc::StatusCode> out;
    const auto unary = [&](auto&& call) {
        Call context{metadata};
        out.push_back(call(context).error_code());
    };
    const auto stream = [&](auto&& open, auto message) {
        Call context{metadata};
        const auto reader = open(context);
        while (reader->Read(&message)) {
        }
        out.push_back(reader->Finish().error_code());
    };
    pb::RegisterProbeResult result;
    pb::PongResponse pong;
    pb::Tenant tenant;
    pb::PushTelemetryResponse pushed;
    pb::RegisterK6VersionResponse noted;
    unary([&](auto& c) { return at.checks->RegisterProbe(&c, {}, &result); });
    unary([&](auto& c) { return at.checks->Ping(&c, {}, &pong); });
    stream([&](auto& c) { return at.checks->GetChanges(&c, {}); }, pb::Changes{});
    unary([&](auto& c) { return at.tenants->GetTenant(&c, {}, &tenant); });
    unary([&](auto& c) { return at.ad_hoc->RegisterProbe(&c, {}, &result); });
    stream([&](auto& c) { return at.ad_hoc->GetAdHocChecks(&c, {}); }, pb::AdHocRequest{});
    unary([&](auto& c) { return at.telemetry->PushTelemetry(&c, {}, &pushed); });
    unary([&](auto& c) { return at.k6->RegisterK6Version(&c, {}, &noted); });
    return out;
}

}  // namespace sonde::tests
