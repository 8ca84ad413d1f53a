// What the control plane says of itself (spec 04 §14).
#include "agent/control/metrics.h"
#include "agent/control/rpc/undelivered.h"
#include "agent/control/store/totals.h"
#include "tests/unit/agent/control/api_fixture.h"
#include "tests/unit/agent/control/installation.h"
#include "tests/unit/agent/control/plane.h"
#include "tests/unit/agent/control/series.h"

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using control::Refusal;
using control::TokenKind;
using control::Undelivered;

namespace {

constexpr auto requests = "sonde_control_http_requests_total";
constexpr auto client_requests = "sonde_control_http_client_requests_total";

/// The HTTP API, and what it has counted.
struct Counted : ApiFixture {
    double answers(
        const char* route, const char* method, const char* code, const char* client = "none") const
    {
        return value_of(registry, requests,
            {{"route", route}, {"method", method}, {"code", code}, {"client", client}})
            .value_or(0);
    }

    double all_answers() const
    {
        double sum = 0;
        for (const auto& [labels, value] : series_of(registry, requests))
            sum += value;
        return sum;
    }

    double refusals(const char* kind, const char* reason) const
    {
        return value_of(registry, "sonde_control_authentication_failures_total",
            {{"kind", kind}, {"reason", reason}})
            .value_or(-1);
    }

    void list_as(const std::string& client, const std::string& version = "", int expected = 200)
    {
        auto asking = request(verb::get, "check/list");
        asking.set("X-Client-ID", client);
        if (!version.empty())
            asking.set("X-Client-Version", version);
        send(asking, expected);
    }
};

}  // namespace

