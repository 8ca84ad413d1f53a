#include "agent/link/adhoc_result.h"
#include "tests/unit/agent/link/link_fixture.h"

#include <nlohmann/json.hpp>

using namespace sonde;
using namespace sonde::tests;

namespace {

using Json = nlohmann::ordered_json;

pb::AdHocRequest request(const std::string& id, const std::string& target)
{
    pb::AdHocRequest out;
    pb::AdHocCheck& check = *out.mutable_adhoccheck();
    check.set_id(id);
    check.set_tenantid(1);
    check.set_timeout(5000);
    check.add_probes(7);
    check.set_target(target);
    check.mutable_settings()->mutable_tcp();
    return out;
}

const exporters::LogLine& line_of(const exporters::Payload& answer)
{
    REQUIRE(answer.logs.has_value());
    REQUIRE(answer.logs->lines.size() == 1);
    return answer.logs->lines[0];
}

Json json_of(const exporters::Payload& answer)
{
    const std::string& line = line_of(answer).line;
    CHECK(line.back() == '\n');
    return Json::parse(line);
}

std::vector<std::string> keys_of(const Json& object)
{
    std::vector<std::string> out;
    for (const auto& item : object.items())
        out.push_back(item.key());
    return out;
}

double value_of(const Json& answer, std::string_view family)
{
    for (const Json& each : answer["timeseries"])
        if (each["name"] == family)
            return each["metric"][0]["gauge"]["value"];
    FAIL("no such series");
    return 0;
}

using Keys = std::vector<std::string>;

struct Fixture : LinkFixture {
    void until_answers(std::size_t count)
    {
        until([&] { return answers.size() >= count; });
    }
    void until_followed(std::size_t count)
    {
        until([&] { return api.seen().adhoc_followed >= count; });
    }
};

}  // namespace

