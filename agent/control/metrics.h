#pragma once

#include "agent/control/store/totals.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::control {

/// What a caller shows to be let in: an organisation's tokens, or a probe's.
enum class TokenKind { access, publisher, admin, probe };
enum class Refusal { missing, unknown };
enum class StreamKind { changes, adhoc };

/// An answer of the HTTP API. Method and client are as received.
struct Answered {
    std::string_view route = {};  ///< the pattern of its path; empty: no route has it
    std::string_view method = {};
    unsigned code = 0;
    std::string_view client = {};          ///< `X-Client-ID`
    std::string_view client_version = {};  ///< `X-Client-Version`
    bool succeeded = false;  ///< and the caller had a token: only then may a version be a new one
    std::chrono::duration<double> took = {};
};

/// The control plane's own metrics (spec 04 §14; README.md lists them). No label has what a caller
/// may choose at will, and none a tenant, a probe or a token. Loop thread only, but for omitted().
class Metrics {
public:
    explicit Metrics(prometheus::Registry& registry);

    void answered(const Answered& answer);
    void refused(TokenKind kind, Refusal why);

    void directory_read(const std::string& digest);
    /// The one there was stays in force.
    void directory_refused();

    void change_version(std::int64_t version);
    void undelivered_age(std::chrono::duration<double> age);
    void stored(const store::Totals& totals);

    /// Names of cost attribution labels that a record for an agent was made without. Any thread.
    void omitted(int names);

    /// Counts one stream while it lives.
    class Stream {
    public:
        Stream(Metrics& metrics, StreamKind kind);
        ~Stream();
        Stream(const Stream&) = delete;
        Stream& operator=(const Stream&) = delete;

    private:
        prometheus::Gauge& live_;
    };

private:
    void count_version(const std::string& client, std::string_view version);

    prometheus::Family<prometheus::Counter>& requests_;
    prometheus::Family<prometheus::Histogram>& durations_;
    prometheus::Family<prometheus::Counter>& clients_;
    std::set<std::pair<std::string, std::string>> versions_;  // by client; those of clients_
    std::array<std::array<prometheus::Counter*, 2>, 4> refused_;
    std::array<prometheus::Gauge*, 2> streams_;
    prometheus::Gauge& change_version_;
    prometheus::Gauge& undelivered_;
    prometheus::Family<prometheus::Gauge>& directory_;
    prometheus::Gauge* directory_info_ = nullptr;
    prometheus::Gauge& directory_loaded_;
    prometheus::Counter& directory_errors_;
    prometheus::Gauge& tenants_;
    prometheus::Gauge& tokens_;
    prometheus::Gauge& probes_;
    prometheus::Gauge& probes_online_;
    prometheus::Gauge& checks_;
    prometheus::Counter& omitted_;
};

}  // namespace sonde::control
