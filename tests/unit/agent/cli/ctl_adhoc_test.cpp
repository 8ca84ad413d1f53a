#include "agent/cli/ctl/adhoc_result.h"
#include "agent/net/http_server.h"
#include "tests/unit/agent/cli/ctl_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
namespace asio = boost::asio;
using cli::ctl::query_url;
using cli::ctl::read_results;
using nlohmann::json;
using tests::CliFixture;
using tests::CtlFixture;

namespace {

/// A log line of an ad-hoc check (spec 01 §8).
json log_line(const std::string& id, const std::string& probe, int success)
{
    return {{"level", "warn"}, {"id", id}, {"target", "example.org"}, {"probe", probe},
        {"check_name", "ping"},
        {"logs", {{{"level", "info"}, {"msg", "Resolved"}, {"ip", "192.0.2.1"}}}},
        {"timeseries", {{{"name", "probe_duration_seconds"}, {"type", 1},
                            {"metric", {{{"gauge", {{"value", 0.142}}}}}}},
                           {{"name", "probe_success"}, {"type", 1},
                               {"metric", {{{"gauge", {{"value", success}}}}}}}}},
        {"message", "ad-hoc check done"}};
}

json answer_with(const std::vector<json>& lines)
{
    json streams = json::array();
    for (const json& line : lines) {
        const json value = json::array({"1796000000000000000", line.dump() + "\n"});
        streams.push_back({{"stream", {{"type", "adhoc"}}}, {"values", json::array({value})}});
    }
    return {{"status", "success"}, {"data", {{"resultType", "streams"}, {"result", streams}}}};
}

/// An API whose probes are online, and the tenant's log store.
struct FollowFixture : CliFixture {
    std::vector<json> logs;  ///< found once they have been looked for twice
    int looked = 0;
    std::string asked;       ///< body of check/adhoc
    std::string credential;  ///< of the query
    net::HttpServer server{loop.get_executor(),
        [this](const net::HttpRequest& request, const net::HttpPeer&) { return serve(request); }};
    std::string address = fmt::format("http://127.0.0.1:{}", *server.listen({"127.0.0.1", 0}));
    std::string token = folder.write("token", "t");

    ~FollowFixture()
    {
        server.stop();
        loop.restart();
        loop.run();
    }

    asio::awaitable<net::HttpReply> serve(const net::HttpRequest& request)
    {
        const std::string target{request.target()};
        net::HttpReply reply{boost::beast::http::status::ok, 11};
        if (target == "/api/v1/probe/list") {
            reply.body() = R"([{"id":1,"name":"ams","online":true},
                {"id":2,"name":"fra","online":true},{"id":3,"name":"off","online":false}])";
        } else if (target == "/api/v1/check/adhoc") {
            asked = request.body();
            reply.body() = R"({"id":"the-id","tenantId":2})";
        } else if (target.starts_with("/loki/api/v1/query_range?query=")) {
            credential = request["Authorization"];
            ++looked;
            reply.body() = answer_with(looked < 2 ? std::vector<json>{} : logs).dump();
        }
        reply.prepare_payload();
        co_return reply;
    }

    tests::Outcome adhoc(std::vector<std::string> words)
    {
        words.insert(words.begin(), {"ctl", "adhoc"});
        words.insert(words.end(),
            {"--url", address, "--token-file", token, "--config", folder.write("none.yaml", "")});
        return sonde(std::move(words));
    }
};

}  // namespace

