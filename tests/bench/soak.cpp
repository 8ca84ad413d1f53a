// bench_soak AGENT DIR: what a thousand HTTP checks at once need, and what a hundred thousand
// checks leave behind.
//
// All checks are run by one thread of AGENT against servers on loopback. Fails, beyond printing it,
// when memory or open descriptors are not what they should be.

#include "tests/bench/peer.h"
#include "tests/bench/process.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>

namespace {

using namespace sonde::bench;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int at_once = 1000;
constexpr double most_mib = 120;  // resident, with so many at once
constexpr int in_flight = 16;
constexpr int settling = 20'000;  // checks after which pools and caches have their size
constexpr int checks = 100'000;
constexpr double noise_mib = 0.5;  // what an allocator may keep more or less

/// The largest number of open descriptors seen while this lives.
class DescriptorPeak {
public:
    explicit DescriptorPeak(const Process& process) : process_{process} {}
    std::size_t value() const { return peak_; }

private:
    void watch(const std::stop_token& over)
    {
        std::mutex mutex;
        std::unique_lock lock{mutex};
        for (std::condition_variable_any look; !over.stop_requested();
            look.wait_for(lock, over, 5ms, [] { return false; }))
            peak_ = std::max(peak_.load(), process_.descriptors());
    }

    const Process& process_;
    std::atomic<std::size_t> peak_ = 0;
    std::jthread thread_{[this](const std::stop_token& over) { watch(over); }};
};

bool expect(bool good, const char* what)
{
    if (!good)
        std::printf("  FAILED: %s\n", what);
    return good;
}

std::string first_line(const std::string& file)
{
    std::ifstream in{file};
    std::string line;
    std::getline(in, line);
    return line;
}

/// A target that answers after a second holds all of them together.
bool many_at_once(const std::string& agent, const std::string& dir)
{
    const std::string port = first_line(dir + "/slow.port");
    Process target{{agent.substr(0, agent.rfind('/')) + "/bench_target", port}, 0};
    await_port(static_cast<std::uint16_t>(std::stoi(port)), target);
    Process process{{agent, "0"}, 1};
    process.ask("count 0 0 -");
    const std::size_t idle = process.descriptors();
    const double idle_mib = process.rss_mib();
    std::string results;
    std::size_t peak = 0;
    {
        const DescriptorPeak descriptors{process};
        results = process.ask("measure " + std::to_string(at_once) + " 0 " + dir + "/soak.measure");
        peak = descriptors.value();
    }
    int failed = 0;
    int seen = 0;
    std::istringstream in{results};
    for (std::string one; in >> one; ++seen)
        failed += one.find(":-") != std::string::npos ? 1 : 0;
    std::printf("%d HTTP checks at once on one thread: %d failed, peak RSS %.1f MiB (idle %.1f), "
                "descriptors %zu (idle %zu)\n",
        seen, failed, process.peak_rss_mib(), idle_mib, peak, idle);
    const bool all = expect(seen == at_once && failed == 0, "all pass");
    const bool together = expect(peak >= idle + at_once, "all were open at the same time");
    return expect(process.peak_rss_mib() < most_mib, "peak RSS below 120 MiB") && all && together;
}

struct Count {
    double started = 0;
    double failed = 0;
};

Count count(Process& process)
{
    Count now;
    std::istringstream{process.ask("count")} >> now.started >> now.failed;
    return now;
}

/// Runs so many checks of all kinds more and awaits the last. @return those that failed.
double run_checks(Process& process, const std::string& dir, int number)
{
    const Count before = count(process);
    process.ask("put 64 10 " + dir + "/soak.json");
    process.ask("await " + std::to_string(number));
    process.ask("clear");
    return count(process).failed - before.failed;
}

bool many_after_each_other(const std::string& agent, const std::string& dir)
{
    Process process{{agent, std::to_string(in_flight)}, 1};
    double failed = run_checks(process, dir, settling);
    const std::size_t descriptors = process.descriptors();
    const double mib = process.rss_mib();
    const auto began = Clock::now();
    const double started = count(process).started;
    failed += run_checks(process, dir, checks);
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    std::printf(
        "%.0f checks of all kinds in %.0f s: %.0f failed, descriptors %zu before, %zu after, "
        "RSS %.2f MiB before, %.2f after\n",
        count(process).started - started, seconds, failed, descriptors, process.descriptors(), mib,
        process.rss_mib());
    const bool all = expect(failed == 0, "all pass");
    const bool closed = expect(process.descriptors() == descriptors, "all descriptors are closed");
    return expect(process.rss_mib() <= mib + noise_mib, "no more memory than before") && all &&
           closed;
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 3) {
            pin(0);
            const bool much = many_at_once(argv[1], argv[2]);
            std::fflush(stdout);
            return many_after_each_other(argv[1], argv[2]) && much ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        std::fprintf(stderr, "bench_soak AGENT DIR\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_soak: %s\n", failure.what());
    }
    return EXIT_FAILURE;
}