TEST_SUITE("agent/control/metrics")
{
    TEST_CASE_FIXTURE(Counted, "a request counts by route, method, code and client")
    {
        install();
        list_as("terraform");
        list_as("terraform");
        list_as("made-up");
        get("check/list");
        get("check/4711", 404);
        CHECK(answers("/api/v1/register/install", "POST", "200") == 1);
        CHECK(answers("/api/v1/check/list", "GET", "200", "terraform") == 2);
        CHECK(answers("/api/v1/check/list", "GET", "200", "unknown") == 1);
        CHECK(answers("/api/v1/check/list", "GET", "200") == 1);
        CHECK(answers("/api/v1/check/{id}", "GET", "404") == 1);
        CHECK(all_answers() == 6);
        CHECK(value_of(registry, "sonde_control_http_request_duration_seconds",
                  {{"route", "/api/v1/check/list"}}) == 4);
    }

    TEST_CASE_FIXTURE(Counted, "what no handler answers counts as well, once")
    {
        config.auth_failures_per_minute = 1;
        control::Api throttled{
            control::ApiParts{store, config, [this] { return directory; }, metrics}};
        install();
        get("acme/4711", 404);
        call(verb::delete_, "check/list", "", 405);
        net::HttpPeer peer;
        peer.too_large = true;
        send(request(verb::post, "check/add"), 413, peer);
        token = "wrong";
        for (int i = 0; i < 3; ++i)
            await(loop, throttled.handle(request(verb::get, "check/list"), {}));
        HttpReply refusal{boost::beast::http::status::bad_request, 11};
        api.complete_refusal(refusal);
        CHECK(answers("none", "GET", "404") == 1);
        CHECK(answers("/api/v1/check/list", "DELETE", "405") == 1);
        CHECK(answers("/api/v1/check/add", "POST", "413") == 1);
        CHECK(answers("/api/v1/check/list", "GET", "401") == 1);
        CHECK(answers("/api/v1/check/list", "GET", "429") == 2);
        CHECK(answers("none", "unknown", "400") == 1);
        CHECK(all_answers() == 8);
        CHECK(refusals("access", "unknown") == 3);
    }

    TEST_CASE_FIXTURE(Counted, "of a known client that is let in, the numbers of its version count")
    {
        install();
        list_as("terraform", "v1.20.3-rc.1");
        list_as("terraform", "whatever");
        list_as("terraform");
        list_as("made-up", "1.2.3");
        token = "wrong";
        list_as("terraform", "6.6.6", 401);
        const auto counted = series_of(registry, client_requests);
        const std::map<SeriesLabels, double> expected{
            {{{"client", "terraform"}, {"version", "1.20.3"}}, 1},
            {{{"client", "terraform"}, {"version", "unknown"}}, 1},
            {{{"client", "terraform"}, {"version", "none"}}, 1},
        };
        CHECK(counted == expected);
    }

    TEST_CASE("versions are no more than a few, however many a client makes up")
    {
        prometheus::Registry registry;
        control::Metrics metrics{registry};
        constexpr int made_up = 200;
        control::Answered answer{"/api/v1/check/list", "GET", 200, "terraform"};
        answer.succeeded = true;
        for (int i = 0; i < made_up; ++i) {
            const std::string version = fmt::format("{}.0", i);
            answer.client_version = version;
            metrics.answered(answer);
        }
        CHECK(series_of(registry, client_requests).size() == 65);
        CHECK(value_of(registry, client_requests, {{"client", "terraform"}, {"version", "0.0"}}) ==
              1);
        CHECK(value_of(registry, client_requests,
                  {{"client", "terraform"}, {"version", "unknown"}}) == made_up - 64);
    }

    TEST_CASE_FIXTURE(Counted, "who is turned away counts by what should have been shown")
    {
        CHECK(refusals("probe", "unknown") == 0);  // all are there from the start
        const json wrong{{"apiToken", "wrong"}, {"metricsInstanceId", 11}, {"logsInstanceId", 12}};
        install_other();
        post("register/save", wrong, 401);
        CHECK(refusals("admin", "unknown") == 1);
        post("register/init", {{"apiToken", "wrong"}}, 401);
        token = "wrong";
        get("check/list", 401);
        post("register/install", json::object(), 401);
        token = "";
        get("check/list", 401);
        get("tenant", 401);
        CHECK(refusals("admin", "unknown") == 2);
        CHECK(refusals("access", "unknown") == 1);
        CHECK(refusals("access", "missing") == 2);
        CHECK(refusals("publisher", "unknown") == 1);
        CHECK(refusals("publisher", "missing") == 0);
    }

    TEST_CASE_FIXTURE(Counted, "no token, no name and no made-up text gets into the exposition")
    {
        install();
        const std::string secret = token;
        add_probe("frankfurt");
        list_as(secret, secret);
        list_as("terraform", secret);
        for (const std::string& target : {secret, "check/" + secret})
            await(loop, api.handle(request(verb::get, target), {}));
        auto odd = request(verb::get, "check/list");
        odd.method_string("CANARY");
        send(odd, 405);
        metrics.directory_read(directory->digest());
        const std::string shown = exposition(registry);
        CHECK(shown.find("sonde_control_directory_info{hash=\"" + directory->digest()) !=
              std::string::npos);
        for (const std::string& hidden : {secret, std::string{"pub-acme"}, std::string{"acme"},
                 std::string{"frankfurt"}, std::string{"CANARY"}})
            CHECK(shown.find(hidden) == std::string::npos);
    }

    TEST_CASE_FIXTURE(Counted, "totals are of all tenants, without the operator")
    {
        install();
        post("check/add", check(add_probe()));
        install_other();
        auto work = [](control::Transaction& db) -> Result<control::store::Totals> {
            return control::store::totals(db);
        };
        const auto totals = await(loop, store.read(work));
        REQUIRE(totals.has_value());
        CHECK(totals->tenants == 2);
        CHECK(totals->tokens == 2);
        CHECK(totals->probes == 1);
        CHECK(totals->probes_online == 0);
        CHECK(totals->checks == 1);
        metrics.stored(*totals);
        CHECK(value_of(registry, "sonde_control_tenants") == 2);
        CHECK(value_of(registry, "sonde_control_tokens") == 2);
        CHECK(value_of(registry, "sonde_control_probes") == 1);
        CHECK(value_of(registry, "sonde_control_checks") == 1);
    }

    TEST_CASE_FIXTURE(Installation, "what is stored is counted as soon as a replica runs")
    {
        replica.stop();
        const Replica next{database};
        await_value(next.registry, 1, "sonde_control_tenants");
        await_value(next.registry, 1, "sonde_control_probes");
        int status = 0;
        http("POST", next.url("check/add"), &status,
            {"Authorization: Bearer " + access, "Content-Type: application/json"},
            check("first").dump());
        CHECK(status == 200);
        CHECK(value_of(next.registry, requests,
                  {{"route", "/api/v1/check/add"}, {"method", "POST"}, {"code", "200"},
                      {"client", "none"}}) == 1);
        CHECK(value_of(next.registry, "sonde_control_directory_loaded") == 1);
    }

    TEST_CASE_FIXTURE(Plane, "streams count while they live")
    {
        const auto live = [this](const char* kind) {
            return value_of(registry, "sonde_control_streams", {{"kind", kind}});
        };
        CHECK(live("changes") == 0);
        CHECK(live("adhoc") == 0);
        pb::RegisterProbeResult result;
        AgentCall registering{token};
        REQUIRE(checks->RegisterProbe(&registering, {}, &result).ok());
        AgentCall following{token};
        const auto stream = checks->GetChanges(&following, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        CHECK(live("changes") == 1);
        AgentCall asking{token};
        const auto requested = ad_hoc->GetAdHocChecks(&asking, {});
        await_value(registry, 1, "sonde_control_streams", {{"kind", "adhoc"}});
        reset_token();  // both end
        while (stream->Read(&changes)) {
        }
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        CHECK(live("changes") == 0);
        pb::AdHocRequest request;
        CHECK_FALSE(requested->Read(&request));
        CHECK(requested->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        CHECK(live("adhoc") == 0);
    }

    TEST_CASE_FIXTURE(Plane, "a probe that is turned away counts, whatever it calls")
    {
        const auto refusals = [this](const char* reason) {
            return value_of(registry, "sonde_control_authentication_failures_total",
                {{"kind", "probe"}, {"reason", reason}});
        };
        pb::RegisterProbeResult result;
        AgentCall nobody{""};
        CHECK_FALSE(checks->RegisterProbe(&nobody, {}, &result).ok());
        CHECK(refusals("missing") == 1);
        CHECK(refusals("unknown") == 0);
        AgentCall stranger{"wrong"};
        CHECK_FALSE(checks->RegisterProbe(&stranger, {}, &result).ok());
        AgentCall follower{"wrong"};
        const auto stream = checks->GetChanges(&follower, {});
        pb::Changes changes;
        CHECK_FALSE(stream->Read(&changes));
        CHECK_FALSE(stream->Finish().ok());
        CHECK(refusals("missing") == 1);
        CHECK(refusals("unknown") == 2);
    }

    TEST_CASE_FIXTURE(Plane, "names of cost labels that a record is made without count")
    {
        change_tenant([](pb::Tenant& record) {
            for (const char* name : {"team", "site", "shop"})
                record.add_costattributionlabels(name);
        });
        pb::Check labelled = check("labelled");
        for (const char* name : {"team", "shop", "other"}) {
            auto* const label = labelled.add_labels();
            label->set_name(name);
            label->set_value("a,b");
        }
        add(labelled);
        CHECK(value_of(registry, "sonde_control_omitted_cost_labels_total") == 0);
        pb::TenantInfo asked;
        asked.set_id(tenant);
        pb::Tenant record;
        AgentCall asking{token};
        REQUIRE(tenants->GetTenant(&asking, asked, &record).ok());
        CHECK(record.costattributionlabels_size() == 1);
        CHECK(value_of(registry, "sonde_control_omitted_cost_labels_total") == 2);
    }

    TEST_CASE("undelivered: as old as what the slowest stream has waited for")
    {
        const auto start = Undelivered::Clock::now();
        Undelivered all;
        CHECK(all.age(start) == 0s);
        Undelivered::Stream slow{all};
        {
            Undelivered::Stream quick{all};
            slow.hear(start);
            slow.hear(start + 1s);  // waits no less for what came first
            quick.hear(start + 2s);
            CHECK(all.age(start + 5s) == 5s);
            slow.look();
            slow.hear(start + 4s);  // later than what it looks at, perhaps
            CHECK(all.age(start + 5s) == 5s);
            slow.tell(false);
            CHECK(all.age(start + 6s) == 6s);
            slow.look();
            slow.hear(start + 6s);
            slow.tell(true);
            CHECK(all.age(start + 7s) == 5s);  // that of the quick one
        }
        CHECK(all.age(start + 7s) == 1s);  // it went
        slow.look();
        slow.tell(true);
        CHECK(all.age(start + 8s) == 0s);
        slow.look();
        slow.hear(start + 8s);
        slow.tell(false);
        CHECK(all.age(start + 9s) == 1s);
    }

    TEST_CASE("the directory in force has one hash; one that is refused changes none")
    {
        constexpr auto loaded = "sonde_control_directory_loaded";
        constexpr auto info = "sonde_control_directory_info";
        constexpr auto errors = "sonde_control_directory_load_errors_total";
        prometheus::Registry registry;
        control::Metrics metrics{registry};
        metrics.directory_read("first");
        CHECK(value_of(registry, loaded) == 1);
        metrics.directory_refused();
        CHECK(value_of(registry, loaded) == 0);
        CHECK(value_of(registry, errors) == 1);
        CHECK(value_of(registry, info, {{"hash", "first"}}) == 1);
        metrics.directory_read("first");
        CHECK(value_of(registry, loaded) == 1);
        CHECK(value_of(registry, info, {{"hash", "first"}}) == 1);
        metrics.directory_read("second");
        CHECK(
            series_of(registry, info) == std::map<SeriesLabels, double>{{{{"hash", "second"}}, 1}});
        CHECK(value_of(registry, errors) == 1);
    }
}
