#include "agent/control/metrics.h"

#include <algorithm>
#include <charconv>

namespace sonde::control {
namespace {

constexpr std::string_view none = "none";
constexpr std::string_view unknown = "unknown";
// Whoever is let in may still make up any: no more than these, of all clients together.
constexpr std::size_t most_versions = 64;

prometheus::Family<prometheus::Counter>& counters(
    prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& gauges(
    prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help)
{
    return gauges(registry, name, help).Add({});
}

std::string among(
    std::initializer_list<std::string_view> known, std::string_view given, std::string_view other)
{
    const bool found = std::find(known.begin(), known.end(), given) != known.end();
    return std::string{found ? given : other};
}

std::string method_label(std::string_view given)
{
    return among({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, given, unknown);
}

/// Those of spec 04 §1.10, and our own.
std::string client_label(std::string_view given)
{
    if (given.empty())
        return std::string{none};
    return among(
        {"sm-go-client", "terraform", "gcx", "grafana-synthetic-monitoring-app", "sonde-ctl"},
        given, unknown);
}

/// The numbers that a version begins with, "1.20.3" of "v1.20.3-rc.1"; whatever else it may say is
/// the client's to choose.
std::string version_label(std::string_view given)
{
    constexpr int most_numbers = 3;
    constexpr unsigned largest = 9999;
    if (given.empty())
        return std::string{none};
    if (given.front() == 'v')
        given.remove_prefix(1);
    std::string out;
    for (int i = 0; i < most_numbers; ++i) {
        unsigned number = 0;
        const auto [end, failure] =
            std::from_chars(given.data(), given.data() + given.size(), number);
        if (failure != std::errc{} || number > largest)
            break;
        out += (out.empty() ? "" : ".") + std::to_string(number);
        given.remove_prefix(static_cast<std::size_t>(end - given.data()));
        if (!given.starts_with('.'))
            break;
        given.remove_prefix(1);
    }
    return out.empty() ? std::string{unknown} : out;
}

const prometheus::Histogram::BucketBoundaries& durations()
{
    static const prometheus::Histogram::BucketBoundaries seconds{
        0.001, 0.005, 0.02, 0.1, 0.5, 2, 10};
    return seconds;
}

/// All there can be from the start: a rate sees the first refusal only if there was a zero before.
std::array<std::array<prometheus::Counter*, 2>, 4> refusals(prometheus::Registry& registry)
{
    auto& family = counters(registry, "sonde_control_authentication_failures_total",
        "Callers turned away, by what they should have shown and by whether they showed any");
    std::array<std::array<prometheus::Counter*, 2>, 4> out{};
    constexpr std::array kinds{"access", "publisher", "admin", "probe"};
    constexpr std::array reasons{"missing", "unknown"};
    for (std::size_t kind = 0; kind < kinds.size(); ++kind)
        for (std::size_t why = 0; why < reasons.size(); ++why)
            out[kind][why] = &family.Add({{"kind", kinds[kind]}, {"reason", reasons[why]}});
    return out;
}

std::array<prometheus::Gauge*, 2> streams(prometheus::Registry& registry)
{
    auto& family = gauges(
        registry, "sonde_control_streams", "Streams that probes have open here, by what they get");
    return {&family.Add({{"kind", "changes"}}), &family.Add({{"kind", "adhoc"}})};
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : requests_{counters(registry, "sonde_control_http_requests_total",
          "Answers of the HTTP API, by the pattern of the path")},
      durations_{prometheus::BuildHistogram()
              .Name("sonde_control_http_request_duration_seconds")
              .Help("From a request of the HTTP API, once it has come in, to its answer")
              .Register(registry)},
      clients_{counters(registry, "sonde_control_http_client_requests_total",
          "Requests of known clients that succeeded, by the client's version")},
      refused_{refusals(registry)}, streams_{streams(registry)},
      change_version_{gauge(registry, "sonde_control_change_version",
          "Of the latest record in the change log, a few seconds ago")},
      undelivered_{gauge(registry, "sonde_control_undelivered_change_age_seconds",
          "For how long a probe that is connected here has had changes it was not sent; 0: none")},
      directory_{gauges(registry, "sonde_control_directory_info",
          "1; hash is the SHA-256 of the directory in force, the same at every replica")},
      directory_loaded_{gauge(registry, "sonde_control_directory_loaded",
          "1 when the directory in force is what was last read, 0 when that was refused")},
      directory_errors_{counters(registry, "sonde_control_directory_load_errors_total",
          "Directories that were refused, or that the database did not take")
              .Add({})},
      tenants_{gauge(registry, "sonde_control_tenants", "Tenants, without the operator")},
      tokens_{gauge(registry, "sonde_control_tokens", "Access tokens of all tenants")},
      probes_{gauge(registry, "sonde_control_probes", "Probes of all tenants and of the operator")},
      probes_online_{gauge(registry, "sonde_control_probes_online",
          "Probes that are connected, to whichever replica")},
      checks_{gauge(registry, "sonde_control_checks", "Checks of all tenants")},
      omitted_{counters(registry, "sonde_control_omitted_cost_labels_total",
          "Names of cost attribution labels that a tenant's record was made without, as a value "
          "has a comma or an equals sign")
              .Add({})}
{}

void Metrics::answered(const Answered& answer)
{
    const std::string client = client_label(answer.client);
    const std::string route{answer.route.empty() ? none : answer.route};
    requests_
        .Add({{"route", route}, {"method", method_label(answer.method)},
            {"code", std::to_string(answer.code)}, {"client", client}})
        .Increment();
    if (!answer.route.empty())
        durations_.Add({{"route", route}}, durations()).Observe(answer.took.count());
    if (answer.succeeded && client != none && client != unknown)
        count_version(client, answer.client_version);
}

void Metrics::count_version(const std::string& client, std::string_view version)
{
    std::string label = version_label(version);
    const bool known = versions_.contains({client, label}) || versions_.size() < most_versions;
    if (known)
        versions_.emplace(client, label);
    clients_.Add({{"client", client}, {"version", known ? label : std::string{unknown}}})
        .Increment();
}

void Metrics::refused(TokenKind kind, Refusal why)
{
    refused_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(why)]->Increment();
}

void Metrics::directory_read(const std::string& digest)
{
    auto& now = directory_.Add({{"hash", digest}});
    if (directory_info_ && directory_info_ != &now)
        directory_.Remove(directory_info_);
    directory_info_ = &now;
    now.Set(1);
    directory_loaded_.Set(1);
}

void Metrics::directory_refused()
{
    directory_errors_.Increment();
    directory_loaded_.Set(0);
}

void Metrics::change_version(std::int64_t version)
{
    change_version_.Set(static_cast<double>(version));
}

void Metrics::undelivered_age(std::chrono::duration<double> age)
{
    undelivered_.Set(age.count());
}

void Metrics::stored(const store::Totals& totals)
{
    tenants_.Set(static_cast<double>(totals.tenants));
    tokens_.Set(static_cast<double>(totals.tokens));
    probes_.Set(static_cast<double>(totals.probes));
    probes_online_.Set(static_cast<double>(totals.probes_online));
    checks_.Set(static_cast<double>(totals.checks));
}

void Metrics::omitted(int names)
{
    omitted_.Increment(names);
}

Metrics::Stream::Stream(Metrics& metrics, StreamKind kind)
    : live_{*metrics.streams_[static_cast<std::size_t>(kind)]}
{
    live_.Increment();
}

Metrics::Stream::~Stream()
{
    live_.Decrement();
}

}  // namespace sonde::control
