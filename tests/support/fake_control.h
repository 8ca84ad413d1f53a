#pragma once

#include "config/schema.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sonde::tests {

/// gRPC's codes by their numbers; its headers cost a source seconds of compiler time.
enum class Code {
    ok = 0,
    cancelled = 1,
    unknown = 2,
    not_found = 5,
    permission_denied = 7,
    resource_exhausted = 8,
    aborted = 10,
    unimplemented = 12,
    internal = 13,
    unavailable = 14,
    unauthenticated = 16
};

/// A control plane as reference agents know it (spec 01 §7, §9.1, §13), on a port of 127.0.0.1. By
/// itself it accepts every agent that has the token; a test tells it when to misbehave.
///
/// gRPC's threads answer, so the test's own may block or run its loop as it likes. What a test sets
/// holds for calls that come later.
class FakeControl {
public:
    /// What a unary call gets instead of the usual answer.
    struct Answer {
        Code code = Code::ok;
        std::string text = {};
        pb::StatusCode status = pb::OK;  ///< RegisterProbe: the status inside its message
        bool never = false;              ///< no answer while the caller waits
    };

    /// What has come. Calls without the token are `refused` and otherwise not counted.
    struct Seen {
        std::vector<pb::ProbeInfo> registered;
        std::vector<pb::ProbeState> followed;  ///< GetChanges, in order
        std::vector<std::int64_t> pings;       ///< their sequence numbers
        std::vector<std::int64_t> tenants;     ///< GetTenant, their ids
        std::size_t adhoc_registered = 0;      ///< AdHocChecks.RegisterProbe
        std::size_t adhoc_followed = 0;        ///< GetAdHocChecks
        std::vector<pb::RegionTelemetry> telemetry;
        std::size_t refused = 0;
        int under_way = 0;  ///< calls whose caller still waits, of all kinds
    };

    /// Services that a control plane can do without.
    struct Offers {
        bool adhoc = true;
        bool telemetry = true;
    };

    FakeControl() : FakeControl(Offers{}) {}
    explicit FakeControl(const Offers& offers);
    ~FakeControl();  ///< ends all calls

    std::uint16_t port() const;
    Seen seen() const;

    void set_token(std::string token);  ///< "fake-token" at first
    void refuse_with(Code code);        ///< calls without the token; UNAUTHENTICATED at first
    void set_probe(const pb::Probe& probe);
    void set_tenant(const pb::Tenant& tenant);

    /// Streams begin with the difference between these and what the agent knows, as the test
    /// server of the reference computes it (spec 01 §7.5). Without, they begin with nothing.
    void set_checks(std::vector<pb::Check> checks);
    void begin_with_nothing();

    // The next call of this kind gets `answer`; several are given in turn.
    void next_register(Answer answer);
    void next_ping(Answer answer);
    void next_tenant(Answer answer);
    void next_adhoc_register(Answer answer);
    void next_telemetry(Answer answer);
    void answer_telemetry_with_nothing();  ///< not even a status (spec 01 §14 row 1)

    // To the newest stream, or to the next when there is none: done in turn.
    void send(const pb::Changes& changes);
    void end_stream(Code code, std::string text = {});

    // The same for ad-hoc checks.
    void send(const pb::AdHocRequest& request);
    void end_adhoc(Code code, std::string text = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::tests
