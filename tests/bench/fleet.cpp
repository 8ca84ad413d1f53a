// bench_fleet SONDE DIR: what a whole fleet of checks needs in one daemon, `sonde run`, from its
// due times to its pushes: lateness, processor time, memory, descriptors; and what the journal
// adds.
//
// Targets and the remote are on loopback, on another core. DIR holds fleet.checks (a settings line
// per kind), fleet.push (the URL that takes pushes) and fleet.port (of /metrics).

#include "tests/bench/lines.h"
#include "tests/bench/peer.h"
#include "tests/bench/process.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace sonde::bench;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int period_ms = 60'000;
constexpr auto window = 60s;  // every check runs once in it
constexpr auto patience = 120s;

struct Fleet {
    int checks;
    bool journal;
};

/// The checks as a file of JSON, which the API takes too: kinds in turn.
void write_checks(const std::string& dir, int number)
{
    const auto kinds = lines_of(dir + "/fleet.checks");
    std::ofstream out{dir + "/checks.json"};
    out << '[';
    for (int i = 1; i <= number; ++i)
        out << (i == 1 ? "" : ",") << "{\"id\":" << i << ",\"job\":\"job" << i
            << "\",\"frequency\":" << period_ms << ",\"timeout\":3000,"
            << kinds[static_cast<std::size_t>(i) % kinds.size()] << "}\n";
    out << ']';
}

void write_config(const std::string& dir, const Fleet& fleet)
{
    const std::string push = lines_of(dir + "/fleet.push").at(0);
    const std::string port = lines_of(dir + "/fleet.port").at(0);
    std::ofstream out{dir + "/fleet.yaml"};
    out << "state_dir: " << dir << "/state\n"
        << "probe: {name: bench, region: BENCH}\n"
        << "status: {listen: \"127.0.0.1:" << port << "\"}\n"
        << "tenants: [{metrics: {push_url: \"" << push << "\"}, events: {push_url: \"" << push
        << "\"}}]\n"
        << "journal: {enabled: " << (fleet.journal ? "true" : "false") << "}\n"
        << (fleet.checks > 0 ? "checks_files: [checks.json]\n" : "checks: []\n");
}

/// `/metrics` of the daemon.
class Page {
public:
    explicit Page(std::uint16_t port) : text_{PeerConnection{port}.get("/metrics")} {}

    /// Sum over all labels.
    double value(const std::string& name) const
    {
        double sum = 0;
        std::istringstream in{text_};
        for (std::string line; std::getline(in, line);)
            if (line.starts_with(name + '{') || line.starts_with(name + ' '))
                sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    }

    /// Upper bound to cumulative count.
    std::map<double, double> buckets(const std::string& name) const
    {
        std::map<double, double> out;
        const std::string start = name + "_bucket{le=\"";
        std::istringstream in{text_};
        for (std::string line; std::getline(in, line);)
            if (line.starts_with(start) && line[start.size()] != '+')
                out[std::stod(line.substr(start.size()))] = std::stod(line.substr(line.rfind(' ')));
        return out;
    }

private:
    std::string text_;
};

/// The bound below which the share `q` of what happened between two pages lies, in milliseconds.
double bound_ms(const Page& before, const Page& after, const std::string& name, double q)
{
    const double total = after.value(name + "_count") - before.value(name + "_count");
    const auto old = before.buckets(name);
    for (const auto& [bound, count] : after.buckets(name))
        if (count - old.at(bound) >= q * total)
            return bound * 1e3;
    return 1e9;
}

void await_runs(const Process& process, std::uint16_t port, double number)
{
    const auto give_up = Clock::now() + patience;
    while (Page{port}.value("sm_agent_scraper_operations_total") < number)
        if (Clock::now() > give_up)
            throw std::runtime_error{"checks do not run"};
        else
            process.let_work(100ms);
}

void measure(const std::string& sonde, const std::string& dir, const Fleet& fleet)
{
    std::filesystem::remove_all(dir + "/state");
    write_checks(dir, fleet.checks);
    write_config(dir, fleet);
    const auto port = static_cast<std::uint16_t>(std::stoi(lines_of(dir + "/fleet.port").at(0)));
    const auto began = Clock::now();
    Process process{{sonde, "run", "--config", dir + "/fleet.yaml"}, 1};
    await_port(port, process, 100s);  // reading 50 000 checks takes its time
    const double ready = std::chrono::duration<double>(Clock::now() - began).count();
    await_runs(process, port, fleet.checks * 0.05);
    const Page before{port};
    const double cpu = process.cpu_seconds();
    const auto start = Clock::now();
    process.let_work(window);
    const Page after{port};
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double used = process.cpu_seconds() - cpu;
    const auto difference = [&](const char* name) {
        return after.value(name) - before.value(name);
    };
    const double runs = difference("sm_agent_scraper_operations_total");
    const char* const lag = "sonde_schedule_lateness_seconds";
    std::printf("| %6d | %-3s | %7.0f | %8.1f | %8.1f | %6.2f %% | %7.0f | %6.1f | %5zu | %6.0f | "
                "%5.0f | %5.1f s |\n",
        fleet.checks, fleet.journal ? "yes" : "no", runs, bound_ms(before, after, lag, 0.5),
        bound_ms(before, after, lag, 0.99), used / seconds * 100, runs > 0 ? used / runs * 1e6 : 0,
        process.rss_mib(), process.descriptors(), difference("sm_agent_publisher_push_total"),
        difference("sm_agent_publisher_drop_total") + difference("sm_agent_scraper_errors_total"),
        ready);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 3) {
            std::printf(
                "Checks of four kinds, each every %d s; %d s of each fleet are measured. Lag: "
                "the bucket's bound, in ms.\n",
                period_ms / 1000, static_cast<int>(window.count()));
            std::printf(
                "| checks | journal | runs | lag p50 | lag p99 | processor | us per run | RSS "
                "MiB | descriptors | records pushed | failed | start |\n");
            std::printf(
                "| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n");
            constexpr std::array fleets{Fleet{0, true}, Fleet{100, true}, Fleet{1'000, true},
                Fleet{10'000, false}, Fleet{10'000, true}, Fleet{50'000, true}};
            for (const Fleet& fleet : fleets)
                measure(argv[1], argv[2], fleet);
            return EXIT_SUCCESS;
        }
        std::fprintf(stderr, "bench_fleet SONDE DIR\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_fleet: %s\n", failure.what());
    }
    return EXIT_FAILURE;
}
