// bench_truth AGENT DIR: how far reported times are from true ones.
//
// bench_target answers HTTP and DNS after a true delay, and a line of that length (there and back)
// lies before what TCP, TLS and ping checks ask. What we and blackbox_exporter report of it is
// compared with it: with nothing else to do, beside a program that burns the same core, at 80 % of
// the core with other checks, TLS handshakes among them, and with 10 000 checks a minute. Needs a
// network namespace for itself.

#include "tests/bench/lines.h"
#include "tests/bench/peer.h"
#include "tests/bench/process.h"
#include "tests/bench/statistics.h"
#include "tests/support/delay_line.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace sonde::bench;
using sonde::tests::DelayLine;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int samples = 100;  // for each kind and delay
constexpr auto gap = 13ms;    // no delay is a multiple: an answer would meet the next check's start
constexpr double busy = 0.8;

/// The phase of a kind's delay in blackbox's page; its TCP prober has none.
const std::map<std::string_view, std::string_view> peer_series{
    {"http", R"(probe_http_duration_seconds{phase="processing"})"},
    {"dns", R"(probe_dns_duration_seconds{phase="request"})"},
    {"tcp", R"(probe_http_duration_seconds{phase="connect"})"},
    {"tls", R"(probe_http_duration_seconds{phase="tls"})"},
    {"ping", R"(probe_icmp_duration_seconds{phase="rtt"})"},
};

/// What goes on while times are taken.
enum class Beside { nothing, hog, load, fleet };
constexpr int fleet_checks = 10'000;  // each a minute
constexpr int fleet_period_ms = 60'000;

/// A delay of a kind, and what was reported of it.
struct Cell {
    std::string kind;
    long delay_us;
    std::vector<double> errors_us = {};
    std::vector<double> reported_us = {};  ///< in the order of the runs; of TLS alone
    std::vector<double> late_us = {};      ///< of the run, by its own account
    int said = 0;                          ///< runs whose log says that they were late
    int failed = 0;
    double late_p50 = 0;  ///< the instrument's own error
    double late_p99 = 0;
};

class Bench {
public:
    Bench(std::string agent, std::string dir);
    void scenario(const char* name, Beside beside);
    void print_arithmetic() const;

private:
    std::vector<Cell> empty() const;
    std::vector<Cell> ours(Beside beside, double& use);
    std::vector<Cell> theirs(Beside beside, double& use);
    void load(Process& agent, Beside beside);
    std::unique_ptr<PeerLoad> load_peer(const Process& peer, Beside beside) const;
    int fit_our_load(Process& agent);
    std::unique_ptr<PeerLoad> peer_load(int rate) const;
    int fit_peer_load(const Process& peer) const;
    int all_samples() const { return samples * static_cast<int>(cells_.size()); }
    void judge_handshakes(std::vector<Cell>& cells, std::optional<double>& arithmetic_us);
    void forget_own_errors();
    void note_own_errors(std::vector<Cell>& cells);
    void print(const std::vector<Cell>& mine, const std::vector<Cell>& yours) const;

    std::string agent_;
    std::string dir_;
    std::uint16_t peer_port_ = 0;
    std::uint16_t slow_port_ = 0;
    std::vector<std::string> cells_;  // "KIND DELAY_US", in the order of truth.measure
    std::vector<long> lengths_us_;    // of the line's paths
    std::optional<Process> target_;
    std::optional<DelayLine> line_;
    std::optional<double> our_arithmetic_us_;  // of a handshake, between answer and Finished, idle
    std::optional<double> their_arithmetic_us_;
};

Bench::Bench(std::string agent, std::string dir)
    : agent_{std::move(agent)}, dir_{std::move(dir)}, cells_{lines_of(dir_ + "/truth.cells")}
{
    peer_port_ = static_cast<std::uint16_t>(std::stoi(lines_of(dir_ + "/peer.port").front()));
    slow_port_ = static_cast<std::uint16_t>(std::stoi(lines_of(dir_ + "/slow.port").front()));
    const std::string beside = agent_.substr(0, agent_.rfind('/'));
    target_.emplace(
        std::vector<std::string>{beside + "/bench_target", std::to_string(slow_port_)}, 0);
    await_port(slow_port_, *target_);
    std::vector<DelayLine::Path> paths;  // the n-th different delay is that of path n
    for (const Cell& cell : empty())
        if (std::find(lengths_us_.begin(), lengths_us_.end(), cell.delay_us) == lengths_us_.end()) {
            lengths_us_.push_back(cell.delay_us);
            const DelayLine::Way half{.delay = std::chrono::microseconds{cell.delay_us / 2}};
            paths.push_back({half, half});
        }
    line_.emplace(paths, DelayLine::Priority::first);
    if (!line_->ready())
        throw std::runtime_error{"no delay line: needs a network namespace and /dev/net/tun"};
}

