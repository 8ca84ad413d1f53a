// What was once said of a tenant: how long it counts, and what takes its place.
#include "tests/unit/agent/link/tenants_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using Fixture = TenantsFixture;

TEST_SUITE("agent/link/tenants_copies")
{
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
}
