#pragma once

#include "agent/control/api.h"
#include "agent/control/metrics.h"
#include "tests/support/loop.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <prometheus/registry.h>

#include <string>

namespace sonde::tests {

using boost::beast::http::verb;
using control::HttpReply;
using control::HttpRequest;
using nlohmann::json;

/// Two organisations: acme may install stack 3, beta has what the older calls need. SHA[…] stands
/// for the digest of a token.
inline constexpr auto directory_of_two = R"(version: 1
organizations:
  - id: 1000
    slug: acme
    name: Acme Inc
    admin_tokens:
      - {name: a, sha256: "SHA[adm-acme]"}
    publisher_tokens:
      - {name: p, sha256: "SHA[pub-acme]", stacks: [3]}
    hosted_instances:
      - {id: 1, type: prometheus, name: acme-prom, url: "https://mimir.example.net"}
      - {id: 2, type: logs, name: acme-logs, url: "https://loki.example.net"}
      - {id: 5, type: prometheus, name: other, url: "https://other.example.net"}
    stacks:
      - {id: 3, slug: acme, name: Acme, metrics_instance_id: 1, logs_instance_id: 2}
      - {id: 4, slug: more, name: More}
  - id: 1001
    slug: beta
    name: Beta
    admin_tokens:
      - {name: a, sha256: "SHA[adm-beta]"}
    publisher_tokens:
      - {name: p, sha256: "SHA[pub-beta]", stacks: "*"}
    hosted_instances:
      - {id: 11, type: prometheus, name: beta-prom, url: "https://m.example.org",
         viewer_token: {value: see-all}}
      - {id: 12, type: logs, name: beta-logs, url: "https://l.example.org"}
    stacks:
      - {id: 9, slug: beta, name: Beta, metrics_instance_id: 11, logs_instance_id: 12,
         publisher_token: {value: pub-beta}}
)";

inline std::string with_digests(std::string text)
{
    constexpr std::string_view mark = "SHA[";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
        const auto end = text.find(']', at);
        const auto token = text.substr(at + mark.size(), end - at - mark.size());
        text.replace(at, end + 1 - at, control::sha256_hex(token));
    }
    return text;
}

/// The API over a database of its own, called without a network.
struct ApiFixture {
    asio::io_context loop;
    boost::asio::thread_pool workers{2};
    ScratchFolder folder;
    TestDatabase database{folder};
    config::ControlConfig config;
    control::Feed feed{loop.get_executor()};
    control::Store store{workers, feed};
    std::shared_ptr<const control::Directory> directory;
    prometheus::Registry registry;
    control::Metrics metrics{registry};
    control::Api api{control::ApiParts{store, config, [this] { return directory; }, metrics}};
    std::string token;
    HttpReply last;

    ApiFixture()
    {
        config.allow_inline_secrets = true;
        use_directory(directory_of_two);
        const auto opened = store.open(database.database(), database.seal());
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message));
        token = "pub-acme";
    }

    void use_directory(const std::string& text)
    {
        config.directory = with_digests(text);
        auto loaded = control::Directory::load(config);
        REQUIRE_MESSAGE(loaded.has_value(), (loaded ? std::string{} : loaded.error().message));
        directory = *loaded;
    }

    /// The directory with some of its text replaced.
    void change_directory(std::string_view from, std::string_view to)
    {
        std::string text = config.directory;
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        use_directory(text.replace(at, from.size(), to));
    }

    json call(
        verb method, const std::string& target, const std::string& body = "", int expected = 200)
    {
        return send(request(method, target, body), expected);
    }

    HttpRequest request(verb method, const std::string& target, const std::string& body = "") const
    {
        HttpRequest out{method, "/api/v1/" + target, 11};
        if (!token.empty())
            out.set("Authorization", "Bearer " + token);
        out.body() = body;
        return out;
    }

    json send(const HttpRequest& request, int expected, const net::HttpPeer& peer = {})
    {
        last = await(loop, api.handle(request, peer), std::chrono::seconds{60});
        CAPTURE(std::string{request.target()});
        CAPTURE(request.body());
        CAPTURE(last.body());
        CHECK(last.result_int() == static_cast<unsigned>(expected));
        json answer = json::parse(last.body(), nullptr, false);
        if (expected >= 400) {  // spec 04 §1.8: all three, always
            CHECK(answer["code"] == expected);
            CHECK(!answer["msg"].get<std::string>().empty());
            CHECK(!answer["err"].get<std::string>().empty());
        }
        return answer;
    }

    json get(const std::string& target, int expected = 200)
    {
        return call(verb::get, target, "", expected);
    }

    json post(const std::string& target, const json& body, int expected = 200)
    {
        return call(verb::post, target, body.dump(), expected);
    }

    json put(const std::string& target, const json& body, int expected = 200)
    {
        return call(verb::put, target, body.dump(), expected);
    }

    void install()
    {
        token = "pub-acme";
        token = post("register/install",
            {{"stackId", 3}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}})["accessToken"];
    }

    /// The tenant of the other organisation; its token is used from now on.
    void install_other()
    {
        token = "pub-beta";
        token = post("register/install",
            {{"stackId", 9}, {"metricsInstanceId", 11}, {"logsInstanceId", 12}})["accessToken"];
    }

    std::int64_t add_probe(const std::string& name = "mine")
    {
        return post("probe/add",
            {{"name", name}, {"latitude", 41.40338}, {"longitude", 2.17403}})["probe"]["id"];
    }

    static json check(std::int64_t probe, const std::string& job = "shop")
    {
        return {{"job", job}, {"target", "example.org"}, {"frequency", 10000}, {"timeout", 3000},
            {"enabled", true}, {"probes", {probe}},
            {"labels", {{{"name", "team"}, {"value", "web"}}}},
            {"settings", {{"ping", json::object()}}}};
    }
};

}  // namespace sonde::tests
