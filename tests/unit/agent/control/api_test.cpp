// What holds for all calls of the HTTP API (spec 04 §1).
#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using control::Credential;
using control::Route;

namespace {

/// A path of a route, with an id that names nothing.
std::string path_of(const Route& route, const std::string& id = "999999")
{
    std::string path{route.path.substr(std::string_view{"/api/v1/"}.size())};
    if (const auto at = path.find("{id}"); at != std::string::npos)
        path.replace(at, 4, id);
    return path;
}

/// The token that lets a call of this route come to its body.
std::string token_for(const Route& route, const std::string& access)
{
    return route.credential == Credential::publisher ? "pub-acme" : access;
}

struct Answered {
    verb method;
    std::string_view target;
    int status;
    std::string_view allow = "";
};

struct Authorized {
    std::vector<std::string> headers;
    std::string_view msg;  ///< empty: the call is served
};

struct Media {
    std::string_view type;
    std::string_view encoding;
    int status;
};

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(ApiFixture, "paths and methods")
    {
        const Answered table[] = {
            {verb::get, "nothing", 404},
            {verb::options, "nothing", 404},
            {verb::get, "check/list/more", 404},
            {verb::get, "check%2Flist", 404},
            {verb::get, "", 404},
            {verb::get, "check/add", 405, "POST"},
            {verb::put, "check/add", 405, "POST"},
            {verb::delete_, "check/list", 405, "GET, HEAD"},
            {verb::get, "check/validate", 405, "POST"},
            {verb::post, "check/7", 405, "GET, HEAD"},
            {verb::post, "check/abc", 405, "GET, HEAD"},
            {verb::delete_, "check/7/alerts", 405, "GET, HEAD, PUT"},
            {verb::options, "check/7/alerts", 204, "GET, HEAD, PUT"},
            {verb::options, "check/add", 204, "POST"},
            {verb::get, "//check//list/", 200},
            {verb::head, "check/list", 200},
            {verb::get, "%63heck/%6Cist", 200},
            {verb::get, "check/list?includeAlerts=", 200},
            {verb::get, "check/abc", 400},
            {verb::get, "check/-1", 400},
            {verb::get, "check/+1", 400},
            {verb::get, "check/1.0", 400},
            {verb::get, "check/9223372036854775808", 400},
            {verb::get, "check/99999999999999999999", 400},
            {verb::get, "check/9223372036854775807", 404},
            {verb::get, "check/0", 404},
            {verb::get, "check/0000000000000000001", 404},
            {verb::get, "check/abc/alerts", 400},
            {verb::get, "check/1/alerts", 404},
            {verb::delete_, "check/delete/abc", 400},
            {verb::delete_, "probe/delete/1", 404},
            {verb::delete_, "tenant/delete/1", 404},
        };
        install();
        for (const Answered& row : table) {
            CAPTURE(row.target);
            call(row.method, std::string{row.target}, "", row.status);
            CHECK(std::string_view{last["Allow"]} == row.allow);
        }
        // As a proxy may send it.
        auto absolute = request(verb::get, "");
        absolute.target("http://sonde.example.org/api/v1/check/list?includeAlerts=1");
        send(absolute, 200);
    }

    TEST_CASE_FIXTURE(ApiFixture, "an unknown path is no path, with or without a credential")
    {
        token.clear();
        get("nothing", 404);
        call(verb::get, "check/add", "", 405);
        get("check/abc", 400);
    }