std::vector<Cell> Bench::empty() const
{
    std::vector<Cell> cells;
    for (const std::string& line : cells_) {
        const auto space = line.find(' ');
        cells.push_back({.kind = line.substr(0, space), .delay_us = std::stol(line.substr(space))});
    }
    return cells;
}

/// What was reported too much, if the run passed.
void note(Cell& cell, double seconds)
{
    if (seconds < 0)
        ++cell.failed;
    else if (cell.kind == "tls")
        cell.reported_us.push_back(seconds * 1e6);
    else
        cell.errors_us.push_back(seconds * 1e6 - static_cast<double>(cell.delay_us));
}

void Bench::forget_own_errors()
{
    target_->ask("errors");
    for (std::size_t path = 0; path < lengths_us_.size(); ++path) {
        line_->take_late(path);
        line_->take_exchanges(path);
    }
}

/// The truth of a handshake: from ClientHello to the last byte of the server's answer, as the line
/// saw it, and the arithmetic that a client with a core to itself does before its Finished; that is
/// the median of the first scenario, the idle one, again as the line saw it.
void Bench::judge_handshakes(std::vector<Cell>& cells, std::optional<double>& arithmetic_us)
{
    using Micros = std::chrono::duration<double, std::micro>;
    std::map<long, std::vector<DelayLine::Exchange>> seen;
    std::vector<double> between;
    for (std::size_t path = 0; path < lengths_us_.size(); ++path)
        for (const auto& exchange : seen[lengths_us_[path]] = line_->take_exchanges(path))
            between.push_back(Micros{exchange.asked_again - exchange.answered}.count());
    if (!arithmetic_us)
        arithmetic_us = median(between);
    for (Cell& cell : cells) {
        if (cell.kind != "tls")
            continue;
        const auto& exchanges = seen[cell.delay_us];
        if (exchanges.size() != cell.reported_us.size())
            throw std::runtime_error{"a handshake failed, or the line missed one"};
        for (std::size_t run = 0; run < exchanges.size(); ++run)
            cell.errors_us.push_back(
                cell.reported_us[run] - *arithmetic_us -
                Micros{exchanges[run].answered - exchanges[run].asked}.count());
    }
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
    for (std::size_t path = 0; path < lengths_us_.size(); ++path) {
        const DelayLine::Late late = line_->take_late(path);
        for (Cell& cell : cells)
            if (cell.kind != "http" && cell.kind != "dns" && cell.delay_us == lengths_us_[path]) {
                cell.late_p50 = median(late.there) + median(late.back);
                cell.late_p99 = quantile(late.there, 0.99) + quantile(late.back, 0.99);
            }
    }
}

/// The share of a core that a program uses during a second.
double use_of(const Process& process)
{
    const double before = process.cpu_seconds();
    const auto began = Clock::now();
    process.let_work(1s);
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
        agent.let_work(1100ms);
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
        peer.let_work(300ms);
        return use_of(peer);
    });
}

/// Gives our side what it has to do besides.
void Bench::load(Process& agent, Beside beside)
{
    if (beside == Beside::nothing || beside == Beside::hog)
        return;
    const bool fleet = beside == Beside::fleet;
    const int checks = fleet ? fleet_checks : fit_our_load(agent);
    const int period_ms = fleet ? fleet_period_ms : 1000;
    agent.ask("clear");
    agent.ask("put " + std::to_string(checks) + ' ' + std::to_string(period_ms) + ' ' + dir_ +
              "/mix.json");
    std::printf("  our load: %d checks/s", checks * 1000 / period_ms);
}

std::unique_ptr<PeerLoad> Bench::load_peer(const Process& peer, Beside beside) const
{
    if (beside == Beside::nothing || beside == Beside::hog)
        return nullptr;
    const int rate =
        beside == Beside::fleet ? fleet_checks * 1000 / fleet_period_ms : fit_peer_load(peer);
    std::printf("  blackbox's load: %d probes/s", rate);
    return peer_load(rate);
}

std::vector<Cell> Bench::ours(Beside beside, double& use)
{
    std::vector<Cell> cells = empty();
    Process agent{{agent_, "0"}, 1};
    load(agent, beside);
    forget_own_errors();
    const double before = agent.cpu_seconds();
    const auto began = Clock::now();
    std::istringstream results{agent.ask("measure " + std::to_string(all_samples()) + ' ' +
                                         std::to_string(std::chrono::microseconds{gap}.count()) +
                                         ' ' + dir_ + "/truth.measure")};
    use = (agent.cpu_seconds() - before) /
          std::chrono::duration<double>(Clock::now() - began).count();
    for (std::string one; results >> one;) {
        std::istringstream in{one};
        char colon{};
        std::size_t line = 0;
        double seconds = 0;
        double late_us = 0;
        int said = 0;
        in >> line >> colon >> seconds >> colon >> late_us >> colon >> said;
        Cell& cell = cells.at(line);
        note(cell, seconds);
        cell.late_us.push_back(late_us);
        cell.said += said;
    }
    judge_handshakes(cells, our_arithmetic_us_);
    note_own_errors(cells);
    return cells;
}

