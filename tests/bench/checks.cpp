// bench_checks AGENT DIR: what a check costs us and blackbox_exporter, side by side.
//
// DIR (tests/bench/run.sh) has for each kind a check of ours, KIND.json, and the path to ask the
// exporter for, KIND.path; blackbox.yml; and `ports`. Servers and this program run on core 0, the
// program under test on core 1.

#include "tests/bench/peer.h"
#include "tests/bench/process.h"
#include "tests/bench/statistics.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace sonde::bench;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int alternations = 7;
constexpr int low_alternations = 3;  // nothing is promised of the low rate
constexpr int in_flight = 16;
constexpr int low_rate = 50;        // checks a second
constexpr int checks_at_once = 64;  // on schedule at the high rate: more than may be in flight
constexpr auto high_window = 450ms;
constexpr auto low_window = 1000ms;  // a whole period: each check runs once
constexpr auto warm_up = 120ms;

struct Kind {
    const char* name;
    int period_ms;  ///< at the high rate: asks for more than there can be
    double target;  ///< how many times cheaper than the peer we want to be
};

constexpr Kind kinds[] = {
    {"http", 4, 4},
    {"https", 30, 1},         // system roots
    {"https_bundle", 30, 7},  // the same roots as caCert
    {"dns", 2, 12},
    {"tcp", 2, 6},
    {"tcp_tls", 30, 1.15},
    {"ping", 2, 15},
};

struct Cost {
    double cpu_us = 0;  ///< for each check
    double rate = 0;    ///< checks a second
    double rss_mib = 0;
};

/// Counts checks and their processor time while the program works.
template <class Count>
Cost measure(const Process& process, std::chrono::nanoseconds window, Count count)
{
    const double before = count();
    const double cpu_before = process.cpu_seconds();
    const auto began = Clock::now();
    process.let_work(window);
    const double cpu = process.cpu_seconds() - cpu_before;
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const double checks = count() - before;
    if (checks <= 0)
        throw std::runtime_error{"nothing was checked"};
    return {cpu * 1e6 / checks, checks / seconds, process.rss_mib()};
}

/// Our side: the checks are on schedule while this lives.
class OurChecks {
public:
    OurChecks(Process& agent, int count, int period_ms, const std::string& file) : agent_{agent}
    {
        agent_.ask("put " + std::to_string(count) + ' ' + std::to_string(period_ms) + ' ' + file);
    }
    ~OurChecks() { agent_.ask("clear"); }
    OurChecks(const OurChecks&) = delete;
    OurChecks& operator=(const OurChecks&) = delete;

    double started() { return counted(0); }
    double failed() { return counted(1); }

private:
    double counted(int column)
    {
        std::istringstream in{agent_.ask("count")};
        double value = 0;
        for (int i = 0; i <= column; ++i)
            in >> value;
        return value;
    }

    Process& agent_;
};

struct Series {
    std::vector<double> cpu_us, rate, rss_mib;

    void add(const Cost& cost)
    {
        cpu_us.push_back(cost.cpu_us);
        rate.push_back(cost.rate);
        rss_mib.push_back(cost.rss_mib);
    }
};

/// One kind at one rate.
struct Comparison {
    Series ours, theirs;
    std::vector<double> ratio;
};

std::string first_line(const std::string& file)
{
    std::ifstream in{file};
    std::string line;
    if (!std::getline(in, line))
        throw std::runtime_error{"cannot read " + file};
    return line;
}

class Bench {
public:
    Bench(std::string agent, std::string dir) : agent_{std::move(agent)}, dir_{std::move(dir)}
    {
        std::ifstream in{dir_ + "/peer.port"};
        in >> peer_port_;
    }

    void compare(const Kind& kind);
    double failed() const { return failed_; }
    int missed() const { return missed_; }

private:
    Cost ours(Process& agent, const Kind& kind, bool high);
    Cost theirs(Process& peer, const Kind& kind, bool high);
    void print(const Kind& kind, const char* rate, const Comparison& result);

    std::string agent_;
    std::string dir_;
    std::uint16_t peer_port_ = 0;
    double failed_ = 0;
    int missed_ = 0;
};

