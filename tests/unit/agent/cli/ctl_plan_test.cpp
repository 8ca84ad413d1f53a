#include "agent/cli/ctl/plan.h"
#include "agent/cli/ctl/table.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <tuple>

using namespace sonde;
using namespace sonde::cli::ctl;

namespace {

pb::Label label(const std::string& name, const std::string& value)
{
    pb::Label out;
    out.set_name(name);
    out.set_value(value);
    return out;
}

pb::Check ping_check(const std::string& job)
{
    pb::Check check;
    check.set_job(job);
    check.set_target("example.org");
    check.set_frequency(60000);
    check.set_timeout(3000);
    check.set_enabled(true);
    check.mutable_settings()->mutable_ping();
    return check;
}

KnownProbe known_probe(std::int64_t id, const std::string& name, std::int64_t tenant = 2)
{
    KnownProbe known;
    known.probe.set_id(id);
    known.probe.set_tenantid(tenant);
    known.probe.set_name(name);
    known.probe.set_public_(tenant != 2);
    known.probe.mutable_capabilities();
    return known;
}

KnownCheck known_check(std::int64_t id, const std::string& job)
{
    KnownCheck known{ping_check(job), {}, {}};
    known.check.set_id(id);
    known.check.set_tenantid(2);
    known.check.set_alertsensitivity("none");
    known.check.set_modified(1796000000.5);
    known.check.add_probes(1);
    return known;
}

DeclaredCheck declared_check(const std::string& job, std::vector<std::string> probes = {"mine"})
{
    return {ping_check(job), std::move(probes), {}, {}, "f.yaml:1"};
}

DeclaredProbe declared_probe(const std::string& name, const std::string& more = "")
{
    DeclaredProbe declared;
    declared.probe.set_name(name);
    declared.json = fmt::format(R"({{"name":"{}"{}}})", name, more);
    declared.place = "f.yaml:9";
    return declared;
}

struct PlanFixture {
    KnownProbes probes{known_probe(1, "mine"), known_probe(5, "ams", 1)};
    KnownChecks checks;
    Declared declared;
    Ownership ownership;

    PlanFixture() { declared.speaks_of_checks = true; }

    Plan plan() const { return make_plan(declared, 2, probes, checks, ownership); }

    /// "+a ~b -c": steps in order, probes as "probe:x".
    std::string steps() const
    {
        std::string out;
        for (const Step& step : plan().steps) {
            const char mark = step.action == Action::add      ? '+'
                              : step.action == Action::change ? '~'
                                                              : '-';
            out += fmt::format("{}{}{}{}", out.empty() ? "" : " ", mark,
                step.is_probe ? "probe:" : "", step.is_probe ? step.name : step.check.job());
            if (step.action == Action::remove && !step.is_probe)
                out += step.name.substr(0, step.name.find('/'));
        }
        return out;
    }
};

std::string changes_text(const pb::Check& before, const pb::Check& after)
{
    std::string out;
    for (const auto& change : changes_between(fields_of(before), fields_of(after)))
        out += fmt::format("{}: {} → {}\n", change.path, change.before, change.after);
    return out;
}

}  // namespace

