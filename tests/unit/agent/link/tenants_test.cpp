#include "tests/unit/agent/link/tenants_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using Fixture = TenantsFixture;

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
