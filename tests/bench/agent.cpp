// bench_agent MAX_IN_FLIGHT [PUSH_URL]: the probe half of the daemon (schedule, checkers, labels,
// publisher with its encoding), told by lines on standard input what to check; it answers each
// command with one line. Without PUSH_URL the tenant has no remotes, and what has been encoded is
// let go.
//
//   put COUNT PERIOD_MS FILE   COUNT checks more, made from the checks in FILE (one in JSON a line)
//                              in turn; answers "ok"
//   clear                      none any more; answers when the last run has ended
//   await COUNT                answers when COUNT runs more have ended
//   count                      answers "STARTED FAILED"
//   measure COUNT GAP_US FILE  single runs beside the schedule, one every GAP_US. A line of FILE
//                              is "PHASE JSON"; answers "LINE:SECONDS:LATE:SAID …". SECONDS is
//                              negative for a failed run; LATE are the microseconds of its wall
//                              time that the run puts down to this probe; SAID is 1 when its log
//                              says so

#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/services.h"
#include "agent/net/task_group.h"
#include "agent/net/tls.h"
#include "agent/schedule/schedule.h"
#include "checkers/registry.h"
#include "checkers/run_once.h"
#include "config/json.h"
#include "exporters/publisher.h"
#include "tests/bench/lines.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <prometheus/registry.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <stdexcept>

namespace {

using namespace sonde;
using bench::lines_of;
namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::chrono::minutes patience{5};

/// The one tenant there is.
class OneTenant final : public exporters::TenantSource {
public:
    explicit OneTenant(const std::string& push_url)
    {
        auto tenant = std::make_shared<exporters::Tenant>();
        if (!push_url.empty()) {
            tenant->metrics = exporters::Remote{push_url, {}, {}};
            tenant->events = exporters::Remote{push_url, {}, {}};
        }
        tenant_ = std::move(tenant);
    }
    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey) override
    {
        co_return tenant_;
    }
    void suspect(exporters::TenantKey) override {}

private:
    std::shared_ptr<const exporters::Tenant> tenant_;
};

pb::Check check_of(std::string_view json)
{
    auto check = config::from_json<pb::Check>(json);
    if (!check)
        throw std::runtime_error{"not a check: " + check.error().message};
    check->set_tenantid(1);
    check->set_basicmetricsonly(true);  // a peer has no histograms
    if (check->timeout() == 0)
        check->set_timeout(3000);
    return *check;
}

/// Sum over all label sets of a metric of the agent's own.
double own_metric(const prometheus::Registry& registry, std::string_view name)
{
    double sum = 0;
    for (const auto& family : registry.Collect())
        if (family.name == name)
            for (const auto& metric : family.metric)
                sum += metric.counter.value + metric.gauge.value;
    return sum;
}

class Agent {
public:
    Agent(std::size_t max_in_flight, const std::string& push_url) : tenants_{push_url}
    {
        schedule_config_.max_in_flight = max_in_flight;
        probe_ = std::make_shared<pb::Probe>();
        probe_->set_id(1);
        probe_->set_name("bench");
        probe_->set_region("LOOPBACK");
    }

    void run()
    {
        tasks_.spawn(obey());
        loop_.run();
    }

private:
    asio::awaitable<void> obey();
    asio::awaitable<std::string> answer(std::string line);
    void put(int count, int period_ms, const std::string& file);
    asio::awaitable<void> await_runs(std::function<bool()> happened);
    asio::awaitable<std::string> measure(int count, int gap_us, std::string file);
    asio::awaitable<void> measure_one(std::size_t line, const std::string& text, std::string& out);

    asio::io_context loop_{1};
    prometheus::Registry registry_;
    OneTenant tenants_;
    config::ScheduleConfig schedule_config_;
    config::CheckersConfig checkers_config_;
    config::PublisherConfig publisher_config_;
    std::shared_ptr<pb::Probe> probe_;
    std::unique_ptr<net::Resolver> resolver_ = net::make_resolver(loop_.get_executor());
    net::CurlMulti curl_{loop_.get_executor()};
    net::TlsContexts tls_;
    net::IcmpSockets icmp_{loop_.get_executor()};
    net::Services services_{*resolver_, curl_, tls_, icmp_};
    net::HttpClient client_{curl_, {"", "", false}};
    std::unique_ptr<exporters::Publisher> publisher_;
    std::unique_ptr<schedule::Schedule> schedule_;
    net::TaskGroup tasks_{loop_.get_executor()};
    std::int64_t checks_ = 0;
    std::size_t measuring_ = 0;
    std::uint64_t ended_ = 0;         // runs on schedule
    bool awaited_ = false;            // somebody wants to know of the next
    asio::steady_timer news_{loop_};  // cancelled then
};

