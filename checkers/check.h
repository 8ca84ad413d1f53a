#pragma once

#include "agent/base/error.h"
#include "agent/net/services.h"
#include "checkers/check_log.h"
#include "checkers/observations.h"
#include "checkers/problems.h"
#include "checkers/secret_source.h"
#include "config/agent_config.h"
#include "config/schema.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::checkers {

namespace asio = boost::asio;

/// How a run ended. A failing target is an answer, not an error of ours.
struct Verdict {
    std::string_view code;   ///< of reasons.h: "connect", "timeout", "tcp_expect"; empty: passed
    std::string message;     ///< for people, with the evidence
    std::string_view cause;  ///< spec 02 §1.10, "refused", "certificate_expired"; may be empty
    CheckLog::Fields attributes = {};  ///< of the code, for the line that explains the failure

    bool passed() const { return code.empty(); }
    static Verdict pass() { return {}; }
    static Verdict fail(std::string_view code, std::string message, std::string_view cause = {})
    {
        return {code, std::move(message), cause};
    }
    /// The same with one attribute more.
    template <class Value>
    Verdict with(std::string_view key, const Value& value) &&
    {
        attributes.emplace_back(key, value);
        return std::move(*this);
    }
};

/// A part of a run and its time. A phase that was not reached has none.
struct Phase {
    std::string_view name;
    double seconds = 0;
    bool reached = false;
};

/// What a peer proved itself with, for people (`sonde check`) rather than for series.
struct CertificateSummary {
    std::string subject;
    std::string issuer;
    std::vector<std::string> dns_names;
    std::string serial_number;
    std::string fingerprint_sha256;
    std::time_t not_before = 0;
    std::time_t not_after = 0;
    bool verified = false;
    std::string tls_version;
    std::string cipher;
};

/// What is to be probed, and as whom.
struct Subject {
    std::string target;
    std::chrono::milliseconds timeout{3000};
    std::int64_t check_id = 0;
    std::int64_t probe_id = 0;
    SecretSource* secrets = nullptr;  ///< null: there is none
};

/// All that one run may use and all that it produces; lives for exactly one run.
struct Run {
    net::Services& net;  ///< shared, loop thread only
    const config::CheckersConfig& options;
    const Subject& subject;
    std::chrono::steady_clock::time_point deadline;

    std::string_view phase = "resolve";  ///< the open phase, should the deadline come
    Observations observed;
    CheckLog log;
    std::optional<asio::ip::address> address;  ///< the one the run uses
    std::optional<CertificateSummary> certificate;
    /// Seconds that replace wall time as the duration of a passed run; 0: wall time (ping).
    double duration = 0;

    /// Notes the time of a phase of Kind::phases; adds to what is there already.
    void took(std::string_view phase_name, double seconds);
    std::vector<Phase> phases;  ///< those reached so far

    /// This probe's own part in the time of the run: see delay_of() in run_once.h.
    std::chrono::nanoseconds starved_before{0};  ///< net::starved_lately() when it began
    std::chrono::nanoseconds late{0};  ///< news of the target lay there, the loop was busy

    /// The first failure that has been explained by a checker which goes on all the same: the
    /// primary cause, also when the deadline comes later.
    Verdict finding = Verdict::pass();
    CheckLog::Fields closing = {};  ///< more keys of the last line, behind those of every kind
};

/// A check's settings, parsed once and run many times. Immutable, so runs may overlap.
class Checker {
public:
    virtual ~Checker() = default;

    /// Probes the target once and logs what it sees; a failing verdict has been explained in the
    /// log by fail() below. Need not watch the clock: at the deadline it is cancelled.
    /// @throws system_error for trouble it does not expect; the runner makes a verdict of it.
    virtual asio::awaitable<Verdict> run(Run& run) const = 0;

    /// What is left to say once the deadline has cancelled run(): the default is "timeout" in
    /// `run.phase`. Ping decides by what it has received.
    virtual Verdict at_deadline(Run& run) const;
};

/// Everything the rest of the program knows about a kind of check.
struct Kind {
    std::string_view name;                     ///< its field in CheckSettings, and its label: "tcp"
    LogEntry::Layout layout;                   ///< of its own log lines
    std::span<const Metric> metrics;           ///< all it may set; tests hold it to that
    std::span<const std::string_view> phases;  ///< all it may have, in order
    /// Settings and target to a checker; null when there are problems, with codes of reasons.h.
    std::unique_ptr<const Checker> (*parse)(const pb::Check&, Problems&);
    /// What the prober is pointed at, the log key `target`: for DNS the server (spec 03 §2.1).
    std::string (*pointed_at)(const pb::Check&);
    /// Sets, at 0, the series that every run has, also one that ends before it began; null: none.
    void (*begin)(Observations&) = nullptr;
};

/// Logs why the run fails: `message` is the line's text and `fields` its keys (spec 03 §5.6);
/// `reason`, `cause` and those attributes that the line does not have yet are appended.
/// @return the verdict.
Verdict fail(Run& run, std::string_view log_message, CheckLog::Fields fields, Verdict verdict);

/// "timeout" in the phase that was open.
Verdict timed_out(const Run& run);

}  // namespace sonde::checkers
