#include "tests/faults/agent.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

namespace sonde::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t period_ms = 1000;

/// Due times of a check that stand in gaps of samples.
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

void await(
    const std::string& what, const std::function<bool()>& happened, std::chrono::seconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!happened()) {
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, what);
        ::poll(nullptr, 0, 20);
    }
}

FaultyLife::FaultyLife(std::size_t checks, const std::string& extra, const std::string& tenants)
    : checks_{checks}
{
    folder_.write("sonde.yaml", yaml(extra, tenants));
}

std::string FaultyLife::job(std::size_t check) const
{
    return fmt::format("job{}", check);
}

std::string FaultyLife::yaml(const std::string& extra, const std::string& tenants) const
{
    std::string out = fmt::format(
        "state_dir: {}\nlog: {{level: info, format: json}}\nprobe: {{name: Here, region: TEST}}\n"
        "status: {{listen: \"127.0.0.1:{}\"}}\n",
        directory(), status_port_);
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

void FaultyLife::start()
{
    const char* binary = std::getenv("SONDE_BINARY");
    REQUIRE_MESSAGE(binary != nullptr, "SONDE_BINARY names the program under test");
    sonde_.emplace(std::vector<std::string>{binary, "run", "--config", folder_.path("sonde.yaml")},
        folder_.path(fmt::format("log{}", starts_++)));
    await("the agent comes up:\n" + log(), [&] {
        int status = 0;
        http("GET", fmt::format("http://127.0.0.1:{}/live", status_port_), &status);
        return status == 200;
    });
}

void FaultyLife::kill()
{
    sonde_->signal(SIGKILL);
    sonde_->wait();
    sonde_.reset();
}

int FaultyLife::stop()
{
    sonde_->signal(SIGTERM);
    const int status = sonde_->wait();
    sonde_.reset();
    return status;
}

void FaultyLife::freeze() const
{
    sonde_->signal(SIGSTOP);
}

void FaultyLife::thaw() const
{
    sonde_->signal(SIGCONT);
}

double FaultyLife::metric(const std::string& name) const
{
    std::istringstream lines{http("GET", fmt::format("http://127.0.0.1:{}/metrics", status_port_))};
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
        const bool is_it = line.starts_with(name + '{') || line.starts_with(name + ' ');
        if (is_it)
            sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
    }
    return sum;
}

void FaultyLife::await_delivery() const
{
    await("everything that waits is delivered:\n" + log(), [&] {
        return metric("sonde_publisher_queue_records") +
                   metric("sonde_publisher_backlog_records") ==
               0;
    });
}

std::string FaultyLife::log() const
{
    std::string all;
    for (int i = 0; i < starts_; ++i)
        all += content_of(folder_.path(fmt::format("log{}", i)));
    return all;
}

FaultyLife::Balance FaultyLife::balance() const
{
    return balance(
        [this](const std::string& name) { return remote.samples("probe_success", name); });
}

FaultyLife::Balance FaultyLife::balance(const Arrived& arrived_of) const
{
    const auto journal = exporters::Journal::inspect(directory() + "/journal");
    REQUIRE_MESSAGE(journal.has_value(), (journal ? "" : journal.error().message));
    Balance balance;
    for (std::size_t i = 1; i <= checks_; ++i) {
        const auto arrived = arrived_of(job(i));
        const auto missing = in_gaps(journal->gaps, static_cast<std::int64_t>(i));
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