Cost Bench::ours(Process& agent, const Kind& kind, bool high)
{
    OurChecks checks{agent, high ? checks_at_once : low_rate, high ? kind.period_ms : 1000,
        dir_ + '/' + kind.name + ".json"};
    const double failed_before = checks.failed();
    agent.let_work(warm_up);
    const Cost cost =
        measure(agent, high ? high_window : low_window, [&] { return checks.started(); });
    failed_ += checks.failed() - failed_before;
    return cost;
}

Cost Bench::theirs(Process& peer, const Kind& kind, bool high)
{
    const auto grid = [high](std::size_t number) {
        return std::chrono::nanoseconds{high ? 0ns : 1s} / low_rate * static_cast<long>(number);
    };
    PeerLoad load{
        peer_port_, {first_line(dir_ + '/' + kind.name + ".path")}, high ? in_flight : 1, grid};
    peer.let_work(warm_up);
    const Cost cost = measure(
        peer, high ? high_window : low_window, [&] { return static_cast<double>(load.done()); });
    failed_ += static_cast<double>(load.failed());
    return cost;
}

void Bench::compare(const Kind& kind)
{
    Process agent{{agent_, std::to_string(in_flight)}, 1};
    Process peer{
        {"prometheus-blackbox-exporter", "--config.file=" + dir_ + "/blackbox.yml",
            "--web.listen-address=127.0.0.1:" + std::to_string(peer_port_), "--log.level=error"},
        1};
    await_port(peer_port_, peer);
    Comparison high;
    Comparison low;
    for (int round = 0; round < alternations; ++round)
        for (Comparison* each : {&high, &low}) {
            const bool fast = each == &high;
            if (!fast && round >= low_alternations)
                continue;
            Cost mine;
            Cost yours;
            if (round % 2 == 0) {
                mine = ours(agent, kind, fast);
                yours = theirs(peer, kind, fast);
            } else {
                yours = theirs(peer, kind, fast);
                mine = ours(agent, kind, fast);
            }
            each->ours.add(mine);
            each->theirs.add(yours);
            each->ratio.push_back(yours.cpu_us / mine.cpu_us);
        }
    print(kind, "high", high);
    print(kind, "low", low);
}

std::string spread(const std::vector<double>& values, const char* format)
{
    char text[96];
    char one[3][24];
    std::snprintf(one[0], sizeof one[0], format, median(values));
    std::snprintf(one[1], sizeof one[1], format, quantile(values, 0));
    std::snprintf(one[2], sizeof one[2], format, quantile(values, 1));
    std::snprintf(text, sizeof text, "%s (%s-%s)", one[0], one[1], one[2]);
    return text;
}

void Bench::print(const Kind& kind, const char* rate, const Comparison& result)
{
    const bool reached = median(result.ratio) >= kind.target;
    const bool counts = rate == std::string{"high"};
    if (counts && !reached)
        ++missed_;
    std::printf("%-13s %-5s %20s %7.0f %5.1f   %21s %6.0f %5.1f   %19s", kind.name, rate,
        spread(result.ours.cpu_us, "%.1f").c_str(), median(result.ours.rate),
        median(result.ours.rss_mib), spread(result.theirs.cpu_us, "%.0f").c_str(),
        median(result.theirs.rate), median(result.theirs.rss_mib),
        spread(result.ratio, "%.2f").c_str());
    std::printf("  %5.2f %s\n", kind.target, reached ? "holds" : "MISSED");
    std::fflush(stdout);
}

int run(const std::string& agent, const std::string& dir)
{
    pin(0);
    const auto began = Clock::now();
    Bench bench{agent, dir};
    std::printf("%-13s %-5s %20s %7s %5s   %21s %6s %5s   %19s  %s\n", "kind", "rate",
        "ours: CPU us/check", "checks/s", "MiB", "blackbox: CPU us/check", "ch./s", "MiB",
        "blackbox / ours", "target");
    for (const Kind& kind : kinds)
        bench.compare(kind);
    std::printf("%.0f s; failed checks: %.0f; targets missed at the high rate: %d\n",
        std::chrono::duration<double>(Clock::now() - began).count(), bench.failed(),
        bench.missed());
    return bench.failed() > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 3)
            return run(argv[1], argv[2]);
        std::fprintf(stderr, "bench_checks AGENT DIR\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_checks: %s\n", failure.what());
    }
    return EXIT_FAILURE;
}
