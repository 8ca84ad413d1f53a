// Many checks in one call (spec 04 §4.5).
#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

struct Bulk : ApiFixture {
    std::vector<json> checks;

    Bulk()
    {
        install();
        const auto probe = add_probe();
        for (const char* job : {"a", "b", "c"})
            checks.push_back(post("check/add", check(probe, job)));
    }

    json update(const std::vector<json>& elements, int expected = 200)
    {
        return post("check/update/bulk", elements, expected);
    }
};

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(Bulk, "a bulk update changes all of its checks")
    {
        std::vector<json> wanted = checks;
        for (json& each : wanted)
            each["enabled"] = false;
        wanted[1]["folderUid"] = "f";
        CHECK(update(wanted) == json{{"msg", "Bulk update successful"}});
        const json list = get("check/list");
        for (std::size_t i = 0; i < checks.size(); ++i) {
            CHECK(list[i]["enabled"] == false);
            CHECK(list[i]["created"] == checks[i]["created"]);
            CHECK(list[i]["modified"] > checks[i]["modified"]);
        }
        CHECK(list[1]["folderUid"] == "f");
        // Identities go round: no check may be in the way of another.
        wanted = {list[0], list[1], list[2]};
        for (std::size_t i = 0; i < wanted.size(); ++i)
            wanted[i]["job"] = checks[(i + 1) % checks.size()]["job"];
        update(wanted);
        CHECK(get("check/1")["job"] == "b");
        CHECK(get("check/query?job=a&target=example.org")["id"] == 3);
        post("check/add", check(1, "b"), 409);
    }

    TEST_CASE_FIXTURE(Bulk, "a bulk update that fails changes nothing")
    {
        const json before = get("check/list");
        const auto refused = [&](std::vector<json> elements, int status, std::string_view err) {
            for (json& each : elements)
                if (each.is_object())
                    each["enabled"] = false;
            const std::string said = update(elements, status)["err"];
            CAPTURE(said);
            CHECK(said.starts_with(err));
            CHECK(get("check/list") == before);
        };
        const auto with = [](json body, const char* member, const json& value) {
            body[member] = value;
            return body;
        };
        const json& a = checks[0];
        const json& b = checks[1];
        refused({}, 400, "body: must be a list of 1 to 1000 checks");
        refused(std::vector<json>(1001, a), 400, "body: must be a list of 1 to 1000 checks");
        refused({a, 7}, 400, "[1].body: not a JSON object");
        refused({a, with(b, "job", 7)}, 400, "[1].job: is not a string");
        refused({a, with(b, "id", nullptr)}, 400, "[1].id: is required");
        refused({a, with(b, "tenantId", 77)}, 400, "[1].tenantId: is not the tenant");
        refused({a, b, a}, 400, "[2].id: is there twice");
        refused({a, with(b, "frequency", 1)}, 400, "[1].frequency: must be between");
        refused({with(a, "id", 99), with(b, "frequency", 1)}, 404, "[0].check 99 not found");
        refused({a, with(b, "probes", {99})}, 400, "[1].probes: 99 not available");
        const std::string_view taken = "target/job combination already exists";
        refused({a, with(b, "job", "a")}, 409, taken);
        refused({with(a, "job", "c")}, 409, taken);
        refused({with(a, "job", "x"), with(b, "job", "x")}, 409, taken);
        CHECK(update({with(a, "job", "c")}, 409)["msg"] == "cannot update database");
        CHECK(update({with(b, "probes", {99})}, 400)["msg"] == "Invalid probes used for check");
        CHECK(update({a, with(b, "id", 99)}, 404)["msg"] == "[1].check 99 not found");
    }

    TEST_CASE_FIXTURE(Bulk, "a bulk update of many checks")
    {
        std::vector<json> all;
        for (int i = 0; i < 200; ++i) {
            json each = check(1, std::to_string(i));
            if (i >= 3)
                each = post("check/add", each);
            else
                each.update({{"id", i + 1}, {"tenantId", 2}});
            each["basicMetricsOnly"] = true;
            all.push_back(each);
        }
        update(all);
        const json list = get("check/list");
        CHECK(list.size() == 200);
        for (const json& each : list)
            REQUIRE(each["basicMetricsOnly"] == true);
    }
}
