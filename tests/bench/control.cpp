// bench_control SONDE DIR: what the API costs those who wait for it. How long after the answer to
// a user a probe has the change, with a hundred probes connected, on one replica and across two;
// check/list with ten thousand checks; the first snapshot of a probe that is too large for one
// message.
//
// The replicas are pinned to core 1; probes, users and PostgreSQL to core 0. DIR holds
// control.ports (six free ones) and control.databases (a URL of an empty PostgreSQL database in
// each line).

#include "tests/bench/lines.h"
#include "tests/bench/process.h"
#include "tests/bench/statistics.h"
#include "tests/support/api_client.h"
#include "tests/support/notify_socket.h"
#include "tests/support/probe_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace sonde;
using namespace sonde::bench;
using namespace std::chrono_literals;
using nlohmann::json;
using tests::ApiClient;
using tests::ProbeClient;
using tests::ProbeView;
using Clock = std::chrono::steady_clock;

constexpr std::size_t streams = 100;
constexpr int rounds = 5;
constexpr int changes_of_round = 100;
constexpr int wide_changes_of_round = 10;  // of a check on all probes
constexpr int many_checks = 10'000;
constexpr int large_checks = 2'500;
constexpr std::size_t large_body = 2'000;
constexpr int lists = 15;
constexpr int snapshots = 7;
constexpr int adders = 8;
constexpr auto patience = 60s;

double milliseconds(Clock::duration time)
{
    return std::chrono::duration<double, std::milli>(time).count();
}

[[noreturn]] void fail(const std::string& why)
{
    throw std::runtime_error{why};
}

std::string answer_of(const ApiClient& api, const std::string& method, const std::string& resource,
    const std::string& body = {})
{
    auto answer = api.call(method, resource, body);
    if (answer.status != 200)
        fail(fmt::format("{}: {} {}", resource, answer.status, answer.body.substr(0, 300)));
    return std::move(answer.body);
}

/// One process of the API.
class Replica {
public:
    Replica(const std::string& sonde, const std::string& dir, std::size_t number,
        const std::string& database)
        : port_{port(dir, 3 * number)},
          address_{fmt::format("127.0.0.1:{}", port(dir, 3 * number + 1))}
    {
        const std::string state = fmt::format("{}/replica{}", dir, number);
        std::filesystem::remove_all(state);
        std::filesystem::create_directory(state);
        const std::string options = state + "/sonde.yaml";
        std::ofstream{options} << fmt::format(R"(state_dir: {0}
log: {{level: warning}}
status: {{listen: "127.0.0.1:{1}"}}
control:
  http: {{listen: ["127.0.0.1:{2}"]}}
  grpc: {{listen: ["{3}"]}}
  database: {{url: "{4}"}}
  secrets: {{key_file: "{5}/control.key"}}
  directory:
    version: 1
    organizations:
      - id: 1000
        slug: bench
        name: Bench
        publisher_tokens: [{{name: b, value_env: BENCH_PUBLISHER, stacks: [3]}}]
        hosted_instances:
          - {{id: 1, type: prometheus, name: m, url: "https://mimir.example.net"}}
          - {{id: 2, type: logs, name: l, url: "https://loki.example.net"}}
        stacks: [{{id: 3, slug: bench, name: Bench}}]
)",
            state, port(dir, 3 * number + 2), port_, address_, database, dir);
        const tests::NotifySocket notifications{state + "/notify"};
        process_ = std::make_unique<Process>(
            std::vector<std::string>{
                "/usr/bin/env", notifications.variable(), sonde, "run", "--config", options},
            1);
        if (!notifications.await("READY=1"))
            fail("the API does not come up");
    }

    std::uint16_t http_port() const { return port_; }
    const std::string& grpc_address() const { return address_; }
    double rss_mib() const { return process_->rss_mib(); }

private:
    static std::uint16_t port(const std::string& dir, std::size_t number)
    {
        return static_cast<std::uint16_t>(std::stoi(lines_of(dir + "/control.ports").at(number)));
    }

    std::uint16_t port_;
    std::string address_;
    std::unique_ptr<Process> process_;
};