TEST_SUITE("cli/ctl/adhoc")
{
    TEST_CASE("the query for the results, however the store's address is given")
    {
        const std::string expected =
            "http://loki/loki/api/v1/query_range?query=%7Bsource%3D%22synthetic-monitoring%22%2C"
            "type%3D%22adhoc%22%7D%20%7C%3D%20%22the-id%22&start=1&end=2&limit=1000&"
            "direction=forward";
        for (const char* base :
            {"http://loki", "http://loki/", "http://loki/loki/api/v1", "http://loki/loki/api/v1/"})
            CHECK(query_url(base, "the-id", 1, 2) == expected);
    }

    TEST_CASE("results: of this check alone, one a probe, whatever else the store has")
    {
        auto refused = log_line("the-id", "fra", 0);
        refused["error"] = "timeout: too long";
        refused["logs"] = nullptr;
        auto answer = answer_with({log_line("the-id", "ams", 1), log_line("the-id", "ams", 0),
            log_line("another", "fra", 1), refused, "no object", 17});
        answer["data"]["result"].push_back(17);
        answer["data"]["result"].push_back(
            {{"values", json::array({json::array({"1"}), json::array({1, 2}), 3})}});
        const auto results = read_results(answer.dump(), "the-id");
        REQUIRE(results.has_value());
        REQUIRE(results->size() == 2);
        CHECK(render_result((*results)[0]) ==
              "OK        ams  142 ms\n    info  Resolved ip=192.0.2.1\n");
        CHECK(render_result((*results)[1]) == "UNKNOWN   fra  timeout: too long\n");
        for (const char* wrong : {"", "[]", "{}", "{\"data\":7}", "{\"data\":{\"result\":7}}"})
            CHECK(read_results(wrong, "the-id").has_error());
    }

    TEST_CASE_FIXTURE(CtlFixture, "the API takes it, and the id is printed")
    {
        const auto asked = ctl({"adhoc", "http", "https://example.org/", "--expect-status", "4xx",
            "--probe", "mine", "-6", "--timeout", "2s"});
        CHECK(asked.status == 0);
        CHECK(asked.error == "sonde ctl: mine is not online: the API passes it over (warning)\n");
        CHECK(asked.out.size() == 37);  // a UUID
        const auto json = ctl({"adhoc", "ping", "example.org", "--probe", "1", "--json"}).json();
        CHECK(json["probes"] == nlohmann::json{1});
        CHECK(json["timeout"] == 3000);
    }

    TEST_CASE_FIXTURE(FollowFixture, "flags come to the same settings as those of sonde check")
    {
        const auto bearer = folder.write("bearer", "b\n");
        const auto outcome = adhoc({"http", "https://example.org/", "--expect-status", "200",
            "--expect-body", "x", "-4", "--bearer-token-file", bearer, "--settings",
            R"({"method": "POST"})", "--timeout", "2s", "--probe", "ams", "--probe", "2"});
        CHECK(outcome.error == "");
        CHECK(outcome.out == "the-id\n");
        const auto body = json::parse(asked);
        CHECK(body["probes"] == json{1, 2});
        CHECK(body["timeout"] == 2000);
        const auto& http = body["settings"]["http"];
        CHECK(http["method"] == "POST");
        CHECK(http["ipVersion"] == "V4");
        CHECK(http["validStatusCodes"] == json{200});
        CHECK(http["failIfBodyNotMatchesRegexp"] == json{"x"});
        CHECK(http["bearerToken"] == "b");  // and not that of the API
    }

    TEST_CASE_FIXTURE(FollowFixture, "results are awaited and shown as they come")
    {
        logs = {log_line("the-id", "ams", 1), log_line("the-id", "fra", 1)};
        const auto passed =
            adhoc({"ping", "example.org", "--probe", "ams", "--probe", "fra", "--logs-url", address,
                "--logs-user", "u", "--logs-password-file", folder.write("password", "p\n")});
        CHECK(passed.error == "");
        CHECK(passed.status == 0);
        CHECK(passed.out == "the-id\n"
                            "OK        ams  142 ms\n    info  Resolved ip=192.0.2.1\n"
                            "OK        fra  142 ms\n    info  Resolved ip=192.0.2.1\n");
        CHECK(credential == "Basic dTpw");  // not the API's token

        logs = {log_line("the-id", "ams", 0), log_line("the-id", "fra", 1)};
        const auto failed = adhoc(
            {"ping", "example.org", "--probe", "ams", "--probe", "fra", "--logs-url", address});
        CHECK(failed.status == 1);
        CHECK(failed.out.find("CRITICAL  ams") != std::string::npos);

        const auto lines =
            adhoc({"ping", "example.org", "--probe", "fra", "--logs-url", address, "--json"});
        CHECK(lines.out.find("\"probe\":\"fra\"") != std::string::npos);
    }

    TEST_CASE_FIXTURE(FollowFixture, "a result that does not come is 3")
    {
        logs = {log_line("the-id", "ams", 1)};
        const auto missing = adhoc({"ping", "example.org", "--probe", "ams", "--probe", "fra",
            "--logs-url", address, "--wait", "0s", "--timeout", "1s"});
        CHECK(missing.status == 3);
        CHECK(missing.error == "sonde ctl: no result of fra came in time\n");
        const auto offline = adhoc(
            {"ping", "example.org", "--probe", "ams", "--probe", "off", "--logs-url", address});
        CHECK(offline.status == 3);
        CHECK(offline.error == "sonde ctl: off is not online: the API passes it over (warning)\n");
    }

    TEST_CASE_FIXTURE(FollowFixture, "what is wrong with the command is all said, and nobody asked")
    {
        const auto outcome =
            adhoc({"dns", "example.org", "--probe", "ams", "--expect-status", "200", "--timeout",
                "soon", "-4", "-6", "--logs-user", "u", "--bearer-token-file", "absent"});
        CHECK(outcome.status == 2);
        for (const char* said : {"--expect-status: a check of kind dns has no such setting",
                 "--timeout: \"soon\"", "-4 and -6 exclude each other", "--logs-user",
                 "--bearer-token-file: is for http", "--server: is required"})
            CHECK_MESSAGE(outcome.error.find(said) != std::string::npos, said << outcome.error);
        const auto unknown = adhoc({"ping", "example.org", "--probe", "amss"});
        CHECK(unknown.status == 2);
        CHECK(unknown.error == "sonde ctl: --probe: there is no probe amss; did you mean ams?\n");
        CHECK(adhoc({"ping", "example.org"}).status == 2);
        CHECK(asked == "");
    }
}