TEST_SUITE("cli/ctl/fields")
{
    TEST_CASE("a difference names the field, what it was and what it is to be")
    {
        auto before = ping_check("a");
        before.mutable_settings()->clear_ping();
        auto& http = *before.mutable_settings()->mutable_http();
        http.add_validstatuscodes(200);
        http.add_validstatuscodes(204);
        auto after = before;
        after.set_frequency(30000);
        after.mutable_settings()->mutable_http()->set_validstatuscodes(0, 201);
        after.mutable_settings()->mutable_http()->mutable_validstatuscodes()->RemoveLast();
        after.mutable_settings()->mutable_http()->set_method(pb::POST);
        *after.add_labels() = label("team", "web");
        CHECK(changes_text(before, after) == "frequency: 60000 → 30000\n"
                                             "labels[0].name: (none) → team\n"
                                             "labels[0].value: (none) → web\n"
                                             "settings.http.method: GET → POST\n"
                                             "settings.http.validStatusCodes[0]: 200 → 201\n"
                                             "settings.http.validStatusCodes[1]: 204 → (none)\n");
        CHECK(changes_text(before, before) == "");
    }

    TEST_CASE("secrets differ without being shown")
    {
        auto before = ping_check("a");
        before.mutable_settings()->clear_ping();
        auto& http = *before.mutable_settings()->mutable_http();
        http.set_bearertoken("s3cret-1");
        http.add_headers("X-Api-Key: s3cret-1");
        http.mutable_basicauth()->set_password("s3cret-1");
        http.mutable_tlsconfig()->set_clientkey("s3cret-1");
        http.set_proxyurl("http://u:s3cret-1@proxy");
        http.mutable_oauth2config()->set_clientsecret("s3cret-1");
        *http.mutable_oauth2config()->add_endpointparams() = label("p", "s3cret-1");
        http.set_body("plain");
        auto after = before;
        auto& changed = *after.mutable_settings()->mutable_http();
        changed.set_bearertoken("s3cret-2");
        changed.set_headers(0, "X-Api-Key: s3cret-2");
        changed.mutable_basicauth()->set_password("s3cret-2");
        changed.mutable_tlsconfig()->set_clientkey("s3cret-2");
        changed.set_proxyurl("http://u:s3cret-2@proxy");
        changed.mutable_oauth2config()->set_clientsecret("s3cret-2");
        changed.mutable_oauth2config()->mutable_endpointparams(0)->set_value("s3cret-2");
        const auto text = changes_text(before, after);
        CAPTURE(text);
        CHECK(text.find("s3cret") == std::string::npos);
        CHECK(text.find("czNjcmV0") == std::string::npos);  // in base64
        CHECK(std::count(text.begin(), text.end(), '\n') == 7);
        CHECK(text.find("settings.http.headers[0]: X-Api-Key: <secret> → X-Api-Key: <secret> "
                        "(another)") != std::string::npos);
        const auto hidden = changes_between(fields_of(before, {"settings.http.body"}),
            fields_of(ping_check("a"), {"settings.http.body"}));
        for (const auto& change : hidden)
            CHECK(change.before.find("plain") == std::string::npos);
    }

    TEST_CASE("a URL is shown without the user in it")
    {
        const std::pair<std::string, std::string_view> table[] = {
            {"http://u:p@host/a", "http://<secret>@host/a"},
            {"http://u:p@q@host", "http://<secret>@host"},
            {"http://host/a@b", "http://host/a@b"},
            {"http://host", "http://host"},
            {"", ""},
        };
        for (const auto& [url, shown] : table)
            CHECK(hide_user(url) == shown);
    }

    TEST_CASE("tables are aligned, cut only where they must be, and steer no terminal")
    {
        Table table{{{"ID", true}, {"JOB", false, true}, {"STATE"}}};
        table.add({"7", "shop", "on"});
        table.add({"12", "überwachung-of-the-shop\x1b[31m", ""});
        CHECK(table.text() == "ID  JOB                           STATE\n"
                              " 7  shop                          on\n"
                              "12  überwachung-of-the-shop [31m  -\n");
        CHECK(table.text(24) == "ID  JOB            STATE\n"
                                " 7  shop           on\n"
                                "12  überwachung-…  -\n");
        CHECK(table.text(1) == "ID  JOB       STATE\n"
                               " 7  shop      on\n"
                               "12  überwac…  -\n");
    }
}