asio::awaitable<void> Agent::obey()
{
    const auto loop = loop_.get_executor();
    publisher_ = std::make_unique<exporters::Publisher>(
        loop, client_, tenants_, publisher_config_, registry_);
    asio::posix::stream_descriptor input{loop, ::dup(STDIN_FILENO)};
    asio::streambuf buffer;
    for (;;) {
        boost::system::error_code ended;
        co_await asio::async_read_until(
            input, buffer, '\n', asio::redirect_error(asio::use_awaitable, ended));
        if (ended)
            std::_Exit(EXIT_SUCCESS);  // who gave the orders is gone; nothing is to be saved
        std::istream in{&buffer};
        std::string line;
        std::getline(in, line);
        const std::string said = co_await answer(line);
        std::printf("%s\n", said.c_str());
        std::fflush(stdout);
    }
}

asio::awaitable<std::string> Agent::answer(std::string line)
{
    std::istringstream in{line};
    std::string verb;
    std::string file;
    int count = 0;
    int interval = 0;
    in >> verb >> count >> interval >> file;
    if (verb == "put") {
        put(count, interval, file);
        co_return "ok";
    }
    if (verb == "clear") {
        for (; checks_ > 0; --checks_)
            schedule_->remove({exporters::Origin::file, checks_});
        co_await await_runs(
            [this] { return own_metric(registry_, "sonde_schedule_runs_in_flight") == 0; });
        co_return "ok";
    }
    if (verb == "await") {
        co_await await_runs([this, enough = ended_ + static_cast<std::uint64_t>(count)] {
            return ended_ >= enough;
        });
        co_return "ok";
    }
    if (verb == "count")
        co_return fmt::format("{} {}", own_metric(registry_, "sm_agent_scraper_operations_total"),
            own_metric(registry_, "sm_agent_scraper_errors_total"));
    if (verb == "measure")
        co_return co_await measure(count, interval, file);
    throw std::runtime_error{"no command: " + line};
}

void Agent::put(int count, int period_ms, const std::string& file)
{
    if (!schedule_) {
        schedule_ = std::make_unique<schedule::Schedule>(loop_.get_executor(), services_, tenants_,
            *publisher_, schedule_config_, checkers_config_, registry_);
        schedule_->tell([this](const pb::Check&, exporters::TenantKey, double) {
            ++ended_;
            if (awaited_)  // posted: the run is in flight until this handler is over
                asio::post(loop_, [this] { news_.cancel(); });
        });
    }
    std::vector<pb::Check> models;
    for (const std::string& line : lines_of(file))
        models.push_back(check_of(line));
    for (int i = 0; i < count; ++i) {
        pb::Check check = models[static_cast<std::size_t>(i) % models.size()];
        check.set_id(++checks_);
        check.set_job(fmt::format("bench {}", check.id()));
        check.set_frequency(period_ms);
        schedule_->put(exporters::Origin::file, check, probe_);
    }
}

/// @throws runtime_error when it takes too long.
asio::awaitable<void> Agent::await_runs(std::function<bool()> happened)
{
    awaited_ = true;
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!happened()) {
        if (std::chrono::steady_clock::now() >= give_up)
            throw std::runtime_error{"checks take too long"};
        boost::system::error_code woken;
        news_.expires_at(give_up);
        co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    awaited_ = false;
}

asio::awaitable<std::string> Agent::measure(int count, int gap_us, std::string file)
{
    const auto lines = lines_of(file);
    std::string results;
    asio::steady_timer grid{loop_};
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
        grid.expires_at(began + std::chrono::microseconds{gap_us} * i);
        co_await grid.async_wait(asio::use_awaitable);
        const std::size_t line = static_cast<std::size_t>(i) % lines.size();
        ++measuring_;
        tasks_.spawn(measure_one(line, lines[line], results));
    }
    co_await await_runs([this] { return measuring_ == 0; });
    co_return results;
}

asio::awaitable<void> Agent::measure_one(
    std::size_t line, const std::string& text, std::string& out)
{
    const auto space = text.find(' ');
    const std::string phase = text.substr(0, space);
    const pb::Check check = check_of(std::string_view{text}.substr(space + 1));
    const auto prepared = checkers::make(check);
    checkers::Subject subject;
    subject.target = check.target();
    subject.timeout = milliseconds{check.timeout()};
    const auto report = co_await checkers::run_once(
        *prepared.kind, *prepared.checker, services_, checkers_config_, subject);
    double seconds = -1;
    for (const checkers::Phase& each : report.phases)
        if (report.verdict.passed() && each.reached && each.name == phase)
            seconds = each.seconds;
    const std::chrono::duration<double, std::micro> late = report.probe_late;
    out += fmt::format(
        "{}:{:.9f}:{:.1f}:{:d} ", line, seconds, late.count(), static_cast<int>(report.late));
    --measuring_;
    news_.cancel();
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::fprintf(stderr, "bench_agent MAX_IN_FLIGHT [PUSH_URL]\n");
        return EXIT_FAILURE;
    }
    std::signal(SIGPIPE, SIG_IGN);
    Agent{std::stoul(argv[1]), argc > 2 ? argv[2] : ""}.run();
    return EXIT_SUCCESS;
}
