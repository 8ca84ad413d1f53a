#include "agent/link/link.h"
#include "agent/link/tenants.h"
#include "agent/net/task_group.h"
#include "tests/support/fake_control.h"
#include "tests/support/loop.h"

#include <doctest/doctest.h>

#include <functional>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using exporters::Origin;
using exporters::TenantKey;

namespace {

using Answer = Result<std::shared_ptr<const exporters::Tenant>>;

pb::Tenant wire_tenant(std::int64_t id, double modified, const std::string& password)
{
    pb::Tenant out;
    out.set_id(id);
    out.set_modified(modified);
    out.mutable_metricsremote()->set_url("http://metrics/api/prom");
    out.mutable_metricsremote()->set_username("12");
    out.mutable_metricsremote()->set_password(password);
    out.mutable_eventsremote()->set_url("http://events/loki/api/v1");
    return out;
}

std::string password_of(const Answer& answer)
{
    REQUIRE_MESSAGE(answer.has_value(), (answer ? std::string{} : answer.error().message));
    REQUIRE((*answer)->metrics.has_value());
    return (*answer)->metrics->password.reveal();
}

struct Fixture {
    asio::io_context loop;
    FakeControl api;
    link::Timings timings;
    std::vector<config::TenantConfig> of_file;
    std::unique_ptr<link::Tenants> tenants;
    net::TaskGroup asking{loop.get_executor()};

    static constexpr TenantKey five{Origin::api, 5};

    ~Fixture()
    {
        if (!tenants)
            return;
        tenants->stop();
        asking.cancel();
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());  // ran out of work: not cut off
        tenants.reset();
    }

    void start(const std::string& token = "fake-token")
    {
        config::ApiConfig config;
        config.address = {"127.0.0.1", api.port()};
        config.tls = false;
        tenants = std::make_unique<link::Tenants>(loop.get_executor(), of_file,
            *link::open_channel(config), config::Secret{token}, timings);
    }

    Answer ask(TenantKey key = five) { return await(loop, tenants->tenant(key)); }

    static asio::awaitable<void> ask_into(
        link::Tenants& tenants, TenantKey key, std::vector<Answer>& into)
    {
        auto answer = co_await tenants.tenant(key);
        into.push_back(std::move(answer));
    }

    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(5ms);
        }
    }
    void until_asked(std::size_t times)
    {
        until([&] { return api.seen().tenants.size() >= times; });
        until([&] { return api.seen().under_way == 0; });
    }
    void until_password(const std::string& wanted)
    {
        until([&] { return password_of(ask()) == wanted; });
    }
};

}  // namespace