std::vector<Cell> Bench::theirs(Beside beside, double& use)
{
    std::vector<Cell> cells = empty();
    Process peer{
        {"prometheus-blackbox-exporter", "--config.file=" + dir_ + "/blackbox.yml",
            "--web.listen-address=127.0.0.1:" + std::to_string(peer_port_), "--log.level=error"},
        1};
    await_port(peer_port_, peer);
    const auto others = load_peer(peer, beside);
    forget_own_errors();
    const double before = peer.cpu_seconds();
    const auto began = Clock::now();
    const auto seen = [&](std::size_t number, const std::string& page) {
        Cell& cell = cells[number % cells.size()];
        note(cell, value_in(page, std::string{peer_series.at(cell.kind)}));
    };
    const auto due = [](std::size_t number) {
        return std::chrono::nanoseconds{gap} * static_cast<long>(number);
    };
    PeerLoad probes{peer_port_, lines_of(dir_ + "/truth.paths"), 16, due,
        static_cast<std::size_t>(all_samples()), seen};
    probes.join();
    use =
        (peer.cpu_seconds() - before) / std::chrono::duration<double>(Clock::now() - began).count();
    judge_handshakes(cells, their_arithmetic_us_);
    note_own_errors(cells);
    return cells;
}

void Bench::scenario(const char* name, Beside beside)
{
    std::optional<Hog> hog;
    if (beside == Beside::hog)
        hog.emplace(1);
    std::printf("%s:", name);
    double our_use = 0;
    double their_use = 0;
    const auto mine = ours(beside, our_use);
    const auto yours = theirs(beside, their_use);
    std::printf("  core used: ours %.0f %%, blackbox %.0f %%\n", our_use * 100, their_use * 100);
    print(mine, yours);
}

/// Of the distance from the truth, on either side.
double p99(std::vector<double> errors)
{
    for (double& error : errors)
        error = std::abs(error);
    return quantile(std::move(errors), 0.99);
}

void Bench::print(const std::vector<Cell>& mine, const std::vector<Cell>& yours) const
{
    std::printf("%-5s %6s   %8s %8s %8s %6s %11s   %8s %8s %11s   %6s\n", "kind", "delay",
        "ours p50", "p99", "late", "said", "(own error)", "bb p50", "p99", "(own error)", "failed");
    for (std::size_t i = 0; i < mine.size(); ++i) {
        const Cell& a = mine[i];
        const Cell& b = yours[i];
        const double runs = std::max<double>(static_cast<double>(a.late_us.size()), 1);
        std::printf("%-5s %3ld ms   %8.0f %8.0f %8.0f %4.0f %%  %4.0f/%5.0f   ", a.kind.c_str(),
            a.delay_us / 1000, median(a.errors_us), p99(a.errors_us), quantile(a.late_us, 0.99),
            100 * a.said / runs, a.late_p50, a.late_p99);
        std::printf("%8.0f %8.0f  %4.0f/%5.0f   %d/%d\n", median(b.errors_us), p99(b.errors_us),
            b.late_p50, b.late_p99, a.failed, b.failed);
    }
    std::fflush(stdout);
}

void Bench::print_arithmetic() const
{
    std::printf(
        "arithmetic of a handshake between answer and Finished: ours %.0f us, blackbox %.0f us\n",
        our_arithmetic_us_.value_or(0), their_arithmetic_us_.value_or(0));
}

int run(const std::string& agent, const std::string& dir)
{
    pin(0);
    Bench bench{agent, dir};
    std::printf(
        "error of the reported phase against the true delay, us, the p99 without sign; a hundred "
        "of each. Late: p99 of "
        "what our runs put down to\nourselves; said: the share of runs whose log says so. Own "
        "error: p50/p99 of how late the target or the line (both ways) were. TLS 1.3: the "
        "truth is what the line saw,\nfrom ClientHello to the last of the server's answer, and the "
        "client's arithmetic on an idle core (last line)\n");
    bench.scenario("idle", Beside::nothing);
    bench.scenario("beside a CPU hog", Beside::hog);
    bench.scenario("at 80 % of the core, TLS in the mix", Beside::load);
    bench.scenario("10 000 checks, each a minute", Beside::fleet);
    bench.print_arithmetic();
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
