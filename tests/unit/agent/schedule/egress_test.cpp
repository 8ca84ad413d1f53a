// Spec 07 §4, `egress`.
#include "agent/schedule/egress.h"
#include "checkers/check.h"
#include "tests/unit/agent/schedule/schedule_fixture.h"

#include <boost/asio/co_spawn.hpp>
#include <prometheus/gauge.h>

using namespace sonde;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using config::EgressConfig;
using tests::Target;

namespace {

EgressConfig::Canary tcp(std::uint16_t port, std::string host = "127.0.0.1")
{
    return {EgressConfig::Canary::Kind::tcp, std::move(host), port};
}

EgressConfig::Canary ping(std::string host)
{
    return {EgressConfig::Canary::Kind::ping, std::move(host), 0};
}

/// Nobody listens here.
constexpr std::uint16_t closed = 1;

struct EgressFixture : tests::NetFixture {
    prometheus::Registry registry;
    prometheus::Gauge& shown =
        prometheus::BuildGauge().Name("up").Help("up").Register(registry).Add({});
    Target target{loop};
    EgressConfig config;
    std::unique_ptr<schedule::Egress> egress;

    void ask(std::vector<EgressConfig::Canary> targets)
    {
        config.targets = std::move(targets);
        egress = std::make_unique<schedule::Egress>(loop.get_executor(), net, config, shown);
    }
    bool up() { return tests::await(loop, egress->up()); }

    /// Runs the loop until no more happens; the target still listens.
    void drain()
    {
        loop.restart();
        loop.poll();
    }
    ~EgressFixture()
    {
        if (egress)
            egress->stop();
        target.close();
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());
    }
};

checkers::Verdict failed(std::string_view code, std::string_view cause = {})
{
    return checkers::Verdict::fail(code, "", cause);
}

}  // namespace

TEST_SUITE("agent/schedule/egress")
{
    TEST_CASE("what could be the fault of our own way out")
    {
        using schedule::may_be_our_way_out;
        CHECK_FALSE(may_be_our_way_out(checkers::Verdict::pass()));
        for (const auto& verdict : {failed("connect", "refused"), failed("timeout", "connect"),
                 failed("resolve", "resolver_silent"), failed("http_status"),
                 failed("icmp_loss", "no_reply"), failed("connect", "local_no_route"),
                 failed("resolve", "local_resolver_unreachable")}) {
            CAPTURE(verdict.code);
            CHECK(may_be_our_way_out(verdict));
        }
        for (const auto& verdict :
            {failed("connect", "local_exhausted"), failed("socket", "local_no_permission"),
                failed("connect", "local_source_address"), failed("secret", "local_secret_store"),
                failed("bad_regex"), failed("tls_config", "ca"), failed("internal")}) {
            CAPTURE(verdict.code);
            CHECK_FALSE(may_be_our_way_out(verdict));
        }
    }

    TEST_CASE_FIXTURE(EgressFixture, "without canaries nobody is asked")
    {
        ask({});
        CHECK_FALSE(egress->asks());
        CHECK(up());
        CHECK(shown.Value() == 1);
    }

    TEST_CASE_FIXTURE(EgressFixture, "one canary that answers is enough by default")
    {
        ask({tcp(closed), tcp(target.port())});
        CHECK(egress->asks());
        CHECK(up());
        ask({tcp(closed), tcp(closed)});
        CHECK_FALSE(up());
        CHECK(shown.Value() == 0);
    }

    TEST_CASE_FIXTURE(EgressFixture, "a quorum")
    {
        config.quorum = 2;
        ask({tcp(target.port()), tcp(closed), tcp(target.port())});
        CHECK(up());
        ask({tcp(target.port()), tcp(closed), tcp(closed)});
        CHECK_FALSE(up());
        config.quorum = 5;  // more than there are: all of them
        ask({tcp(target.port()), tcp(target.port())});
        CHECK(up());
    }

    TEST_CASE_FIXTURE(EgressFixture, "names, and names that there are not")
    {
        ask({tcp(target.port(), "localhost")});
        CHECK(up());
        ask({tcp(target.port(), "not a name")});
        CHECK_FALSE(up());
    }

    TEST_CASE_FIXTURE(EgressFixture, "a canary that says nothing is given up after the time-out")
    {
        // A listener whose queue is full answers no SYN.
        asio::ip::tcp::acceptor full{loop};
        const asio::ip::tcp::endpoint any{asio::ip::address_v4::loopback(), 0};
        full.open(any.protocol());
        full.bind(any);
        full.listen(0);
        asio::ip::tcp::socket first{loop};
        first.connect(full.local_endpoint());
        config.timeout = 50ms;
        config.targets = {tcp(full.local_endpoint().port())};
        ask(config.targets);
        CHECK_FALSE(up());
    }

    TEST_CASE_FIXTURE(EgressFixture, "pings")
    {
        ask({ping("127.0.0.1")});
        CHECK(up());
        config.timeout = 50ms;
        ask({ping("not a name")});
        CHECK_FALSE(up());
    }

    TEST_CASE_FIXTURE(EgressFixture, "all who wait share one question")
    {
        ask({tcp(target.port())});
        int answered = 0;
        for (int i = 0; i < 10; ++i)
            asio::co_spawn(loop, egress->up(), [&](const std::exception_ptr& error, bool is_up) {
                CHECK_FALSE(error);
                answered += is_up ? 1 : 0;
                if (answered == 10)
                    loop.stop();
            });
        loop.restart();
        loop.run_for(5s);
        CHECK(answered == 10);
        drain();
        CHECK(target.accepted() == 1);
    }

    TEST_CASE_FIXTURE(EgressFixture, "an answer holds for its time, and for its settings")
    {
        config.valid_for = 1h;
        ask({tcp(target.port())});
        CHECK(up());
        target.close();
        CHECK(up());
        egress->reconfigure(config);  // the same
        CHECK(up());
        config.timeout = 900ms;
        egress->reconfigure(config);
        CHECK_FALSE(up());
        config.valid_for = 0ms;
        config.timeout = 1s;
        Target other{loop};
        config.targets = {tcp(other.port())};
        egress->reconfigure(config);
        CHECK(up());
        CHECK(up());
        drain();
        CHECK(other.accepted() == 2);
        config.targets.clear();
        egress->reconfigure(config);
        CHECK_FALSE(egress->asks());
        CHECK(shown.Value() == 1);
        other.close();
    }

    TEST_CASE_FIXTURE(EgressFixture, "who waits when it is stopped is told so")
    {
        config.timeout = 1h;
        ask({tcp(target.port(), "localhost"), ping("127.0.0.1")});
        std::exception_ptr ended;
        bool done = false;
        asio::co_spawn(loop, egress->up(), [&](const std::exception_ptr& error, bool) {
            ended = error;
            done = true;
        });
        loop.restart();
        loop.run_one();
        egress->stop();
        loop.restart();
        loop.run_for(100ms);
        CHECK(done);
        CHECK(shown.Value() == 1);
    }
}

