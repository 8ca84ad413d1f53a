// POST /check/adhoc and the stream on which probes are told (spec 04 §4.4, spec 01 §8).
#include "agent/control/store/adhoc.h"
#include "tests/unit/agent/control/api_fixture.h"
#include "tests/unit/agent/control/installation.h"
#include "tests/unit/agent/control/plane.h"

#include <fstream>
#include <iterator>
#include <mutex>
#include <set>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;

namespace {

/// A stream of ad-hoc checks, open until it is left.
struct AdHocStream {
    Context context;
    std::unique_ptr<grpc::ClientReader<pb::AdHocRequest>> reader;

    AdHocStream(Replica& at, const std::string& token)
        : context{token}, reader{at.ad_hoc->GetAdHocChecks(&context, {})}
    {}
    ~AdHocStream()
    {
        if (!reader)
            return;
        context.TryCancel();
        end();
    }
    AdHocStream(const AdHocStream&) = delete;
    AdHocStream& operator=(const AdHocStream&) = delete;

    pb::AdHocRequest next() const
    {
        pb::AdHocRequest request;
        REQUIRE(reader->Read(&request));
        return request;
    }
    grpc::StatusCode end()
    {
        pb::AdHocRequest request;
        while (reader->Read(&request)) {
        }
        const auto status = reader->Finish();
        reader.reset();
        return status.error_code();
    }
};

/// As the UI sends it: a whole check, of which some members mean nothing here.
json ui_check(std::int64_t probe)
{
    return {{"id", 17}, {"tenantId", 99}, {"job", ""}, {"target", "https://example.org/"},
        {"frequency", 0}, {"offset", 9'999'999}, {"timeout", 3000}, {"enabled", false},
        {"labels", {{{"name", "__x"}, {"value", ""}}}}, {"alertSensitivity", "?"},
        {"probes", {probe, probe}},
        {"settings", {{"http", {{"method", "GET"}, {"bearerToken", "canary-7f3a"}}}}}};
}

pb::AdHocCheck stored_check(const Plane& at, const std::string& id)
{
    pb::AdHocCheck check;
    check.set_id(id);
    check.set_tenantid(at.tenant);
    check.set_target("example.org");
    check.set_timeout(3'000);
    check.mutable_settings()->mutable_ping();
    check.add_probes(at.probe);
    return check;
}

std::vector<std::string> ids(const std::vector<pb::AdHocRequest>& requests)
{
    std::vector<std::string> out;
    for (const pb::AdHocRequest& each : requests)
        out.push_back(each.adhoccheck().id());
    return out;
}

}  // namespace

TEST_SUITE("agent/control/rpc")
{
    TEST_CASE_FIXTURE(Installation, "an ad-hoc check is answered with an id and told to its probe")
    {
        const AdHocStream stream{replica, probe_token};
        const json answer = post("check/adhoc", ui_check(probe));
        const std::string id = answer["id"];
        CHECK(id.size() == 36);
        CHECK(id[14] == '4');
        CHECK(answer["tenantId"] == 2);
        CHECK(answer["timeout"] == 3000);
        CHECK(answer["target"] == "https://example.org/");
        CHECK(answer["probes"] == json{probe});
        CHECK(answer["settings"]["http"]["method"] == "GET");
        const pb::AdHocRequest told = stream.next();
        CHECK(told.adhoccheck().id() == id);
        CHECK(told.adhoccheck().tenantid() == 2);
        CHECK(told.adhoccheck().timeout() == 3000);
        CHECK(told.adhoccheck().settings().http().bearertoken() == "canary-7f3a");
        CHECK(told.tenant().id() == 2);
        CHECK(told.tenant().eventsremote().password() == "pub-acme");
        // Each has an id of its own, and comes in its turn.
        const std::string next = post("check/adhoc", ui_check(probe))["id"];
        CHECK(next != id);
        CHECK(stream.next().adhoccheck().id() == next);
    }

    TEST_CASE_FIXTURE(Installation, "an ad-hoc check that no probe could run is refused")
    {
        const auto with = [&](const char* member, const json& value) {
            json body = ui_check(probe);
            body[member] = value;
            return body;
        };
        struct Row {
            json body;
            const char* err;
        };
        const Row rows[] = {
            {with("probes", json::array()), "probes: at least one probe is required"},
            {with("probes", {0}), "probes[0]: invalid id"},
            {with("probes", {99}), "probes: 99 not available"},
            {with("target", ""), "target: is required"},
            {with("target", "http://host/"), "target: "},
            {with("settings", json::object()), "settings: exactly one kind is required"},
            {with("settings", {{"browser", {{"script", "eA=="}}}}),
                "settings.browser: not supported"},
            {with("timeout", 0), "timeout: must be between 1000 and 10000 milliseconds"},
            {with("timeout", 150'000), "timeout: must be between 1000 and 10000 milliseconds"},
            {with("timeout", "soon"), "timeout: "},
        };
        for (const Row& row : rows) {
            const json answer = post("check/adhoc", row.body, 400);
            CAPTURE(answer.dump());
            CHECK(answer["err"].get<std::string>().starts_with(row.err));
        }
    }

    TEST_CASE_FIXTURE(ApiFixture, "an ad-hoc check whose results could not be had is refused")
    {
        token.clear();
        token = post("register/init", {{"apiToken", "adm-beta"}})["accessToken"];
        const json answer = post("check/adhoc", ui_check(add_probe()), 409);
        CHECK(answer["err"] == "tenant: remotes not set");
        post("register/save",
            {{"apiToken", "adm-beta"}, {"metricsInstanceId", 11}, {"logsInstanceId", 12}});
        post("check/adhoc", ui_check(1));
    }

    TEST_CASE_FIXTURE(ApiFixture, "an ad-hoc check is for probes that the tenant may use")
    {
        install();
        const auto mine = add_probe();
        install_other();
        const json answer = post("check/adhoc", ui_check(mine), 400);
        CHECK(answer["msg"] == "Invalid probes used for check");
        token.clear();
        post("check/adhoc", ui_check(mine), 401);
    }

    TEST_CASE_FIXTURE(Installation, "an ad-hoc check waits for its probe in the database, sealed")
    {
        const std::string id = post("check/adhoc", ui_check(probe))["id"];
        for (const char* name : {"control.db", "control.db-wal"}) {
            std::ifstream file{folder.path(name), std::ios::binary};
            const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
            CHECK(bytes.find("canary-7f3a") == std::string::npos);
        }
        const AdHocStream stream{replica, probe_token};
        CHECK(stream.next().adhoccheck().id() == id);
    }

    TEST_CASE_FIXTURE(Installation, "two agents of a probe: each ad-hoc check goes to one of them")
    {
        AdHocStream streams[] = {{replica, probe_token}, {replica, probe_token}};
        std::set<std::string> asked;
        for (int i = 0; i < 20; ++i)
            asked.insert(post("check/adhoc", ui_check(probe))["id"]);
        std::mutex mutex;
        std::multiset<std::string> told;
        const auto read = [&](AdHocStream& stream) {
            pb::AdHocRequest request;
            while (stream.reader->Read(&request)) {
                const std::lock_guard lock{mutex};
                told.insert(request.adhoccheck().id());
                if (told.size() == asked.size())
                    for (AdHocStream& each : streams)
                        each.context.TryCancel();
            }
        };
        {
            std::jthread first{read, std::ref(streams[0])};
            std::jthread second{read, std::ref(streams[1])};
        }
        CHECK(std::set(told.begin(), told.end()) == asked);
        CHECK(told.size() == asked.size());
    }

    TEST_CASE_FIXTURE(Plane, "an ad-hoc check that nobody asks for within its time is gone")
    {
        const auto take = [&](std::chrono::seconds within) {
            return write([&](Transaction& db) -> Result<std::vector<pb::AdHocRequest>> {
                return store::take_adhoc(db, probe, within);
            });
        };
        const auto ask = [&](const std::string& id) {
            write([&](Transaction& db) -> Result<> {
                store::add_adhoc(db, stored_check(*this, id));
                return {};
            });
        };
        const auto expire = [&](std::chrono::seconds after) {
            write([&](Transaction& db) -> Result<> {
                store::expire_adhoc(db, after);
                return {};
            });
        };
        ask("first");
        ask("second");
        CHECK(take(0s).empty());
        CHECK(ids(take(store::adhoc_waits)) == std::vector<std::string>{"first", "second"});
        CHECK(take(store::adhoc_waits).empty());
        ask("third");
        expire(store::adhoc_waits);
        ask("fourth");
        CHECK(ids(take(store::adhoc_waits)) == std::vector<std::string>{"third", "fourth"});
        ask("fifth");
        expire(0s);
        CHECK(take(store::adhoc_waits).empty());
    }

    TEST_CASE_FIXTURE(Plane, "ad-hoc checks go with their probe and their tenant")
    {
        write([&](Transaction& db) -> Result<> {
            store::add_adhoc(db, stored_check(*this, "waiting"));
            return {};
        });
        delete_probe();
        CHECK(write([&](Transaction& db) -> Result<std::vector<pb::AdHocRequest>> {
            return store::take_adhoc(db, probe);
        }).empty());
    }

    TEST_CASE_FIXTURE(
        Installation, "the ad-hoc stream outlives a change of the probe, and ends with its token")
    {
        AdHocStream stream{replica, probe_token};
        const json mine = {{"id", probe}, {"tenantId", 2}, {"name", "mine"}, {"region", "APAC"}};
        post("probe/update", mine);
        post("check/adhoc", ui_check(probe));
        stream.next();
        post("probe/update?reset-token=true", mine);
        CHECK(stream.end() == grpc::StatusCode::UNAVAILABLE);
        AdHocStream late{replica, probe_token};
        CHECK(late.end() == grpc::StatusCode::PERMISSION_DENIED);
    }
}

TEST_SUITE("agent/control/replicas")
{
    TEST_CASE("an ad-hoc check reaches the stream of a probe at another replica")
    {
        Installation at{DatabaseKind::postgresql};
        Replica other{at.database};
        AdHocStream stream{other, at.probe_token};
        for (int i = 0; i < 3; ++i) {
            const std::string id = at.post("check/adhoc", ui_check(at.probe))["id"];
            CHECK(stream.next().adhoccheck().id() == id);
        }
        Postgresql::cluster().cut(at.database.url());
        const std::string id = at.post("check/adhoc", ui_check(at.probe))["id"];
        CHECK(stream.next().adhoccheck().id() == id);
        at.remove(fmt::format("probe/delete/{}", at.probe));
        CHECK(stream.end() == grpc::StatusCode::UNAVAILABLE);
    }
}
