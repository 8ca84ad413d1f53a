// Which calls leave a trace (spec 04 §13.7).
#include "agent/control/store/connection.h"
#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

struct Entry {
    std::string actor;
    std::string action;
    std::string entity;
    std::string request_id;
};

struct Audited : ApiFixture {
    /// What was noted since the last time.
    std::vector<Entry> entries()
    {
        auto list = [this](control::Transaction& db) -> Result<std::vector<Entry>> {
            std::vector<Entry> found;
            Entry row;
            soci::statement rows =
                (db.sql().prepare << "SELECT actor, action, entity, request_id, id FROM audit "
                                     "WHERE id > :seen ORDER BY id",
                    soci::use(seen_), soci::into(row.actor), soci::into(row.action),
                    soci::into(row.entity), soci::into(row.request_id), soci::into(last_));
            rows.execute();
            while (rows.fetch())
                found.push_back(row);
            return found;
        };
        const auto found = await(loop, store.read(list));
        REQUIRE(found.has_value());
        seen_ = last_;
        return *found;
    }

    /// The only entry since the last time is this, and is of the last call.
    void expect(std::string_view actor, std::string_view action, const std::string& entity)
    {
        const auto found = entries();
        CAPTURE(action);
        REQUIRE(found.size() == 1);
        CHECK(found[0].actor.starts_with(actor));
        CHECK(found[0].action == action);
        CHECK(found[0].entity == entity);
        CHECK(found[0].request_id == std::string{last["X-Request-Id"]});
        CHECK(found[0].actor.find(token) == std::string::npos);
    }

private:
    std::int64_t seen_ = 0;
    std::int64_t last_ = 0;
};

std::string named(const std::string& token)
{
    return "token " + control::lookup_of(token);
}

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(Audited, "the calls that the audit knows")
    {
        install();
        expect("organization 1000", "register/install", "tenant 2");
        const std::string caller = "tenant 2, " + named(token);
        const std::string made = call(verb::post, "token/create")["token"];
        expect(caller, "token/create", named(made));
        const std::string first = token;
        const std::string fresh = call(verb::post, "token/refresh")["token"];
        expect(caller, "token/refresh", named(fresh));
        token = fresh;
        call(verb::delete_, "token/delete");
        expect("tenant 2, " + named(fresh), "token/delete", named(fresh));
        token = made;

        json probe = post("probe/add", {{"name", "a"}})["probe"];
        expect("tenant 2", "probe/add", "probe 1");
        post("probe/update?reset-token", probe);
        expect("tenant 2", "probe/reset", "probe 1");
        call(verb::delete_, "probe/delete/1");
        expect("tenant 2", "probe/delete", "probe 1");
        post("tenant/update", {{"id", 2}, {"status", 1}});
        expect("tenant 2", "tenant/update", "tenant 2");
        call(verb::delete_, "tenant/delete/2");
        expect("tenant 2", "tenant/delete", "tenant 2");

        const json admin = {{"apiToken", "adm-beta"}};
        token = post("register/init", admin)["accessToken"];
        expect("organization 1001", "register/init", "tenant 3");
        post("register/save",
            {{"apiToken", "adm-beta"}, {"metricsInstanceId", 11}, {"logsInstanceId", 12}});
        expect("tenant 3", "register/save", "tenant 3");
        post("register/viewer-token",
            {{"apiToken", "adm-beta"}, {"id", 11}, {"type", "prometheus"}});
        expect("organization 1001", "register/viewer-token", "prometheus instance 11");
    }

    TEST_CASE_FIXTURE(Audited, "what was refused, and what only reads, leaves none")
    {
        install();
        json probe = post("probe/add", {{"name", "a"}})["probe"];
        entries();
        post("probe/add", {{"name", "a"}}, 409);
        post("probe/update", probe);
        call(verb::delete_, "probe/delete/7", "", 404);
        call(verb::delete_, "tenant/delete/2", "", 409);
        post("tenant/update", {{"id", 2}, {"status", 7}}, 400);
        call(verb::post, "token/validate");
        post("register/describe", {{"apiToken", "adm-acme"}});
        post("register/viewer-token", {{"apiToken", "adm-acme"}, {"id", 1}, {"type", "prometheus"}},
            501);
        config.max_tokens_per_tenant = 1;
        call(verb::post, "token/create", "", 409);
        CHECK(entries().empty());
    }
}