std::string register_tenant(const Replica& at)
{
    const ApiClient publisher{at.http_port(), "bench"};
    return json::parse(answer_of(publisher, "POST", "register/install",
        R"({"stackId": 3, "metricsInstanceId": 1, "logsInstanceId": 2})"))["accessToken"];
}

struct Probe {
    std::int64_t id;
    std::string token;
};

Probe add_probe(const ApiClient& api, const std::string& name)
{
    const json added = json::parse(
        answer_of(api, "POST", "probe/add", json{{"name", name}, {"region", "BENCH"}}.dump()));
    return {added["probe"]["id"], added["token"]};
}

json check(const std::string& job, const std::vector<std::int64_t>& probes, std::size_t body = 0)
{
    return {{"job", job}, {"target", "https://" + job + ".example.org/"}, {"frequency", 60'000},
        {"timeout", 3'000}, {"enabled", true}, {"probes", probes},
        {"labels", {{{"name", "team"}, {"value", "shop"}}}},
        {"settings", {{"http", {{"validStatusCodes", {200}}, {"body", std::string(body, 'x')}}}}}};
}

/// When the probes had heard of each change. A change is told by the frequency of its check.
class Arrivals {
public:
    void heard(const pb::Changes& changes)
    {
        const auto now = Clock::now();
        const std::lock_guard lock{mutex_};
        for (const pb::CheckChange& change : changes.checks())
            times_[change.check().frequency()].push_back(now);
        some_.notify_all();
    }

    /// Of that many probes.
    std::vector<Clock::time_point> await(std::int64_t change, std::size_t number)
    {
        std::unique_lock lock{mutex_};
        if (!some_.wait_for(lock, patience, [&] { return times_[change].size() >= number; }))
            fail("a change does not arrive");
        return times_[change];
    }

private:
    std::mutex mutex_;
    std::condition_variable some_;
    std::map<std::int64_t, std::vector<Clock::time_point>> times_;
};

/// Medians over rounds, with their range, as a cell.
std::string cell(const std::vector<double>& values)
{
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return fmt::format("{:.1f} ({:.1f} to {:.1f})", median(values), *least, *most);
}

/// Changes one check again and again, each time when all have heard of the one before, and prints
/// how long that took from the answer on.
class Latencies {
public:
    Latencies(const ApiClient& user, Arrivals& arrivals) : user_{user}, arrivals_{arrivals} {}

    void measure(
        const std::string& what, std::vector<json>& checks, std::size_t hearers, int changes)
    {
        std::vector<double> p50;
        std::vector<double> p99;
        std::vector<double> most;
        std::vector<double> answers;
        for (int round = 0; round < rounds; ++round) {
            std::vector<double> took;
            for (int i = 0; i < changes; ++i) {
                json& each = checks[static_cast<std::size_t>(i) % checks.size()];
                each["frequency"] = ++change_;
                const std::string body = each.dump();
                const auto asked = Clock::now();
                answer_of(user_, "POST", "check/update", body);
                const auto answered = Clock::now();
                answers.push_back(milliseconds(answered - asked));
                for (const auto heard : arrivals_.await(change_, hearers))
                    took.push_back(std::max(0.0, milliseconds(heard - answered)));
            }
            p50.push_back(quantile(took, 0.5));
            p99.push_back(quantile(took, 0.99));
            most.push_back(quantile(took, 1));
        }
        std::printf("| %s | %zu | %s | %s | %s | %.1f |\n", what.c_str(),
            static_cast<std::size_t>(rounds * changes) * hearers, cell(p50).c_str(),
            cell(p99).c_str(), cell(most).c_str(), median(answers));
        std::fflush(stdout);
    }

private:
    const ApiClient& user_;
    Arrivals& arrivals_;
    std::int64_t change_ = 60'000;
};

void measure_latency(const std::string& name, const std::vector<std::unique_ptr<Replica>>& replicas,
    const ApiClient& user)
{
    Arrivals arrivals;
    std::vector<std::unique_ptr<ProbeClient>> clients;
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < streams; ++i) {
        const Probe probe = add_probe(user, fmt::format("p{}", i));
        ids.push_back(probe.id);
        clients.push_back(std::make_unique<ProbeClient>(probe.token,
            std::vector<std::string>{replicas.back()->grpc_address()},
            [&arrivals](const pb::Changes& changes) { arrivals.heard(changes); }));
    }
    for (const auto& client : clients)
        if (!client->await([](const ProbeView& view) { return view.sessions > 0; }, patience))
            fail("a probe cannot connect: " + client->view().last_end);
    std::vector<json> narrow;
    for (std::size_t i = 0; i < streams; ++i)
        narrow.push_back(json::parse(answer_of(
            user, "POST", "check/add", check(fmt::format("narrow{}", i), {ids[i]}).dump())));
    std::vector<json> wide = {
        json::parse(answer_of(user, "POST", "check/add", check("wide", ids).dump()))};
    for (const auto& client : clients)
        client->await([](const ProbeView& view) { return view.checks.size() == 2; }, patience);
    Latencies latencies{user, arrivals};
    latencies.measure(name + ", one probe", narrow, 1, changes_of_round);
    latencies.measure(name + ", all probes", wide, streams, wide_changes_of_round);
    for (const auto& client : clients)
        for (const std::string& odd : client->view().odd)
            fail(odd);
}

/// Over several connections at once. @return how many a second.
double add_checks(const Replica& at, const std::string& token, int number, const std::string& name,
    std::int64_t probe, std::size_t body)
{
    const auto began = Clock::now();
    std::vector<std::exception_ptr> failures(adders);
    {
        std::vector<std::jthread> threads;
        for (int adder = 0; adder < adders; ++adder)
            threads.emplace_back([&, adder] {
                try {
                    const ApiClient user{at.http_port(), token};
                    for (int i = adder; i < number; i += adders)
                        answer_of(user, "POST", "check/add",
                            check(fmt::format("{}{}", name, i), {probe}, body).dump());
                } catch (...) {
                    failures[static_cast<std::size_t>(adder)] = std::current_exception();
                }
            });
    }
    for (const auto& failure : failures)
        if (failure)
            std::rethrow_exception(failure);
    return number / std::chrono::duration<double>(Clock::now() - began).count();
}

void measure_list(const std::string& name, const ApiClient& user, double added_per_second)
{
    std::vector<double> took;
    std::size_t bytes = 0;
    for (int i = 0; i < lists; ++i) {
        const auto asked = Clock::now();
        const std::string list = answer_of(user, "GET", "check/list");
        took.push_back(milliseconds(Clock::now() - asked));
        bytes = list.size();
        if (i == 0 && json::parse(list).size() != static_cast<std::size_t>(many_checks))
            fail("check/list is not complete");
    }
    std::printf("| %s: check/list of %d, %.1f MiB | %s |\n", name.c_str(), many_checks,
        static_cast<double>(bytes) / (1 << 20), cell(took).c_str());
    std::printf("| %s: check/add over %d connections, per second | %.0f |\n", name.c_str(), adders,
        added_per_second);
    std::fflush(stdout);
}

void await_offline(const ApiClient& user, std::int64_t probe)
{
    const auto give_up = Clock::now() + patience;
    while (json::parse(answer_of(user, "GET", fmt::format("probe/{}", probe)))["online"] == true)
        if (Clock::now() > give_up)
            fail("a probe stays online");
}

/// A new agent of that probe until it has everything.
void measure_snapshot(const std::string& name, const ApiClient& user, const Replica& at,
    const Probe& probe, std::size_t number)
{
    std::vector<double> first;
    std::vector<double> whole;
    std::size_t largest = 0;
    std::size_t bytes = 0;
    for (int i = 0; i < snapshots; ++i) {
        await_offline(user, probe.id);
        const auto began = Clock::now();
        ProbeClient client{probe.token, {at.grpc_address()}};
        client.await([](const ProbeView& view) { return view.sessions > 0; }, patience);
        first.push_back(milliseconds(Clock::now() - began));
        const bool complete = client.await(
            [number](const ProbeView& view) { return view.checks.size() == number; }, patience);
        whole.push_back(milliseconds(Clock::now() - began));
        const ProbeView view = client.view();
        if (!complete || !view.odd.empty())
            fail(fmt::format("a snapshot is not whole: {} of {} checks; {}; {}", view.checks.size(),
                number, view.last_end, view.odd.empty() ? "" : view.odd[0]));
        largest = std::max(largest, view.largest);
        bytes = 0;
        for (const auto& [id, each] : view.checks)
            bytes += each.ByteSizeLong();
    }
    std::printf("| %s: snapshot of %zu checks, %.1f MiB, until its first message (of at most %.1f "
                "MiB) | %s |\n",
        name.c_str(), number, static_cast<double>(bytes) / (1 << 20),
        static_cast<double>(largest) / (1 << 20), cell(first).c_str());
    std::printf("| %s: until all of it is there | %s |\n", name.c_str(), cell(whole).c_str());
    std::fflush(stdout);
}

/// What one replica does with many checks.
void measure_size(const std::string& name, const std::vector<std::unique_ptr<Replica>>& replicas,
    const ApiClient& user, const std::string& token)
{
    const Replica& at = *replicas.front();
    const Probe crowded = add_probe(user, "crowded");
    const double rate = add_checks(at, token, many_checks, "many", crowded.id, 0);
    measure_list(name, user, rate);
    measure_snapshot(name, user, at, crowded, many_checks);
    const Probe heavy = add_probe(user, "heavy");
    add_checks(at, token, large_checks, "large", heavy.id, large_body);
    measure_snapshot(name, user, at, heavy, large_checks);
    std::printf("| %s: resident memory after that, MiB | %.0f |\n", name.c_str(), at.rss_mib());
    Arrivals arrivals;
    ProbeClient client{crowded.token, {at.grpc_address()},
        [&arrivals](const pb::Changes& changes) { arrivals.heard(changes); }};
    client.await([](const ProbeView& view) { return view.checks.size() == many_checks; }, patience);
    std::vector<json> checks = {json::parse(answer_of(user, "GET", "check/list"))[0]};
    Latencies{user, arrivals}.measure(
        name + ", a probe of 10 000 checks", checks, 1, wide_changes_of_round);
}

struct Setting {
    std::string name;
    std::size_t replicas;
    std::string database;
};

void measure(const std::string& sonde, const std::string& dir, const Setting& setting, bool sizes)
{
    std::vector<std::unique_ptr<Replica>> replicas;
    for (std::size_t i = 0; i < setting.replicas; ++i)
        replicas.push_back(std::make_unique<Replica>(sonde, dir, i, setting.database));
    const std::string token = register_tenant(*replicas.front());
    const ApiClient user{replicas.front()->http_port(), token};
    if (sizes)
        measure_size(setting.name, replicas, user, token);
    else
        measure_latency(setting.name, replicas, user);
}

void measure_all(const std::string& sonde, const std::string& dir)
{
    std::ofstream{dir + "/control.key"} << "1:" << std::string(42, 'A') << "A=\n";
    std::filesystem::permissions(dir + "/control.key", std::filesystem::perms{0600});
    const auto databases = lines_of(dir + "/control.databases");
    const std::array latencies{Setting{"SQLite", 1, "sqlite:control.db"},
        Setting{"PostgreSQL", 1, databases.at(0)},
        Setting{"PostgreSQL, at the other replica", 2, databases.at(1)}};
    const std::array sizes{
        Setting{"SQLite", 1, "sqlite:control.db"}, Setting{"PostgreSQL", 1, databases.at(2)}};
    std::printf("From the answer to check/update until a probe has the change, with %zu probes "
                "connected, in ms: medians of %d rounds, and their range.\n",
        streams, rounds);
    std::printf("| check on | arrivals | p50 | p99 | max | check/update itself |\n");
    std::printf("| --- | --: | --: | --: | --: | --: |\n");
    for (const Setting& setting : latencies)
        measure(sonde, dir, setting, false);
    std::printf("\nMany checks, in ms unless said otherwise: medians and range.\n");
    std::printf("| what | |\n| --- | --: |\n");
    for (const Setting& setting : sizes)
        measure(sonde, dir, setting, true);
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 3) {
            ::setenv("BENCH_PUBLISHER", "bench", 1);
            pin(0);
            measure_all(argv[1], argv[2]);
            return EXIT_SUCCESS;
        }
        std::fprintf(stderr, "bench_control SONDE DIR\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_control: %s\n", failure.what());
    }
    return EXIT_FAILURE;
}
