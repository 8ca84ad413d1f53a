#include "tests/faults/agent.h"

#include "exporters/journal.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdint>
#include <set>
#include <vector>

namespace sonde::tests {
namespace {

constexpr std::int64_t period_ms = 1000;

std::set<std::int64_t> in_gaps(const std::vector<exporters::Gap>& gaps, std::int64_t check)
{
    std::set<std::int64_t> out;
    for (const exporters::Gap& gap : gaps) {
        if (!gap.samples || !gap.check || gap.check->id != check)
            continue;
        CHECK(static_cast<std::int64_t>(gap.runs) == (gap.to_ms - gap.from_ms) / period_ms + 1);
        for (auto at = gap.from_ms; at <= gap.to_ms; at += period_ms)
            CHECK_MESSAGE(out.insert(at).second, "a run stands in two gaps");
    }
    return out;
}

}  // namespace

FaultyLife::FaultyLife(std::size_t checks, const std::string& extra, const std::string& tenants)
    : checks_{checks}
{
    program_.configure(yaml(extra, tenants));
}

std::string FaultyLife::job(std::size_t check) const
{
    return fmt::format("job{}", check);
}

std::string FaultyLife::yaml(const std::string& extra, const std::string& tenants) const
{
    std::string out = program_.head() + "probe: {name: Here, region: TEST}\n";
    if (tenants.empty())
        out += fmt::format(
            "tenants: [{{metrics: {{push_url: \"{}\"}}, events: {{push_url: \"{}\"}}}}]\n",
            remote.url("/metrics"), remote.url("/logs"));
    out += tenants;
    out += extra;
    out += "checks:\n";
    for (std::size_t i = 1; i <= checks_; ++i)
        out += fmt::format("  - {{id: {}, job: {}, target: \"127.0.0.1:{}\", frequency: {}, "
                           "timeout: 1000, settings: {{tcp: {{}}}}}}\n",
            i, job(i), target.port(), period_ms);
    return out;
}

void FaultyLife::freeze() const
{
    program_.signal(SIGSTOP);
}

void FaultyLife::thaw() const
{
    program_.signal(SIGCONT);
}

void FaultyLife::await_delivery() const
{
    await("everything that waits is delivered:\n" + log(), [&] {
        return metric("sonde_publisher_queue_records") +
                   metric("sonde_publisher_backlog_records") ==
               0;
    });
}

FaultyLife::Balance FaultyLife::balance() const
{
    return balance(
        [this](const std::string& name) { return remote.samples("probe_success", name); });
}

std::set<std::int64_t> FaultyLife::missing(std::size_t check) const
{
    const auto journal = exporters::Journal::inspect(directory() + "/journal");
    REQUIRE_MESSAGE(journal.has_value(), (journal ? "" : journal.error().message));
    return in_gaps(journal->gaps, static_cast<std::int64_t>(check));
}

FaultyLife::Balance FaultyLife::balance(const Arrived& arrived_of) const
{
    Balance balance;
    for (std::size_t i = 1; i <= checks_; ++i) {
        const auto arrived = arrived_of(job(i));
        const auto missing = this->missing(i);
        REQUIRE_MESSAGE(!arrived.empty(), log());
        auto first = arrived.begin()->first;
        auto last = arrived.rbegin()->first;
        if (!missing.empty()) {
            first = std::min(first, *missing.begin());
            last = std::max(last, *missing.rbegin());
        }
        for (auto at = first; at <= last; at += period_ms) {
            const bool came = arrived.contains(at);
            const bool told = missing.contains(at);
            ++balance.scheduled;
            balance.delivered += came ? 1 : 0;
            balance.missing += told && !came ? 1 : 0;
            balance.contradicted += told && came ? 1 : 0;
            balance.unexplained += !told && !came ? 1 : 0;
        }
        for (const auto& [at, times] : arrived)  // no run off the grid
            CHECK((at - first) % period_ms == 0);
    }
    return balance;
}

}  // namespace sonde::tests
