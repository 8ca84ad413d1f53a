#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using control::AuthThrottle;

TEST_SUITE("agent/control/api")
{
    TEST_CASE("refusals are counted by client and minute")
    {
        AuthThrottle throttle{2};
        const AuthThrottle::Clock::time_point start{};
        const auto refused = [&](const char* client, std::chrono::milliseconds after) {
            return throttle.refused(make_address(client), start + after);
        };
        CHECK_FALSE(refused("192.0.2.1", 0s).has_value());
        CHECK_FALSE(refused("::ffff:192.0.2.1", 1s).has_value());
        CHECK(refused("192.0.2.1", 10500ms) == std::optional{50s});
        CHECK_FALSE(refused("192.0.2.2", 11s).has_value());
        CHECK(refused("192.0.2.1", 59s) == std::optional{1s});
        CHECK_FALSE(refused("192.0.2.1", 60s).has_value());
        // One site has the lower half of an IPv6 address to itself.
        CHECK_FALSE(refused("2001:db8::1", 60s).has_value());
        CHECK_FALSE(refused("2001:db8::ffff:1", 60s).has_value());
        CHECK(refused("2001:db8::2", 60s).has_value());
        CHECK_FALSE(refused("2001:db8:0:1::2", 60s).has_value());
    }

    TEST_CASE("the oldest client is forgotten, and off is off")
    {
        AuthThrottle throttle{0, 2};
        const AuthThrottle::Clock::time_point now{};
        for (const char* client : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"})
            CHECK(throttle.refused(make_address(client), now).has_value());
        AuthThrottle renewed{1, 2};
        const auto refused = [&](const char* client, std::chrono::seconds after) {
            return renewed.refused(make_address(client), now + after).has_value();
        };
        CHECK_FALSE(refused("192.0.2.1", 0s));
        CHECK_FALSE(refused("192.0.2.2", 1s));
        CHECK_FALSE(refused("192.0.2.1", 60s));  // whose count has begun anew, after the other's
        CHECK_FALSE(refused("192.0.2.3", 60s));
        CHECK(refused("192.0.2.1", 60s));
        AuthThrottle off{std::nullopt};
        for (int i = 0; i < 1000; ++i)
            CHECK_FALSE(off.refused(make_address("192.0.2.1"), now).has_value());
    }

    TEST_CASE_FIXTURE(ApiFixture, "who guesses is told to wait; a right token passes")
    {
        config.auth_failures_per_minute = 3;
        control::Api throttled{
            control::ApiParts{store, config, [this] { return directory; }, metrics}};
        net::HttpPeer peer;
        peer.address = make_address("192.0.2.1");
        const auto status = [&](const std::string& target, const std::string& body = "") {
            const auto asking = request(body.empty() ? verb::get : verb::post, target, body);
            last = await(loop, throttled.handle(asking, peer));
            return last.result_int();
        };
        install();
        const std::string right = token;
        token = "wrong";
        CHECK(status("check/list") == 401);
        CHECK(status("register/init", R"({"apiToken":"wrong"})") == 401);
        CHECK(status("check/list") == 401);
        CHECK(status("check/list") == 429);
        CHECK(std::stoi(std::string{last["Retry-After"]}) > 0);
        CHECK(json::parse(last.body())["code"] == 429);
        CHECK(status("register/init", R"({"apiToken":"wrong"})") == 429);
        token = right;
        CHECK(status("check/list") == 200);
        token = "wrong";
        peer.address = make_address("192.0.2.2");
        CHECK(status("check/list") == 401);
    }
}