TEST_SUITE("cli/ctl/plan")
{
    TEST_CASE_FIXTURE(PlanFixture, "what differs is changed, what is new added, the rest stays")
    {
        checks = {known_check(10, "same"), known_check(11, "other"), known_check(12, "extra")};
        declared.checks = {declared_check("new"), declared_check("same"), declared_check("other")};
        declared.checks[2].check.set_timeout(2000);
        CHECK(steps() == "~other +new");
        const auto made = plan();
        CHECK(made.unchanged == 1);
        CHECK(made.left_alone == 1);  // "extra"; of probes the files say nothing
        CHECK(made.steps[0].id == 11);
        REQUIRE(made.steps[0].changes.size() == 1);
        CHECK(made.steps[0].changes[0].path == "timeout");
    }

    TEST_CASE_FIXTURE(PlanFixture, "what the API fills in is no difference")
    {
        checks = {known_check(10, "dns")};
        declared.checks = {declared_check("dns")};
        auto& known = *checks[0].check.mutable_settings()->mutable_dns();
        checks[0].check.mutable_settings()->clear_ping();
        checks[0].check.mutable_settings()->mutable_dns()->set_server("192.0.2.53");
        known.set_port(53);
        checks[0].check.mutable_channels()->mutable_k6()->set_id("v1");
        checks[0].folder_uid = "f";
        declared.checks[0].check.mutable_settings()->clear_ping();
        declared.checks[0].check.mutable_settings()->mutable_dns()->set_server("192.0.2.53");
        CHECK(steps() == "");
        declared.checks[0].folder_uid = "g";
        REQUIRE(plan().steps.size() == 1);
        CHECK(plan().steps[0].changes[0].path == "folderUid");
        declared.checks[0].folder_uid.reset();
        declared.checks[0].check.set_enabled(false);
        const auto body = body_of(plan().steps.at(0), {});
        CHECK(body.find(R"("folderUid":"f")") != std::string::npos);  // stays
        CHECK(body.find(R"("channels":{"k6":{"id":"v1")") != std::string::npos);
    }

    TEST_CASE_FIXTURE(PlanFixture, "probes of a check: by name, by id, or about to be added")
    {
        checks = {known_check(10, "a")};
        declared.checks = {declared_check("a", {"mine", "1", "ams", "new"})};
        declared.probes = {declared_probe("new")};
        CHECK(steps() == "+probe:new ~a");
        const auto made = plan();
        REQUIRE(made.steps.size() == 2);
        CHECK(made.steps[1].changes.at(0).path == "probes");
        CHECK(made.steps[1].changes.at(0).before == "mine");
        CHECK(made.steps[1].changes.at(0).after == "ams, mine, new");
        CHECK(
            body_of(made.steps[1], {{"new", 9}}).find(R"("probes":[1,5,9])") != std::string::npos);
        declared.checks[0].probes = {"mien"};
        REQUIRE(plan().problems.size() == 1);
        CHECK(plan().problems[0] == "f.yaml:1: probes: there is no probe mien; did you mean mine?");
        CHECK(plan().steps.empty());
    }

    TEST_CASE_FIXTURE(PlanFixture, "a probe keeps what the file does not say; public ones are not "
                                   "ours")
    {
        probes[0].probe.set_region("EMEA");
        probes[0].probe.set_deprecated(true);
        probes[0].probe.mutable_capabilities()->set_disablebrowserchecks(true);
        declared.probes = {declared_probe("mine", R"(,"region":"AMER")")};
        const auto made = plan();
        REQUIRE(made.steps.size() == 1);
        REQUIRE(made.steps[0].changes.size() == 1);
        CHECK(made.steps[0].changes[0].path == "region");
        CHECK(made.steps[0].probe.deprecated());
        CHECK(made.steps[0].probe.capabilities().disablebrowserchecks());
        declared.probes = {declared_probe("new")};
        CHECK(body_of(plan().steps.at(0), {}).find("capabilities") == std::string::npos);
        declared.probes = {declared_probe("ams")};
        REQUIRE(plan().problems.size() == 1);
        CHECK(plan().problems[0].find("is a public probe") != std::string::npos);
    }

    TEST_CASE_FIXTURE(PlanFixture, "who is deleted: only what is owned, and spoken of")
    {
        checks = {known_check(10, "wanted"), known_check(11, "owned"), known_check(12, "else")};
        *checks[0].check.add_labels() = label("by", "git");
        *checks[1].check.add_labels() = label("by", "git");
        *checks[2].check.add_labels() = label("by", "hand");
        probes.push_back(known_probe(2, "old"));
        *probes.back().probe.add_labels() = label("by", "git");
        declared.checks = {declared_check("wanted")};
        *declared.checks[0].check.add_labels() = label("by", "git");
        using Prune = Ownership::Prune;
        const std::tuple<Prune, bool, bool, std::string_view> table[] = {
            {Prune::nothing, true, true, ""},
            {Prune::owned, true, false, "-owned"},
            {Prune::owned, true, true, "-owned -probe:old"},
            {Prune::all, true, false, "-owned -else"},
            {Prune::all, true, true, "-owned -else -probe:mine -probe:old"},
            {Prune::all, false, false, ""},
        };
        ownership.owner = label("by", "git");
        for (const auto& [prune, of_checks, of_probes, expected] : table) {
            CAPTURE(expected);
            ownership.prune = prune;
            declared.speaks_of_checks = of_checks;
            declared.speaks_of_probes = of_probes;
            CHECK(steps() == expected);
        }
    }

    TEST_CASE_FIXTURE(PlanFixture, "with an owner each declared check carries its label")
    {
        declared.checks = {declared_check("a")};
        ownership.owner = label("by", "git");
        REQUIRE(plan().problems.size() == 1);
        CHECK(plan().problems[0] == "f.yaml:1: labels: by=git is missing, which --owner wants");
    }

    TEST_CASE("names find what they mean, or the reader learns what there is")
    {
        KnownChecks checks{known_check(10, "shop"), known_check(11, "web"), known_check(12, "web")};
        checks[2].check.set_target("example.net");
        const std::tuple<std::string_view, std::int64_t, std::string_view> table[] = {
            {"11", 11, ""},
            {"shop", 10, ""},
            {"web/example.net", 12, ""},
            {"shop/example.org", 10, ""},
            {"web", 0, "several checks have the job web: give the id, one of 11, 12"},
            {"99", 0, "there is no check 99"},
            {"shop/example.orgg", 0,
                "there is no check shop/example.orgg; did you mean shop/example.org?"},
        };
        for (const auto& [named, id, said] : table) {
            CAPTURE(named);
            const auto found = find_check(checks, named);
            CHECK(found.has_value() == (id != 0));
            if (found)
                CHECK((*found)->check.id() == id);
            else
                CHECK(found.error().message == said);
        }
    }
}