    TEST_CASE_FIXTURE(ApiFixture, "who may call: the header")
    {
        constexpr std::string_view missing = "authorization token required";
        constexpr std::string_view unknown = "invalid API authorization token";
        install();
        const std::string& t = token;
        const Authorized table[] = {
            {{"Bearer " + t}, ""},
            {{"bearer   " + t + "  "}, ""},
            {{"BEARER " + t}, ""},
            {{}, missing},
            {{""}, missing},
            {{"Bearer"}, missing},
            {{"Bearer   "}, missing},
            {{t}, missing},
            {{"Basic YTpi"}, missing},
            {{"Bearer\t" + t}, missing},
            {{"Bearer " + t, "Bearer " + t}, missing},
            {{"Bearer nonsense"}, unknown},
            {{"Bearer " + t + "x"}, unknown},
            {{"Bearer " + t + " x"}, unknown},
            {{"Bearer pub-acme"}, unknown},
            {{"Bearer adm-acme"}, unknown},
        };
        for (const Authorized& row : table) {
            HttpRequest request{verb::get, "/api/v1/check/list", 11};
            for (const std::string& each : row.headers)
                request.insert("Authorization", each);
            const json answer = send(request, row.msg.empty() ? 200 : 401);
            if (row.msg.empty())
                continue;
            CAPTURE(row.headers.size());
            CHECK(answer["msg"] == row.msg);
            CHECK(
                answer["err"] == (row.msg == missing ? "missing API token" : "invalid API token"));
            CHECK(last["WWW-Authenticate"] == "Bearer");
        }
    }

    TEST_CASE_FIXTURE(ApiFixture, "every route asks for its credential before anything else")
    {
        install();
        const std::string access = token;
        for (const Route& route : control::all_routes()) {
            const bool in_header =
                route.credential == Credential::access || route.credential == Credential::publisher;
            for (const char* wrong : {"", "nonsense", "adm-acme"}) {
                token = wrong;
                auto call = request(route.method, path_of(route), "{");
                call.set("Content-Type", "text/plain");
                if (in_header)
                    send(call, 401);
            }
            token = route.credential == Credential::publisher ? access : "pub-acme";
            if (in_header)
                send(request(route.method, path_of(route)), 401);
        }
    }

    TEST_CASE_FIXTURE(ApiFixture, "media types")
    {
        const Media table[] = {
            {"application/json", "", 400},
            {"Application/JSON; charset=\"UTF-8\"", "", 400},
            {"application/json;charset=utf-8; profile=x", "identity", 400},
            {"application/json; charset=latin1", "", 415},
            {"application/json; charset=", "", 415},
            {"application/x-www-form-urlencoded", "", 415},
            {"text/plain", "", 415},
            {"application/json", "gzip", 415},
            {"application/json", "identity, gzip", 415},
        };
        install();
        for (const Media& row : table) {
            CAPTURE(row.type);
            auto with_body = request(verb::post, "check/add", "{}");
            auto without = request(verb::post, "token/validate", "whatever");
            for (HttpRequest* each : {&with_body, &without}) {
                each->set("Content-Type", row.type);
                if (!row.encoding.empty())
                    each->set("Content-Encoding", row.encoding);
            }
            send(with_body, row.status);
            send(without, 200);  // the rule is for calls that take a body
        }
        send(request(verb::post, "check/add", "{}"), 400);  // no type at all is JSON
    }

    TEST_CASE_FIXTURE(ApiFixture, "what is no JSON in UTF-8 is refused by all that take a body")
    {
        const std::string deep(65, '[');
        const std::string bodies[] = {"", " ", "{", "nonsense", "{} {}", "{\"a\":\"\xff\"}",
            "\xEF\xBB\xBF{}", R"({"a":"\u0000"})", R"({"\u0000":1})", R"({"a":"\ud800"})",
            R"({"a":01})", R"({"a":)" + deep + std::string(65, ']') + "}", "7", "\"x\"", "null"};
        install();
        const std::string access = token;
        for (const Route& route : control::all_routes()) {
            if (!route.takes_body)
                continue;
            CAPTURE(route.path);
            token = token_for(route, access);
            for (const std::string& body : bodies)
                CHECK(
                    call(route.method, path_of(route), body, 400)["msg"] == "Invalid request body");
            call(route.method, path_of(route), route.bulk ? "{}" : "[]", 400);
        }
    }

