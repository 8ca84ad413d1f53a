#include "tests/integration/simulation.h"

#include "exporters/timings.h"

#include <snappy.h>

#include <charconv>

namespace sonde::tests {
namespace {

/// Takes one field off a protobuf message: the content of one of wire type 2, else nothing.
std::string_view take_field(std::string_view& left, unsigned& number, std::uint64_t& value)
{
    const auto varint = [&left] {
        std::uint64_t out = 0;
        for (unsigned shift = 0; !left.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(left.front());
            left.remove_prefix(1);
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80)
                break;
        }
        return out;
    };
    const auto key = varint();
    number = static_cast<unsigned>(key >> 3U);
    std::string_view content;
    if ((key & 7U) == 0) {
        value = varint();
    } else {
        const auto size = (key & 7U) == 1 ? 8 : varint();
        content = left.substr(0, size);
        left.remove_prefix(content.size());
    }
    return content;
}

/// The check in its label "job" and the time of the sample.
std::pair<std::int64_t, std::int64_t> run_of(std::string_view series)
{
    std::pair<std::int64_t, std::int64_t> run{0, 0};
    unsigned number = 0;
    std::uint64_t value = 0;
    while (!series.empty()) {
        auto content = take_field(series, number, value);
        const bool is_label = number == 1;
        std::string_view parts[3];
        while (!content.empty()) {
            const auto part = take_field(content, number, value);
            parts[std::min(number, 2U)] = part;
            if (!is_label && number == 2)
                run.second = static_cast<std::int64_t>(value);
        }
        if (is_label && parts[1] == "job")
            std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), run.first);
    }
    return run;
}

}  // namespace

Simulation::Simulation(std::size_t checks) : checks_{checks}
{
    journal_.directory = folder_.path("journal");
    publisher.request_timeout =
        5min;  // both ends are on this loop, which may have to wait for a core
    // What the journal thinks too old it compares with the host's clock.
    clocks_.wall = std::chrono::floor<std::chrono::minutes>(
        std::chrono::system_clock::now().time_since_epoch() - 6h);
}

Simulation::~Simulation()
{
    if (schedule_)
        end();
}

void Simulation::start()
{
    come_up();
    up_since_ms_.reset();
    exporters::TenantSource& tenants = *this;
    schedule::Results& results = *this;
    const exporters::Publisher::Disk disk{workers_, journal_};
    exporters::Timings waits;
    waits.first_backoff = std::chrono::milliseconds{1};
    waits.longest_backoff = std::chrono::milliseconds{20};
    waits.gather = std::chrono::milliseconds{0};
    to_ = std::make_unique<exporters::Publisher>(
        loop.get_executor(), client_, tenants, publisher, registry_, disk, waits);
    bool opened = false;
    tasks_.spawn(open(opened));
    until([&] { return opened; });
    books_ = schedule::results_for(*to_);
    schedule::Timings timings;
    timings.clocks = clocks_.clocks();
    timings.longest_sleep = 1ms;
    schedule_ = std::make_unique<schedule::Schedule>(loop.get_executor(), net, tenants, results,
        config::ScheduleConfig{}, config::CheckersConfig{}, registry_, config::EgressConfig{},
        timings);
    const auto probe = std::make_shared<pb::Probe>();
    probe->set_name("Here");
    for (std::size_t id = 1; id <= checks_; ++id) {
        pb::Check check;
        check.set_id(static_cast<std::int64_t>(id));
        check.set_tenantid(1);
        check.set_job(std::to_string(id));
        check.set_target("127.0.0.1:1");
        check.set_frequency(std::chrono::milliseconds{period}.count());
        check.set_timeout(5000);
        check.mutable_settings()->mutable_tcp();
        schedule_->put(schedule::Origin::file, check, probe);
    }
}

void Simulation::end()
{
    schedule_->stop();
    until([this] { return metric("sonde_schedule_runs_in_flight") == 0; });
    bool done = false;
    tasks_.spawn(shut_down(done));
    until([&] { return done; });
    go_down();
    loop.restart();
    loop.run_for(10s);
    CHECK(loop.stopped());  // ran out of work: not cut off
    schedule_.reset();
    workers_.join();
}

asio::awaitable<void> Simulation::open(bool& done)
{
    const auto opened = co_await to_->open();
    CHECK(opened.has_value());
    done = true;
}

asio::awaitable<void> Simulation::shut_down(bool& done)
{
    co_await to_->shut_down(std::chrono::steady_clock::now() + 5s);
    done = true;
}

