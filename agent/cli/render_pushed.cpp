#include "agent/cli/render.h"
#include "agent/schedule/publish.h"
#include "config/agent_config.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <map>

namespace sonde::cli {
namespace {

/// The probe that this host would be.
pb::Probe own_probe()
{
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    pb::Probe probe;
    probe.set_name(name.data());
    return probe;
}

exporters::Payload payload_of(
    const Outcome& outcome, const pb::Check& check, schedule::CheckSeries& series)
{
    static const pb::Probe probe = own_probe();
    exporters::Tenant tenant;
    tenant.max_metric_labels = 1000;  // there is no tenant that could mind
    const schedule::LabelSource source{check, probe, outcome.kind.name};
    const std::string id = schedule::new_execution_id();
    const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(
        outcome.report.started_at.time_since_epoch());
    const schedule::PublishContext context{
        std::make_shared<const schedule::Labelling>(source, outcome.kind.pointed_at(check), tenant),
        {}, {}, due.count(), id};
    return schedule::to_payload(outcome.report, context, series);
}

std::string escaped(std::string_view value)
{
    std::string out;
    for (const char c : value)
        if (c == '\n')
            out += "\\n";
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else
            out += c;
    return out;
}

std::string exposition(const exporters::Payload& payload)
{
    std::string out;
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        std::string name;
        std::string labels;
        for (const exporters::Label& label : payload.series->labels(i))
            if (label.name == "__name__")
                name = label.value;
            else
                labels += fmt::format(
                    "{}{}=\"{}\"", labels.empty() ? "" : ",", label.name, escaped(label.value));
        out += fmt::format("{}{{{}}} {}\n", name, labels, payload.values[i]);
    }
    return out;
}

}  // namespace

struct Pushed::State {
    struct OfCheck {
        explicit OfCheck(bool basic) : derived{basic} {}
        schedule::CheckSeries derived;
        std::string series;
    };
    std::map<const pb::Check*, OfCheck> checks;
    std::vector<const pb::Check*> order;
    std::string lines;
};

Pushed::Pushed() : state_{std::make_unique<State>()} {}
Pushed::~Pushed() = default;

void Pushed::take(const Outcome& outcome)
{
    const auto [known, is_new] =
        state_->checks.try_emplace(&outcome.check, outcome.check.basicmetricsonly());
    if (is_new)
        state_->order.push_back(&outcome.check);
    const auto payload = payload_of(outcome, outcome.check, known->second.derived);
    known->second.series = exposition(payload);
    state_->lines.clear();
    for (const exporters::LogLine& line : payload.logs->lines)
        state_->lines += line.line;
}

std::string Pushed::series() const
{
    std::string out;
    for (const pb::Check* check : state_->order)
        out += state_->checks.at(check).series;
    return out;
}

std::string Pushed::lines() const
{
    return state_->lines;
}

std::size_t Pushed::count(const Outcome& outcome, bool basic)
{
    schedule::CheckSeries series{basic};
    return payload_of(outcome, outcome.check, series).values.size();
}

}  // namespace sonde::cli