    TEST_CASE_FIXTURE(ApiFixture, "a body that is too large")
    {
        install();
        const std::string access = token;
        net::HttpPeer peer;
        peer.too_large = true;
        for (const Route& route : control::all_routes()) {
            if (!route.takes_body)
                continue;
            token = token_for(route, access);
            const json answer = send(request(route.method, path_of(route)), 413, peer);
            CHECK(answer["msg"] == "request body too large");
            CHECK(answer["err"] == "request body too large");
        }
        token = access;
        send(request(verb::post, "token/validate"), 200, peer);
        CHECK(api.body_limit(request(verb::post, "check/add")) == 1U << 20);
        CHECK(api.body_limit(request(verb::post, "check/update/bulk")) == 16U << 20);
        CHECK(api.body_limit(request(verb::get, "check/update/bulk")) == 1U << 20);
        CHECK(api.body_limit(request(verb::post, "nothing")) == 1U << 20);
    }

    TEST_CASE_FIXTURE(ApiFixture, "headers of every answer")
    {
        install();
        for (const auto& [target, status] :
            {std::pair{"check/list", 200}, {"check/7", 404}, {"check/x", 400}, {"nothing", 404}}) {
            auto asking = request(verb::get, target);
            asking.set("X-Client-ID", "terraform\n");
            send(asking, status);
            CHECK(last["Content-Type"] == "application/json; charset=utf-8");
            CHECK(last["Cache-Control"] == "no-store");
            CHECK(last["X-Content-Type-Options"] == "nosniff");
            CHECK(!std::string{last["X-Request-Id"]}.empty());
        }
        auto asking = request(verb::get, "check/list");
        asking.set("X-Request-Id", "abc-1.Z_");
        send(asking, 200);
        CHECK(last["X-Request-Id"] == "abc-1.Z_");
        for (const std::string& useless : {std::string{"a b"}, std::string(129, 'x')}) {
            asking.set("X-Request-Id", useless);
            send(asking, 200);
            CHECK(std::string{last["X-Request-Id"]}.size() == 32);
        }
    }

    TEST_CASE("a fault is 500 without more, a database that is away 503")
    {
        const auto fault = control::refuse(error("internal", "the database refused"), "");
        CHECK(fault.result_int() == 500);
        CHECK(json::parse(fault.body()) ==
              json{{"code", 500}, {"msg", "internal error"}, {"err", "internal error"}});
        CHECK(std::string{fault["Retry-After"]}.empty());
        const auto away = control::refuse(error("unavailable", "commit outcome unknown"), "");
        CHECK(away.result_int() == 503);
        CHECK(json::parse(away.body())["err"] == "commit outcome unknown");
        CHECK(std::string{away["Retry-After"]} == "5");
    }

    TEST_CASE_FIXTURE(ApiFixture, "what one tenant has another does not see")
    {
        install();
        const auto probe = add_probe();
        const json theirs = post("check/add", check(probe));
        const json their_probe = get("probe/" + std::to_string(probe));
        install_other();
        const std::int64_t own = get("tenant")["id"];
        for (const Route& route : control::all_routes())
            if (route.path.find("{id}") != std::string_view::npos)
                call(route.method, path_of(route, "1"), R"({"alerts":[]})", 404);
        for (json body : {theirs, their_probe}) {
            const char* const target = body.contains("job") ? "check/update" : "probe/update";
            post(target, body, 400);  // the tenant is another
            body["tenantId"] = own;
            post(target, body, 404);
        }
        json bulk = theirs;
        bulk["tenantId"] = own;
        post("check/update/bulk", json::array({bulk}), 404);
        get("check/query?job=shop&target=example.org", 404);
        CHECK(get("check/list") == json::array());
        CHECK(get("probe/list") == json::array());
        CHECK(post("check/add", check(probe), 400)["err"] ==
              fmt::format("probes: {} not available", probe));
        CHECK(post("check/add", check(999), 400)["err"] == "probes: 999 not available");
    }
}
