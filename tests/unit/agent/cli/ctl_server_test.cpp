// `sonde ctl` against servers that are slow, wrong, or somebody else.
#include "agent/net/http_server.h"
#include "tests/support/test_ca.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <boost/beast/http/status.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <map>

using namespace sonde;
namespace asio = boost::asio;
using nlohmann::json;
using tests::CliFixture;
using Words = std::vector<std::string>;

namespace {

/// An API that answers as a test says; what it knows nothing of is 404.
struct ServerFixture : CliFixture {
    struct Answer {
        unsigned status = 200;
        std::string body = "[]";
        std::string location = {};
    };
    std::map<std::string, Answer> answers;  ///< by "METHOD resource"
    Words asked;                            ///< the same, in order
    std::string authorization;
    net::HttpServer server{loop.get_executor(),
        [this](const net::HttpRequest& request, const net::HttpPeer&) { return serve(request); }};
    std::string token = folder.write("token", "t0ken");

    ~ServerFixture()
    {
        server.stop();
        loop.restart();
        loop.run();
    }

    asio::awaitable<net::HttpReply> serve(const net::HttpRequest& request)
    {
        constexpr std::string_view prefix = "/api/v1/";
        std::string target{request.target()};
        if (target.starts_with(prefix))
            target.erase(0, prefix.size());
        asked.push_back(std::string{request.method_string()} + ' ' + target);
        authorization = request["Authorization"];
        const auto found = answers.find(asked.back());
        const Answer answer = found == answers.end() ? Answer{404, "no such page"} : found->second;
        net::HttpReply reply{boost::beast::http::int_to_status(answer.status), 11};
        if (!answer.location.empty())
            reply.set("Location", answer.location);
        reply.body() = answer.body;
        reply.prepare_payload();
        co_return reply;
    }

    std::string plain()
    {
        return fmt::format("http://127.0.0.1:{}", *server.listen({"127.0.0.1", 0}));
    }

    tests::Outcome ctl(const std::string& url, Words words)
    {
        words.insert(words.begin(), "ctl");
        words.insert(words.end(),
            {"--url", url, "--token-file", token, "--config", folder.write("none.yaml", "")});
        return sonde(std::move(words));
    }
};

}  // namespace

TEST_SUITE("cli/ctl/server")
{
    TEST_CASE_FIXTURE(ServerFixture, "a long list comes whole")
    {
        json list = json::array();
        for (int i = 1; i <= 3000; ++i)
            list.push_back({{"id", i}, {"job", fmt::format("job-{}", i)}, {"target", "example.org"},
                {"settings", {{"ping", json::object()}}}});
        answers["GET check/list"] = {200, list.dump()};
        CHECK(list.dump().size() > 200'000);
        const auto outcome = ctl(plain(), {"check", "list", "--json"});
        CHECK(outcome.error == "");
        CHECK(outcome.out == list.dump() + "\n");
        CHECK(authorization == "Bearer t0ken");
    }

    TEST_CASE_FIXTURE(ServerFixture, "TLS is verified, with the system's trust store or --ca-file")
    {
        answers["GET probe/list"] = {};
        const tests::TestCa ca;
        const auto files = tests::write(folder, "server", ca.issue({.names = {"127.0.0.1"}}));
        const auto port = server.listen({"127.0.0.1", 0}, {files.certificate_file, files.key_file});
        REQUIRE(port.has_value());
        const std::string url = fmt::format("https://127.0.0.1:{}", *port);
        const auto refused = ctl(url, {"probe", "list"});
        CHECK(refused.status == 1);
        CHECK(refused.error.find("certificate") != std::string::npos);
        CHECK(asked.empty());
        const auto ca_file = folder.write("ca.pem", ca.certificate());
        const auto trusted = ctl(url, {"probe", "list", "--json", "--ca-file", ca_file});
        CHECK(trusted.error == "");
        CHECK(trusted.out == "[]\n");
        const auto other = folder.write("other.pem", tests::TestCa{"another"}.certificate());
        CHECK(ctl(url, {"probe", "list", "--ca-file", other}).status == 1);
    }

    TEST_CASE_FIXTURE(ServerFixture, "answers that are none of the API's")
    {
        const std::tuple<Answer, std::string_view> table[] = {
            {{302, "", "http://127.0.0.1:1/"}, "302 a redirect, which is not followed"},
            {{200, "<html>"}, "the answer is no JSON"},
            {{200, "{}"}, "not a JSON array"},
            {{200, "[{\"id\":\"x\"}]"}, "id: "},
            {{415, ""}, "is this its HTTP address?"},
            {{403, R"({"code":403,"msg":"no right","err":"right missing"})"},
                "403 no right: right missing"},
            {{500, R"({"code":500,"msg":"a\u001b[31mb","err":"a\u001b[31mb"})"}, "500 a [31mb"},
            {{401, R"({"code":401,"msg":"m","err":"e"})"}, "401 the API refuses the token: m: e"},
        };
        const std::string url = plain();
        for (const auto& [answer, said] : table) {
            CAPTURE(said);
            answers["GET check/list"] = answer;
            const auto outcome = ctl(url, {"check", "list"});
            CAPTURE(outcome.error);
            CHECK(outcome.status == 1);
            CHECK(outcome.out == "");
            CHECK(outcome.error.find(said) != std::string::npos);
            CHECK(outcome.error.find("t0ken") == std::string::npos);
        }
    }

    TEST_CASE_FIXTURE(ServerFixture, "apply stops when the API is in trouble, and says where")
    {
        answers["GET tenant"] = {200, R"({"id":2})"};
        answers["GET probe/list"] = {200, R"([{"id":1,"tenantId":2,"name":"mine"}])"};
        answers["GET check/list"] = {};
        answers["POST check/add"] = {503, R"({"code":503,"msg":"try later","err":"busy"})"};
        const auto file = folder.write("c.yaml",
            "[{job: a, target: example.org, probes: [mine], settings: {ping: {}}}, "
            "{job: b, target: example.org, probes: [mine], settings: {ping: {}}}]");
        const auto outcome = ctl(plain(), {"apply", "-f", file});
        CHECK(outcome.status == 1);
        CHECK(outcome.out.find("FAILED to add check a/example.org: POST check/add: 503 try later: "
                               "busy; it may have been done all the same\n"
                               "not tried: add check b/example.org\n") != std::string::npos);
        CHECK(outcome.error == "sonde ctl: 0 done, 1 failed, 1 not tried; what is done stays, and "
                               "apply can be run again\n");
        // One that cannot judge in advance is asked to just once.
        CHECK(asked == Words{"GET tenant", "GET probe/list", "GET check/list",
                           "POST check/validate", "POST check/add"});
    }

    TEST_CASE_FIXTURE(ServerFixture, "a public probe of somebody else is shown from the list")
    {
        answers["GET probe/list"] = {
            200, R"([{"id":7,"tenantId":1,"name":"ams","public":true,"online":true}])"};
        const auto one = ctl(plain(), {"probe", "get", "ams"});
        CHECK(one.status == 0);
        CHECK(one.out.find("whose     public\n") != std::string::npos);
        CHECK(asked == Words{"GET probe/list"});
    }
}