TEST_SUITE("agent/link/tenants")
{
    TEST_CASE_FIXTURE(Fixture, "what the API says of a tenant becomes remotes and limits")
    {
        pb::Tenant wire = wire_tenant(5, 1, " secret\n");
        wire.set_label_mode(pb::LABEL_MODE_UNPREFIXED);
        wire.mutable_limits()->set_maxmetriclabels(30);
        wire.mutable_limits()->set_maxloglabels(9);
        api.set_tenant(wire);
        start();
        const auto answer = ask();
        REQUIRE(answer.has_value());
        const exporters::Tenant& tenant = **answer;
        CHECK(tenant.metrics->url == "http://metrics/api/prom/push");
        CHECK(tenant.metrics->username == "12");
        CHECK(tenant.metrics->password.reveal() == "secret");
        CHECK(tenant.events->url == "http://events/loki/api/v1/push");
        CHECK(tenant.events->username.empty());
        CHECK(tenant.label_mode == pb::LABEL_MODE_UNPREFIXED);
        CHECK(tenant.max_metric_labels == 30);
        CHECK(tenant.max_log_labels == 9);
        CHECK(api.seen().refused == 0);
    }

    TEST_CASE_FIXTURE(Fixture, "a tenant without limits has the usual ones; one without a remote")
    {
        pb::Tenant wire = wire_tenant(-5003, 1, "p");  // of region 3
        wire.clear_eventsremote();
        api.set_tenant(wire);
        start();
        const auto answer = ask({Origin::api, -5003});
        REQUIRE(answer.has_value());
        CHECK((*answer)->max_metric_labels == 22);
        CHECK((*answer)->max_log_labels == 15);
        CHECK((*answer)->label_mode == pb::LABEL_MODE_PREFIXED);
        CHECK_FALSE((*answer)->events.has_value());
        CHECK(api.seen().tenants == std::vector<std::int64_t>{-5003});
    }

    TEST_CASE_FIXTURE(Fixture, "a tenant is asked for once, however many want to know")
    {
        api.set_tenant(wire_tenant(5, 1, "p"));
        start();
        std::vector<Answer> answers;
        for (int i = 0; i < 3; ++i)
            asking.spawn(ask_into(*tenants, five, answers));
        until([&] { return answers.size() == 3; });
        for (const Answer& answer : answers)
            CHECK(password_of(answer) == "p");
        CHECK(password_of(ask()) == "p");
        CHECK(api.seen().tenants.size() == 1);
    }

    TEST_CASE_FIXTURE(
        Fixture, "a tenant that the API does not know is an error, and asked for anew")
    {
        start();
        std::vector<Answer> answers;
        for (int i = 0; i < 2; ++i)
            asking.spawn(ask_into(*tenants, five, answers));
        until([&] { return answers.size() == 2; });
        CHECK(api.seen().tenants.size() == 1);
        for (const Answer& answer : answers) {
            REQUIRE_FALSE(answer.has_value());
            CHECK(answer.error().reason == "tenant");
            CHECK(
                answer.error().message == "tenant 5: the API said: tenant not found (gRPC code 5)");
        }
        api.set_tenant(wire_tenant(5, 1, "p"));
        CHECK(password_of(ask()) == "p");
    }

    TEST_CASE_FIXTURE(Fixture, "a token that is refused is an error")
    {
        api.set_tenant(wire_tenant(5, 1, "p"));
        start("another-token");
        const auto answer = ask();
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().message == "tenant 5: the API said: who are you? (gRPC code 16)");
    }

    TEST_CASE_FIXTURE(Fixture, "a copy that has aged is used while another is on its way")
    {
        timings.tenant_valid = timings.tenant_jitter = 0ms;
        api.set_tenant(wire_tenant(5, 1, "first"));
        start();
        CHECK(password_of(ask()) == "first");
        api.set_tenant(wire_tenant(5, 2, "second"));
        api.next_tenant({.never = true});
        CHECK(password_of(ask()) == "first");
        until([&] { return api.seen().under_way == 1; });
        CHECK(password_of(ask()) == "first");  // does not wait, does not ask twice
        CHECK(api.seen().tenants.size() == 2);
    }

    TEST_CASE_FIXTURE(Fixture, "a copy that has aged is replaced")
    {
        timings.tenant_valid = timings.tenant_jitter = 0ms;
        api.set_tenant(wire_tenant(5, 1, "first"));
        start();
        CHECK(password_of(ask()) == "first");
        api.set_tenant(wire_tenant(5, 2, "second"));
        until_password("second");
    }

    TEST_CASE_FIXTURE(
        Fixture, "a copy is used while the API is away, and it is not asked too often")
    {
        timings.tenant_valid = timings.tenant_jitter = 0ms;
        api.set_tenant(wire_tenant(5, 1, "first"));
        start();
        CHECK(password_of(ask()) == "first");
        api.next_tenant({Code::unavailable, "later"});
        CHECK(password_of(ask()) == "first");
        until_asked(2);
        until([&] { return !loop.poll(); });
        for (int i = 0; i < 20; ++i)
            CHECK(password_of(ask()) == "first");
        CHECK(api.seen().tenants.size() == 2);
    }

    TEST_CASE_FIXTURE(Fixture, "a copy that the stream brings counts when it is newer")
    {
        api.set_tenant(wire_tenant(5, 10, "asked"));
        start();
        tenants->told(wire_tenant(6, 1, "six"));
        CHECK(password_of(ask({Origin::api, 6})) == "six");
        CHECK(password_of(ask()) == "asked");
        tenants->told(wire_tenant(5, 9, "older"));
        tenants->told(wire_tenant(5, 10, "as old"));
        CHECK(password_of(ask()) == "asked");
        tenants->told(wire_tenant(5, 10.5, "newer"));
        CHECK(password_of(ask()) == "newer");
        CHECK(api.seen().tenants == std::vector<std::int64_t>{5});
    }

    TEST_CASE_FIXTURE(Fixture, "what the stream brings answers those who wait for the API")
    {
        api.next_tenant({.never = true});
        start();
        std::vector<Answer> answers;
        asking.spawn(ask_into(*tenants, five, answers));
        until([&] { return api.seen().under_way == 1; });
        tenants->told(wire_tenant(5, 1, "told"));
        until([&] { return answers.size() == 1; });
        CHECK(password_of(answers[0]) == "told");
    }

    TEST_CASE_FIXTURE(Fixture, "credentials that a remote refuses are asked for anew")
    {
        api.set_tenant(wire_tenant(5, 1, "first"));
        start();
        CHECK(password_of(ask()) == "first");
        api.set_tenant(wire_tenant(5, 2, "second"));
        tenants->suspect(five);
        tenants->suspect(five);
        until_password("second");
        CHECK(api.seen().tenants.size() == 2);
    }

    TEST_CASE_FIXTURE(Fixture, "an API that does not answer is an error after a while")
    {
        timings.tenant_limit = 20ms;
        api.next_tenant({.never = true});
        start();
        const auto answer = ask();
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().message.find("gRPC code 4") != std::string::npos);
    }

    TEST_CASE_FIXTURE(Fixture, "an answer that cannot be read is no tenant")
    {
        pb::Tenant garbled = wire_tenant(5, 1, "p");
        garbled.GetReflection()->MutableUnknownFields(&garbled)->AddLengthDelimited(8, "\xff\xff");
        api.set_tenant(garbled);
        start();
        const auto answer = ask();
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().reason == "tenant");
    }

    TEST_CASE_FIXTURE(Fixture, "who waits for the API is let go at the end")
    {
        timings.tenant_limit = 1h;
        api.next_tenant({.never = true});
        start();
        std::vector<Answer> answers;
        asking.spawn(ask_into(*tenants, five, answers));
        until([&] { return api.seen().under_way == 1; });
        tenants->stop();
        until([&] { return answers.size() == 1; });
        CHECK_FALSE(answers[0].has_value());
        until([&] { return api.seen().under_way == 0; });
    }

    TEST_CASE_FIXTURE(Fixture, "who has lost interest does not end the asking of others")
    {
        api.next_tenant({.never = true});
        start();
        std::vector<Answer> answers;
        asking.spawn(ask_into(*tenants, five, answers));
        until([&] { return api.seen().under_way == 1; });
        asking.cancel();
        until([&] { return asking.empty(); });
        CHECK(answers.empty());
        CHECK(api.seen().under_way == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "tenants of the file are known without an API")
    {
        config::TenantConfig configured;
        configured.id = 3;
        configured.metrics = {"http://metrics/write", "u", config::Secret{"p"}};
        configured.max_log_labels = 4;
        const std::vector tenants_of_file{configured};
        link::Tenants some{loop.get_executor(), tenants_of_file, nullptr, config::Secret{}};
        const auto found = await(loop, some.tenant({Origin::file, 3}));
        REQUIRE(found.has_value());
        CHECK((*found)->metrics->url == "http://metrics/write");
        CHECK_FALSE((*found)->events.has_value());
        CHECK((*found)->max_log_labels == 4);
        const auto other = await(loop, some.tenant({Origin::file, 4}));
        REQUIRE_FALSE(other.has_value());
        CHECK(other.error().message == "tenants: none has the id 4");
        CHECK_FALSE(await(loop, some.tenant({Origin::api, 3})).has_value());
        some.suspect({Origin::api, 3});  // nobody to ask: of no effect

        link::Tenants none{loop.get_executor(), {}, nullptr, config::Secret{}};
        const auto nowhere = await(loop, none.tenant({Origin::file, 9}));
        REQUIRE(nowhere.has_value());
        CHECK_FALSE((*nowhere)->metrics.has_value());
    }

    TEST_CASE_FIXTURE(Fixture, "how long a copy is good depends on the token for the secrets")
    {
        using Seconds = std::chrono::duration<double>;
        struct Row {
            std::string_view url;
            std::string_view token;
            double expires_in;  ///< 0: not known
            bool asked_again;   ///< at the next run
        };
        timings.tenant_retry = timings.tenant_jitter = 0ms;
        timings.tenant_valid = 1h;
        timings.secrets_margin = 1h;
        const Row rows[] = {
            {"http://secrets", "t", 0, false},     // like any other
            {"http://secrets", "t", 1e12, false},  // like any other
            {"http://secrets", "t", 100, false},   // until it expires
            {"http://secrets", "t", 3601, true},   // until an hour before it expires
            {"http://secrets", "t", -10, true},    // has expired, after tenant_retry
            {"", "t", -10, false},                 // as good as no store
            {"http://secrets", "", -10, false},
        };
        for (const auto& [url, store_token, expires_in, asked_again] : rows) {
            CAPTURE(url);
            CAPTURE(expires_in);
            Fixture fresh;
            fresh.timings = timings;
            pb::Tenant wire = wire_tenant(5, 1, "p");
            wire.mutable_secretstore()->set_url(std::string{url});
            wire.mutable_secretstore()->set_token(std::string{store_token});
            const Seconds now = std::chrono::system_clock::now().time_since_epoch();
            if (expires_in != 0)
                wire.mutable_secretstore()->set_expiry(now.count() + expires_in);
            fresh.api.set_tenant(wire);
            fresh.start();
            const auto answer = fresh.ask();
            CHECK(password_of(answer) == "p");
            CHECK((*answer)->secrets.has_value() == (!url.empty() && !store_token.empty()));
            if (asked_again) {
                fresh.until([&] {
                    fresh.ask();
                    return fresh.api.seen().tenants.size() >= 2;
                });
            } else {
                for (int i = 0; i < 5; ++i)
                    fresh.ask();
                CHECK(fresh.api.seen().tenants.size() == 1);
            }
        }
    }

    TEST_CASE_FIXTURE(
        Fixture, "with an expired token for the secrets no run is begun, if it can be")
    {
        timings.secrets_margin = 0ms;
        pb::Tenant wire = wire_tenant(5, 1, "first");
        wire.mutable_secretstore()->set_url("http://secrets");
        wire.mutable_secretstore()->set_token("t");
        const std::chrono::duration<double> now =
            std::chrono::system_clock::now().time_since_epoch();
        wire.mutable_secretstore()->set_expiry(now.count() + 0.2);
        api.set_tenant(wire);
        start();
        CHECK(password_of(ask()) == "first");
        api.set_tenant(wire_tenant(5, 2, "second"));
        until_password("second");
        CHECK(api.seen().tenants.size() == 2);  // who asked after the expiry had to wait
    }

    TEST_CASE_FIXTURE(Fixture, "a copy of before the start is used once the API has not answered")
    {
        start();
        tenants->recall(wire_tenant(5, 1, "old"));
        api.next_tenant({Code::unavailable, "later"});
        api.set_tenant(wire_tenant(5, 2, "new"));
        CHECK(password_of(ask()) == "old");
        CHECK(api.seen().tenants.size() == 1);
        CHECK(password_of(ask()) == "old");  // not asked again so soon
        CHECK(api.seen().tenants.size() == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "a copy of before the start yields to what the API says")
    {
        start();
        tenants->recall(wire_tenant(5, 9, "old"));
        api.set_tenant(wire_tenant(5, 2, "new"));
        CHECK(password_of(ask()) == "new");
        tenants->recall(wire_tenant(5, 9, "old"));  // too late
        CHECK(password_of(ask()) == "new");
    }

    TEST_CASE_FIXTURE(Fixture, "without an API a copy of before the start is used at once")
    {
        start();
        tenants->recall(wire_tenant(5, 1, "old"));
        tenants->trust_recalled();
        api.next_tenant({.never = true});
        CHECK(password_of(ask()) == "old");
    }

    TEST_CASE_FIXTURE(Fixture, "labels for the costs are known of tenants that are known")
    {
        pb::Tenant wire = wire_tenant(5, 1, "p");
        for (const char* name : {"team", "cost,centre", "team", "a=b"})
            wire.add_costattributionlabels(name);
        api.set_tenant(wire);
        start();
        CHECK(tenants->cost_labels(five).empty());
        ask();
        CHECK(tenants->cost_labels(five) == std::vector<std::string>{"a=b", "cost,centre", "team"});
        CHECK(tenants->cost_labels({Origin::file, 5}).empty());
    }

    TEST_CASE_FIXTURE(Fixture, "tenants of the file can be others")
    {
        config::TenantConfig configured;
        configured.id = 3;
        configured.metrics = {"http://before", "", config::Secret{}};
        of_file = {configured};
        start();
        const auto before = ask({Origin::file, 3});
        configured.metrics.push_url = "http://after";
        tenants->set_file_tenants({configured});
        CHECK((*before)->metrics->url == "http://before");
        CHECK((*ask({Origin::file, 3}))->metrics->url == "http://after");
        configured.id = 4;
        tenants->set_file_tenants({configured});
        CHECK_FALSE(ask({Origin::file, 3}).has_value());
    }

    TEST_CASE_FIXTURE(Fixture, "another token is used from then on")
    {
        api.set_tenant(wire_tenant(5, 1, "p"));
        start("old-token");
        CHECK_FALSE(ask().has_value());
        tenants->set_token(config::Secret{"fake-token"});
        CHECK(password_of(ask()) == "p");
    }
}