void Simulation::go_down()
{
    servers_.back().stop();
}

void Simulation::come_up()
{
    net::HttpLimits limits;
    limits.body_bytes = [](const net::HttpRequest&) { return std::size_t{16} << 20U; };
    auto& server = servers_.emplace_back(
        loop.get_executor(),
        [this](const net::HttpRequest& request, const net::HttpPeer&) { return take(request); },
        limits);
    REQUIRE(server.listen({"127.0.0.1", port_}).has_value());
    up_since_ms_ = now_ms();
    live_published_ = live_arrived_ = 0;
}

void Simulation::pass(std::chrono::seconds time)
{
    for (std::chrono::seconds passed{0}; passed < time; passed += tick) {
        clocks_.pass(tick);
        auto quiet_since = clocks_.looks;
        until([&] {
            if (metric("sonde_schedule_runs_in_flight") > 0)
                quiet_since = clocks_.looks;
            return clocks_.looks >= quiet_since + 3;
        });
    }
}

void Simulation::await_live()
{
    until([this] { return live_arrived_ >= live_published_; });
}

void Simulation::await_delivery()
{
    until([this] { return waiting() == 0; });
}

void Simulation::until(const std::function<bool()>& happened)
{
    const auto limit = std::chrono::steady_clock::now() + 10min;
    while (!happened()) {
        REQUIRE(std::chrono::steady_clock::now() < limit);
        loop.restart();
        loop.run_one_for(5ms);
        loop.poll();
    }
}

double Simulation::metric(std::string_view name) const
{
    double sum = 0;
    for (const auto& family : registry_.Collect())
        if (family.name == name)
            for (const auto& metric : family.metric)
                sum += metric.counter.value + metric.gauge.value;
    return sum;
}

double Simulation::waiting() const
{
    return metric("sonde_publisher_queue_records") + metric("sonde_publisher_backlog_records");
}

void Simulation::publish(exporters::Payload payload)
{
    if (payload.run_of) {
        const std::pair run{payload.run_of->id, payload.timestamp_ms};
        ++published_[run];
        if (up_since_ms_ && run.second >= *up_since_ms_) {
            ++live_published_;
            old_before_[run] = figures_.old_requests;
        }
    }
    books_->publish(std::move(payload));
}

std::optional<std::int64_t> Simulation::last_run(exporters::CheckKey check) const
{
    return books_->last_run(check);
}

asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> Simulation::tenant(
    exporters::TenantKey /*key*/)
{
    exporters::Tenant known;
    const std::string base = "http://127.0.0.1:" + std::to_string(port_);
    known.metrics = exporters::Remote{base + "/metrics", {}, {}};
    known.events = exporters::Remote{base + "/logs", {}, {}};
    co_return std::make_shared<const exporters::Tenant>(known);
}

/// One request: its samples are all old, or none is.
asio::awaitable<net::HttpReply> Simulation::take(const net::HttpRequest& request)
{
    if (request.target() == "/metrics") {
        std::string raw;
        CHECK(snappy::Uncompress(request.body().data(), request.body().size(), &raw));
        bool is_old = false;
        unsigned number = 0;
        std::uint64_t value = 0;
        for (std::string_view left = raw; !left.empty();) {
            const auto series = take_field(left, number, value);
            if (series.find("probe_success") == std::string_view::npos)
                continue;
            const auto [check, due_ms] = run_of(series);
            is_old = is_old || (up_since_ms_ && due_ms < *up_since_ms_);
            take(check, due_ms);
        }
        ++figures_.requests;
        figures_.old_requests += is_old ? 1 : 0;
    }
    co_return net::HttpReply{net::http::status::ok, 11};
}

void Simulation::take(std::int64_t check, std::int64_t due_ms)
{
    const std::pair run{check, due_ms};
    ++arrived_[run];
    if (!up_since_ms_ || due_ms < *up_since_ms_)
        return;
    ++live_arrived_;
    if (!figures_.first_live)
        figures_.first_live = std::chrono::seconds{(now_ms() - *up_since_ms_) / 1000};
    if (const auto before = old_before_.extract(run)) {
        const bool is_first = due_ms < *up_since_ms_ + std::chrono::milliseconds{period}.count();
        auto& behind = is_first ? figures_.behind_at_first : figures_.behind;
        behind = std::max(behind, figures_.old_requests - before.mapped());
    }
}

}  // namespace sonde::tests
