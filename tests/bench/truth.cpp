// bench_truth AGENT DIR: how far reported times are from true ones.
//
// bench_target answers after a true delay. What we and blackbox_exporter report of it (HTTP: phase
// processing, DNS: phase request) is compared with it: with nothing else to do, beside a program
// that burns the same core, and at 80 % of the core with other checks, TLS handshakes among them.

#include "tests/bench/peer.h"
#include "tests/bench/process.h"
#include "tests/bench/statistics.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace sonde::bench;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int samples = 800;  // a hundred for each kind and delay
constexpr auto gap = 20ms;
constexpr double busy = 0.8;

/// A delay of a kind, and what was reported of it.
struct Cell {
    std::string kind;
    long delay_us;
    std::vector<double> errors_us;
    int failed = 0;
    double late_p50 = 0;  ///< the instrument's own error
    double late_p99 = 0;
};

std::vector<std::string> lines_of(const std::string& file)
{
    std::ifstream in{file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    if (lines.empty())
        throw std::runtime_error{file + " is empty"};
    return lines;
}

class Bench {
public:
    Bench(std::string agent, std::string dir);
    void scenario(const char* name, bool hog, bool load);

private:
    std::vector<Cell> empty() const;
    std::vector<Cell> ours(bool load, double& use);
    std::vector<Cell> theirs(bool load, double& use);
    int fit_our_load(Process& agent);
    std::unique_ptr<PeerLoad> peer_load(int rate) const;
    int fit_peer_load(const Process& peer) const;
    void report(Cell& cell, double seconds);
    void note_own_errors(std::vector<Cell>& cells);

    std::string agent_;
    std::string dir_;
    std::uint16_t peer_port_ = 0;
    std::uint16_t slow_port_ = 0;
    std::vector<std::string> cells_;  // "KIND DELAY_US", in the order of truth.measure
    std::optional<Process> target_;
};

Bench::Bench(std::string agent, std::string dir)
    : agent_{std::move(agent)}, dir_{std::move(dir)}, cells_{lines_of(dir_ + "/truth.cells")}
{
    peer_port_ = static_cast<std::uint16_t>(std::stoi(lines_of(dir_ + "/peer.port").front()));
    slow_port_ = static_cast<std::uint16_t>(std::stoi(lines_of(dir_ + "/slow.port").front()));
    const std::string beside = agent_.substr(0, agent_.rfind('/'));
    target_.emplace(
        std::vector<std::string>{beside + "/bench_target", std::to_string(slow_port_)}, 0);
    await_port(slow_port_);
}

std::vector<Cell> Bench::empty() const
{
    std::vector<Cell> cells;
    for (const std::string& line : cells_) {
        const auto space = line.find(' ');
        cells.push_back({line.substr(0, space), std::stol(line.substr(space)), {}});
    }
    return cells;
}

void Bench::report(Cell& cell, double seconds)
{
    if (seconds < 0)
        ++cell.failed;
    else
        cell.errors_us.push_back(seconds * 1e6 - static_cast<double>(cell.delay_us));
}

void Bench::note_own_errors(std::vector<Cell>& cells)
{
    std::istringstream all{target_->ask("errors")};
    for (std::string one; std::getline(all, one, ';');) {
        std::istringstream in{one};
        Cell read;
        in >> read.kind >> read.delay_us >> read.late_p50 >> read.late_p99;
        for (Cell& cell : cells)
            if (cell.kind == read.kind && cell.delay_us == read.delay_us) {
                cell.late_p50 = read.late_p50;
                cell.late_p99 = read.late_p99;
            }
    }
}

/// The share of a core that a program uses during a second.
double use_of(const Process& process)
{
    const double before = process.cpu_seconds();
    const auto began = Clock::now();
    std::this_thread::sleep_for(1s);
    return (process.cpu_seconds() - before) /
           std::chrono::duration<double>(Clock::now() - began).count();
}

/// Finds a rate at which `use(rate)` is `busy`: costs fall as rates rise, hence the steps.
template <class Use>
int fit(Use use)
{
    int rate = 300;
    for (int step = 0; step < 4; ++step)
        rate = static_cast<int>(rate * busy / std::clamp(use(rate), 0.05, 0.98));
    return rate;
}

int Bench::fit_our_load(Process& agent)
{
    return fit([&](int rate) {
        agent.ask("clear");
        agent.ask("put " + std::to_string(rate) + " 1000 " + dir_ + "/mix.json");
        std::this_thread::sleep_for(1100ms);
        return use_of(agent);
    });
}

std::unique_ptr<PeerLoad> Bench::peer_load(int rate) const
{
    std::vector<std::chrono::nanoseconds> offsets;  // as random as those of our checks
    std::mt19937 random{1};
    std::uniform_int_distribution<long> in_second{0, 999'999'999};
    for (int i = 0; i < rate; ++i)
        offsets.emplace_back(in_second(random));
    std::sort(offsets.begin(), offsets.end());
    auto due = [offsets](std::size_t number) {
        return offsets[number % offsets.size()] + 1s * (number / offsets.size());
    };
    return std::make_unique<PeerLoad>(peer_port_, lines_of(dir_ + "/mix.paths"), 64, due);
}

int Bench::fit_peer_load(const Process& peer) const
{
    return fit([&](int rate) {
        const auto load = peer_load(rate);
        std::this_thread::sleep_for(300ms);
        return use_of(peer);
    });
}

std::vector<Cell> Bench::ours(bool load, double& use)
{
    std::vector<Cell> cells = empty();
    Process agent{{agent_, "0"}, 1};
    if (load) {
        const int rate = fit_our_load(agent);
        agent.ask("clear");
        agent.ask("put " + std::to_string(rate) + " 1000 " + dir_ + "/mix.json");
        std::printf("  our load: %d checks/s", rate);
    }
    target_->ask("errors");
    const double before = agent.cpu_seconds();
    const auto began = Clock::now();
    std::istringstream results{
        agent.ask("measure " + std::to_string(samples) + ' ' + std::to_string(gap.count()) + ' ' +
                  dir_ + "/truth.measure")};
    use = (agent.cpu_seconds() - before) /
          std::chrono::duration<double>(Clock::now() - began).count();
    for (std::string one; results >> one;) {
        const auto colon = one.find(':');
        report(cells.at(std::stoul(one)), std::stod(one.substr(colon + 1)));
    }
    note_own_errors(cells);
    return cells;
}

std::vector<Cell> Bench::theirs(bool load, double& use)
{
    std::vector<Cell> cells = empty();
    Process peer{
        {"prometheus-blackbox-exporter", "--config.file=" + dir_ + "/blackbox.yml",
            "--web.listen-address=127.0.0.1:" + std::to_string(peer_port_), "--log.level=error"},
        1};
    await_port(peer_port_);
    std::unique_ptr<PeerLoad> others;
    if (load) {
        const int rate = fit_peer_load(peer);
        others = peer_load(rate);
        std::printf("  blackbox's load: %d probes/s", rate);
    }
    target_->ask("errors");
    const double before = peer.cpu_seconds();
    const auto began = Clock::now();
    const auto seen = [&](std::size_t number, const std::string& page) {
        Cell& cell = cells[number % cells.size()];
        report(cell, value_in(page, cell.kind == "http"
                                        ? R"(probe_http_duration_seconds{phase="processing"})"
                                        : R"(probe_dns_duration_seconds{phase="request"})"));
    };
    const auto due = [](std::size_t number) {
        return std::chrono::nanoseconds{gap} * static_cast<long>(number);
    };
    PeerLoad probes{peer_port_, lines_of(dir_ + "/truth.paths"), 16, due, samples, seen};
    probes.join();
    use =
        (peer.cpu_seconds() - before) / std::chrono::duration<double>(Clock::now() - began).count();
    note_own_errors(cells);
    return cells;
}

void Bench::scenario(const char* name, bool hog, bool load)
{
    std::optional<Hog> beside;
    if (hog)
        beside.emplace(1);
    std::printf("%s:", name);
    double our_use = 0;
    double their_use = 0;
    const auto mine = ours(load, our_use);
    const auto yours = theirs(load, their_use);
    std::printf("  core used: ours %.0f %%, blackbox %.0f %%\n", our_use * 100, their_use * 100);
    std::printf("%-5s %6s   %8s %8s %11s   %8s %8s %11s   %6s\n", "kind", "delay", "ours p50",
        "p99", "(own error)", "bb p50", "p99", "(own error)", "failed");
    for (std::size_t i = 0; i < mine.size(); ++i) {
        const Cell& a = mine[i];
        const Cell& b = yours[i];
        std::printf("%-5s %3ld ms   %8.0f %8.0f  %4.0f/%5.0f   %8.0f %8.0f  %4.0f/%5.0f   %d/%d\n",
            a.kind.c_str(), a.delay_us / 1000, median(a.errors_us), quantile(a.errors_us, 0.99),
            a.late_p50, a.late_p99, median(b.errors_us), quantile(b.errors_us, 0.99), b.late_p50,
            b.late_p99, a.failed, b.failed);
    }
    std::fflush(stdout);
}

int run(const std::string& agent, const std::string& dir)
{
    pin(0);
    Bench bench{agent, dir};
    std::printf(
        "error of the reported phase against the true delay, us; a hundred of each; beside it "
        "p50/p99 of the target's own\n");
    bench.scenario("idle", false, false);
    bench.scenario("beside a CPU hog", true, false);
    bench.scenario("at 80 % of the core, TLS in the mix", false, true);
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 3)
            return run(argv[1], argv[2]);
        std::fprintf(stderr, "bench_truth AGENT DIR\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_truth: %s\n", failure.what());
    }
    return EXIT_FAILURE;
}