namespace {

struct WithheldFixture : tests::ScheduleFixture {
    std::unique_ptr<Target> canary = std::make_unique<Target>(loop);
    const std::uint16_t port = canary->port();

    WithheldFixture()
    {
        egress.targets = {tcp(port)};
        egress.valid_for = 0ms;
        restart();
    }
    ~WithheldFixture()
    {
        if (canary)
            canary->close();
    }
    void lose_the_way_out() { canary->close(); }

    pb::Check refused(
        std::int64_t id, std::chrono::milliseconds period, std::chrono::milliseconds offset) const
    {
        auto it = check(id, period, offset);
        it.set_target("127.0.0.1:1");
        return it;
    }
};

using Times = std::vector<std::int64_t>;
using Gaps = std::vector<std::string>;

}  // namespace

TEST_SUITE("agent/schedule/egress")
{
    TEST_CASE_FIXTURE(WithheldFixture, "a failure is published while our own way out works")
    {
        put(refused(1, 10s, 3s));
        put(check(2, 10s, 3s));
        advance(3s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(runs_of(2) == Times{3000});
        CHECK(canary->accepted() == 1);  // for the failure alone
        CHECK(metric("sonde_egress_up") == 1);
    }

    TEST_CASE_FIXTURE(WithheldFixture, "while it is down failures are gaps, successes published")
    {
        lose_the_way_out();
        put(refused(1, 10s, 3s));
        put(check(2, 10s, 3s));
        advance(3s);
        CHECK(runs_of(1).empty());
        CHECK(runs_of(2) == Times{3000});
        CHECK(gaps() == Gaps{"egress_down 3000..3000 1"});
        CHECK(metric("sonde_egress_up") == 0);
        CHECK(metric("sonde_egress_withheld_total") == 1);
        CHECK(metric("sm_agent_scraper_errors_total") == 0);
    }

    TEST_CASE_FIXTURE(WithheldFixture, "failures are published if they are not to be withheld")
    {
        lose_the_way_out();
        egress.withhold_failures = false;
        schedule->reconfigure(config, checkers, egress);
        put(refused(1, 10s, 3s));
        advance(3s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(books.gaps.empty());
        CHECK(metric("sonde_egress_up") == 0);
    }

    TEST_CASE_FIXTURE(WithheldFixture, "old results are not repeated while new ones are withheld")
    {
        put(check(1, 5min, 3s));
        advance(3s);
        advance(2min);
        CHECK(books.published.size() == 2);  // the run and its repetition
        target.close();
        lose_the_way_out();
        advance(3min);
        for (int i = 0; i < 4; ++i)
            advance(1min);
        CHECK(gaps() == Gaps{"egress_down 303000..303000 1"});
        CHECK(books.published.size() == 2);
        remove(1);
        REQUIRE(books.published.size() == 3);  // yet the series end
        CHECK(tests::is_end(books.published.back().payload));
        CHECK(books.published.back().payload.timestamp_ms == ms(123s) + 1);
    }

    TEST_CASE_FIXTURE(WithheldFixture, "a fault of this probe's own needs no canary")
    {
        lose_the_way_out();
        auto bad = check(1, 10s, 3s);
        bad.mutable_settings()->mutable_tcp()->add_queryresponse()->set_expect("(");
        put(bad);
        advance(3s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(metric("sonde_egress_up") == 1);  // nobody has asked
    }
}
