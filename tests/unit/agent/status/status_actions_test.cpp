// What the process can be asked to do, where its options allow it, over HTTP.
#include "tests/unit/agent/status/status_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;

TEST_SUITE("status/actions")
{
    TEST_CASE_FIXTURE(AllOn, "a page in a browser cannot have the daemon do anything")
    {
        const std::pair<std::string, std::string> origin{"Origin", "http://localhost:4050"};
        const Ask refused[] = {
            {verb::post, "/disconnect", {origin}},
            {verb::post, "/logger", {{"Origin", "null"}}, "debug"},
            {verb::post, "/-/reload", {origin}},
            {verb::post, "/-/reload", {{"Sec-Fetch-Site", "cross-site"}}},
            {verb::get, "/disconnect", {origin}},
            {verb::get, "/disconnect", {{"Sec-Fetch-Site", "none"}}},
            {verb::get, "/disconnect", {{"User-Agent", "Mozilla/5.0 (X11; Linux)"}}},
        };
        for (const Ask& each : refused) {
            CAPTURE(each.target);
            const auto reply = ask(each);
            CHECK(reply.result_int() == 403);
            CHECK(reply.body() == "not from a browser\n");
        }
        CHECK(disconnects + reloads == 0);
        CHECK(ask({verb::get, "/metrics", {origin}}).result_int() == 200);
        CHECK(ask({verb::get, "/results", {origin}}).result_int() == 200);
        CHECK(ask({verb::get, "/disconnect", {{"User-Agent", "curl/7.88.1"}}}).result_int() == 200);
    }

    TEST_CASE_FIXTURE(AllOn, "/disconnect says for how long; without a session there is a conflict")
    {
        const std::pair<std::chrono::milliseconds, const char*> table[] = {
            {60s, "1 minute"}, {300s, "5 minutes"}, {1s, "1 second"}, {90s, "90 seconds"}};
        for (const auto& [time, words] : table) {
            away = time;
            CHECK(post("/disconnect").body() ==
                  fmt::format("disconnecting this agent from the API for {}.\n", words));
        }
        away = 0s;
        const auto none = post("/disconnect");
        CHECK(none.result_int() == 409);
        CHECK(none.body() == "there is no session with an API\n");
    }

    TEST_CASE_FIXTURE(
        AllOn, "/logger: the first ten bytes, in any case, are a level or \"default\"")
    {
        log::configure(log::Level::error, log::Format::text);
        const auto lines = [] {
            constexpr log::Logger logger{"test"};
            const Logged logged;
            logger.warning("w");
            logger.info("i");
            logger.debug("d");
            const std::string text = logged.text();
            return std::count(text.begin(), text.end(), '\n');
        };
        const std::pair<const char*, int> table[] = {{"warning", 1}, {"info", 2}, {"debug", 3},
            {"trace", 3}, {"error", 0}, {" DEBUG\r\n", 3}, {"Default", 0},
            {"info\n\n\n\n\n\nmore", 2}, {"default", 0}};
        for (const auto& [word, count] : table) {
            CAPTURE(word);
            const auto reply = post("/logger", word);
            CHECK(reply.result_int() == 200);
            CHECK(reply.body() == "");
            CHECK(lines() == count);
        }
        for (const char* word : {"", "warn", "verbose", "debug it", "default trace", "0"}) {
            CAPTURE(word);
            const auto reply = post("/logger", word);
            CHECK(reply.result_int() == 400);
            CHECK(reply.body().ends_with(
                " is not one of error, warning, info, debug, trace, default\n"));
            CHECK(lines() == 0);
        }
        CHECK(post("/logger", std::string(5000, 'x')).result_int() == 413);
    }

    TEST_CASE_FIXTURE(AllOn, "/-/reload: applied, refused with all problems, or failed")
    {
        const auto applied = post("/-/reload");
        CHECK(applied.result_int() == 200);
        CHECK(applied.body() == "reloaded\n");
        problems = {"sonde.yaml:3: api.adress: is not an option", "status.listen: needs a restart"};
        const auto refused = post("/-/reload");
        CHECK(refused.result_int() == 400);
        CHECK(refused.body() == problems[0] + "\n" + problems[1] + "\n");
        broken = true;
        const auto failed = post("/-/reload");
        CHECK(failed.result_int() == 500);
        CHECK(failed.body() == "the disk has gone\n");
        broken = false;
        problems.clear();
        CHECK(post("/-/reload").result_int() == 200);
    }

    TEST_CASE_FIXTURE(AllOn, "one reload at a time; other questions are answered meanwhile")
    {
        meanwhile = Ask{verb::post, "/-/reload"};
        CHECK(post("/-/reload").result_int() == 200);
        CHECK(said_meanwhile == "a reload is in progress\n");
        CHECK(reloads == 1);
        meanwhile = Ask{verb::get, "/live"};
        CHECK(post("/-/reload").result_int() == 200);
        CHECK(said_meanwhile == "live\n");
    }

    TEST_CASE("what is allowed and not there for this daemon says so")
    {
        asio::io_context loop;
        prometheus::Registry registry;
        status::StatusServer server{
            loop.get_executor(), registry, all_on(), {[] { return std::string{}; }}};
        const auto port = server.listen({"127.0.0.1", 0});
        REQUIRE(port.has_value());
        const auto status_of = [&](const Ask& what) {
            return tests::await(loop, exchange(*port, what)).result_int();
        };
        CHECK(status_of({verb::post, "/disconnect"}) == 409);
        CHECK(status_of({verb::post, "/-/reload"}) == 400);
        CHECK(status_of({verb::get, "/results"}) == 200);
        server.stop();
        loop.restart();
        loop.poll();
    }
}