TEST_SUITE("agent/link/adhoc")
{
    TEST_CASE_FIXTURE(Fixture, "a check is run once, now, and answered by one log entry")
    {
        start_adhoc();
        api.send(request("abc", address()));
        until_answers(1);
        const exporters::Payload& answer = answers[0];
        CHECK(answer.tenant == exporters::TenantKey{exporters::Origin::api, 1});
        CHECK_FALSE(answer.run_of.has_value());
        CHECK(answer.series == nullptr);
        CHECK(answer.values.empty());
        const std::vector<exporters::Label> labels{
            {"probe", "Here"}, {"source", "synthetic-monitoring"}, {"type", "adhoc"}};
        CHECK(answer.logs->labels == labels);
        REQUIRE(answer.logs->structured_metadata.size() == 1);
        CHECK(answer.logs->structured_metadata[0].name == "execution_id");
        CHECK(answer.logs->structured_metadata[0].value.size() == 36);

        const Json json = json_of(answer);
        CHECK(keys_of(json) == Keys{"level", "id", "target", "probe", "check_name", "logs",
                                   "timeseries", "message"});
        CHECK(json["level"] == "warn");
        CHECK(json["id"] == "abc");
        CHECK(json["target"] == address());
        CHECK(json["probe"] == "Here");
        CHECK(json["check_name"] == "tcp");
        CHECK(json["message"] == "ad-hoc check done");
        CHECK(value_of(json, "probe_success") == 1);
        CHECK(value_of(json, "probe_duration_seconds") > 0);
        REQUIRE(json["logs"].is_array());
        for (const Json& line : json["logs"]) {
            CHECK(line.contains("level"));
            CHECK(line.contains("msg"));
            CHECK((line.contains("time") || line["msg"] == checkers::probe_was_late));
            CHECK(line["msg"] != "Beginning check");
            CHECK(line["msg"] != "Check succeeded");
            for (const Json& value : line)
                CHECK(value.is_string());
        }
        CHECK(metric("sm_adhoc_ops_total", "tcp") == 1);
        CHECK(api.seen().adhoc_registered == 1);
        CHECK(api.seen().refused == 0);
    }

    TEST_CASE("a report becomes the documented entry, byte by byte")
    {
        checkers::Report report;
        report.verdict = checkers::Verdict::fail("timeout", "deadline reached");
        report.duration_seconds = 0.0123456789;
        using Entry = checkers::LogEntry;
        const std::chrono::system_clock::time_point at{1'700'000'000'120'000'000ns};
        report.started_at = at;
        std::vector<checkers::LogField> fields;
        fields.emplace_back("target", "a<b>\xff");
        fields.emplace_back("count", 3);
        report.log.push_back(
            {at, Entry::Level::info, Entry::Layout::wrapper, "Beginning check", {}});
        report.log.push_back({at, Entry::Level::error, Entry::Layout::structured, "No", fields});
        report.log.push_back({at, Entry::Level::warn, Entry::Layout::wrapper, "Odd", {}});
        report.log.push_back({at, Entry::Level::error, Entry::Layout::wrapper, "Check failed", {}});
        static constexpr checkers::Metric phase{"probe_a_seconds", "A phase", "phase"};
        report.observed.set(phase, 0.25, {"resolve"});
        report.observed.set(phase, 2, {"connect"});

        pb::AdHocCheck check;
        check.set_id("id\"1");
        check.set_tenantid(-1003);
        pb::Probe probe;
        probe.set_name("Here");
        link::AdHocResult result{check, probe, "dns", "8.8.8.8", at};
        result.report = &report;
        const auto payload = link::to_payload(result);
        CHECK(payload.tenant.id == -1003);
        CHECK(payload.timestamp_ms == 1'700'000'000'120);
        CHECK(line_of(payload).time == at);
        CHECK(
            line_of(payload).line ==
            R"({"level":"warn","id":"id\"1","target":"8.8.8.8","probe":"Here","check_name":"dns",)"
            R"("logs":[{"count":"3","level":"ERROR","msg":"No","target":"a<b>)"
            "\xef\xbf\xbd"
            R"(","time":"2023-11-14T22:13:20.12Z"},{"level":"warn","msg":"Odd"}],)"
            R"("timeseries":[{"name":"probe_a_seconds","help":"A phase","type":1,"metric":[)"
            R"({"label":[{"name":"phase","value":"connect"}],"gauge":{"value":2}},)"
            R"({"label":[{"name":"phase","value":"resolve"}],"gauge":{"value":0.25}}]},)"
            R"({"name":"probe_duration_seconds","help":"How long the probe took to complete in )"
            R"(seconds","type":1,"metric":[{"gauge":{"value":0.012345}}]},)"
            R"({"name":"probe_success","help":"Displays whether or not the probe was a success",)"
            R"("type":1,"metric":[{"gauge":{"value":0}}]}],"message":"ad-hoc check done"})"
            "\n");
    }

    TEST_CASE("a line that no log store would take is shortened")
    {
        checkers::Report report;
        using Entry = checkers::LogEntry;
        for (int i = 0; i < 100; ++i) {
            std::vector<checkers::LogField> fields;
            fields.emplace_back("answer", std::string(50'000, 'x'));
            report.log.push_back({{}, Entry::Level::info, Entry::Layout::wrapper, "Got", fields});
        }
        const pb::AdHocCheck check;
        const pb::Probe probe;
        link::AdHocResult result{check, probe, "dns", "8.8.8.8", {}};
        result.report = &report;
        const auto payload = link::to_payload(result);
        CHECK(line_of(payload).line.size() < 200'000);
        CHECK(json_of(payload)["logs"].size() == 98);
    }

    TEST_CASE_FIXTURE(Fixture, "what cannot be run is answered, too, and the next is run")
    {
        struct Row {
            pb::AdHocRequest request;
            std::string_view says;
            std::string_view kind;
            std::string_view counted;
        };
        std::vector<Row> rows;
        auto add = [&](std::string_view says, std::string_view kind, std::string_view counted) {
            rows.push_back({request(std::to_string(rows.size()), address()), says, kind, counted});
            return rows.back().request.mutable_adhoccheck();
        };
        add("settings", "", "unknown")->clear_settings();
        auto* unknown = add("settings", "", "unknown");
        unknown->clear_settings();
        unknown->mutable_settings()
            ->GetReflection()
            ->MutableUnknownFields(unknown->mutable_settings())
            ->AddLengthDelimited(42, "");
        add("tcp", "ping", "ping")->mutable_settings()->mutable_ping();
        auto* traceroute = add("traceroute", "traceroute", "traceroute");
        traceroute->clear_settings();
        traceroute->mutable_settings()->mutable_traceroute();
        add("timeout: 0 ms", "tcp", "tcp")->set_timeout(0);
        add("timeout: -1 ms", "tcp", "tcp")->set_timeout(-1);
        add("timeout: 180001 ms", "tcp", "tcp")->set_timeout(180'001);

        start_adhoc();
        for (const Row& row : rows) {
            CAPTURE(row.says);
            const auto before = answers.size();
            api.send(row.request);
            until_answers(before + 1);
            const Json json = json_of(answers.back());
            CHECK(keys_of(json) == Keys{"level", "error", "id", "target", "probe", "check_name",
                                       "logs", "timeseries", "message"});
            CHECK(json["error"].get<std::string>().find(row.says) != std::string::npos);
            CHECK(json["id"] == row.request.adhoccheck().id());
            CHECK(json["check_name"] == row.kind);
            CHECK(json["logs"].is_null());
            CHECK(value_of(json, "probe_success") == 0);
            CHECK(metric("sm_adhoc_ops_total", row.counted) >= 1);
        }
        CHECK(metric("sm_adhoc_ops_total") == rows.size());
        CHECK(metric("sonde_adhoc_refused_total") == rows.size());
        api.send(request("last", address()));
        until_answers(rows.size() + 1);
        CHECK(value_of(json_of(answers.back()), "probe_success") == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "settings that cannot be used make a run that says so")
    {
        start_adhoc();
        auto bad = request("bad", address());
        bad.mutable_adhoccheck()
            ->mutable_settings()
            ->mutable_tcp()
            ->add_queryresponse()
            ->set_expect("(");
        api.send(bad);
        until_answers(1);
        const Json json = json_of(answers[0]);
        CHECK(value_of(json, "probe_success") == 0);
        REQUIRE(json["logs"].is_array());
        CHECK(json["logs"][0]["msg"] == "Check cannot run");
        CHECK(json["logs"][0]["reason"] == "bad_regex");
    }

    TEST_CASE_FIXTURE(Fixture, "without a tenant there is nobody to tell; it is counted")
    {
        start_adhoc();
        auto nobody = request("x", address());
        nobody.mutable_adhoccheck()->set_tenantid(0);
        api.send(nobody);
        api.send(request("y", address()));
        until_answers(1);
        CHECK(json_of(answers[0])["id"] == "y");
        CHECK(metric("sonde_adhoc_refused_total", "bad_value") == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "the tenant that comes with a request is known from then on")
    {
        start_adhoc();
        auto told = request("x", address());
        *told.mutable_tenant() = whole_tenant(1, 5);
        api.send(told);
        until_answers(1);
        CHECK(await(loop, tenants->tenant({exporters::Origin::api, 1})).has_value());
        CHECK(api.seen().tenants.empty());
    }

    TEST_CASE_FIXTURE(Fixture, "too many wait for each other, and beyond that are told so")
    {
        adhoc_limits = {2, 3};
        start_adhoc();
        for (int i = 0; i < 6; ++i) {
            auto slow = request(std::to_string(i), address());
            slow.mutable_adhoccheck()->set_timeout(100);
            slow.mutable_adhoccheck()
                ->mutable_settings()
                ->mutable_tcp()
                ->add_queryresponse()
                ->set_expect("never");
            api.send(slow);
        }
        std::size_t most = 0;
        until([&] {
            most = std::max(most, static_cast<std::size_t>(metric("sonde_adhoc_in_flight")));
            return answers.size() >= 6;
        });
        CHECK(most <= 2);
        CHECK(metric("sonde_adhoc_in_flight") == 0);
        CHECK(metric("sonde_adhoc_refused_total", "busy") <= 1);  // the loop may have been slow
    }

    TEST_CASE_FIXTURE(Fixture, "however its session ends, another begins")
    {
        const Code ends[] = {
            Code::ok, Code::unavailable, Code::aborted, Code::internal, Code::cancelled};
        start_adhoc();
        std::size_t sessions = 1;
        for (const Code code : ends) {
            CAPTURE(static_cast<int>(code));
            until_followed(sessions);
            api.end_adhoc(code, "told so");
            until_followed(++sessions);
            api.send(request("x", address()));
            until_answers(sessions - 1);
        }
    }

    TEST_CASE("an API that has no ad-hoc checks for us is told of once and asked again, seldom")
    {
        struct Row {
            FakeControl::Answer answer;
            bool offered = true;
        };
        constexpr auto none_for_us = "the API has no ad-hoc checks for this probe";
        const Row rows[] = {{{}, false}, {{Code::unimplemented, "404"}},
            {{Code::permission_denied, "403"}}, {{Code::ok, "no", pb::NOT_AUTHORIZED}}};
        for (const auto& [answer, offered] : rows) {
            CAPTURE(answer.text);
            LinkFixture fixture{FakeControl::Offers{.adhoc = offered}};
            fixture.timings.service_retry = 5ms;
            for (int i = 0; i < 3; ++i)
                fixture.api.next_adhoc_register(answer);
            const LogCapture log;
            fixture.start();
            fixture.start_adhoc();
            fixture.until_connected();
            if (offered)
                fixture.until([&] { return fixture.api.seen().adhoc_followed == 1; });
            else  // there is nothing to count but what is said
                fixture.until([&] { return log.count(none_for_us) == 1; });
            CHECK(fixture.link->connected());
            CHECK_FALSE(fixture.given_up);
            CHECK(log.count(none_for_us) == 1);
        }
    }

    TEST_CASE_FIXTURE(Fixture, "what runs and what waits ends with the agent")
    {
        adhoc_limits = {1, 10};
        start_adhoc();
        for (int i = 0; i < 3; ++i) {
            auto slow = request(std::to_string(i), address());
            slow.mutable_adhoccheck()->set_timeout(60'000);
            slow.mutable_adhoccheck()
                ->mutable_settings()
                ->mutable_tcp()
                ->add_queryresponse()
                ->set_expect("never");
            api.send(slow);
        }
        until([&] { return metric("sonde_adhoc_in_flight") == 1; });
        stop();
        CHECK(answers.empty());
    }

    TEST_CASE_FIXTURE(Fixture, "another token is used for the next session")
    {
        start_adhoc();
        until_followed(1);
        api.set_token("second");
        adhoc->set_token(config::Secret{"second"});
        api.end_adhoc(Code::unavailable);
        until_followed(2);
        CHECK(api.seen().refused == 0);
    }
}
