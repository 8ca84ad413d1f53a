// The HTTP API behind its own server, and the directory's file beside it.
#include "agent/control/control.h"
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"
#include "tests/unit/agent/control/api_fixture.h"
#include "tests/unit/agent/control/series.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <prometheus/registry.h>

#include <thread>

using namespace sonde;
using namespace sonde::tests;

namespace {

/// A control plane on a loop of its own, with the directory in a file.
struct Listening {
    ScratchFolder folder;
    TestDatabase database{folder};
    asio::io_context loop;
    asio::executor_work_guard<asio::io_context::executor_type> open{loop.get_executor()};
    asio::thread_pool workers{2};
    prometheus::Registry registry;
    std::unique_ptr<control::Control> control;
    std::jthread thread;
    int status = 0;

    Listening()
    {
        config::ControlConfig config;
        config.http.listen = {{"127.0.0.1", 0}};
        config.grpc.listen = {{"127.0.0.1", 0}};
        config.allow_inline_secrets = true;
        config.directory_file = write(directory_of_two);
        database.put_into(config);
        control =
            std::make_unique<control::Control>(loop.get_executor(), workers, config, registry);
        const auto started = control->start();
        REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
        thread = std::jthread{[this] { loop.run(); }};
    }
    ~Listening()
    {
        asio::co_spawn(loop, control->stop(), asio::use_future).get();
        open.reset();
        thread.join();
        control.reset();
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    std::string write(std::string_view directory) const
    {
        return folder.write("directory.yaml", with_digests(std::string{directory}));
    }

    void reload()
    {
        asio::post(loop, [this] { control->reload_directory(); });
    }

    std::string call(const std::string& method, const std::string& target,
        std::vector<std::string> headers = {}, const std::string& body = "")
    {
        const auto url =
            fmt::format("http://127.0.0.1:{}/api/v1/{}", control->http_ports().front(), target);
        if (!body.empty())
            headers.emplace_back("Content-Type: application/json");
        return http(method, url, &status, headers, body);
    }

    /// All that is answered to these bytes.
    std::string say(std::string_view bytes) const
    {
        asio::io_context here;
        asio::ip::tcp::socket socket{here};
        socket.connect({asio::ip::address_v4::loopback(), control->http_ports().front()});
        asio::write(socket, asio::buffer(bytes));
        std::string heard;
        boost::system::error_code ended;
        asio::read(socket, asio::dynamic_buffer(heard), ended);
        CHECK(ended == asio::error::eof);
        return heard;
    }

    /// The organisations' tenants, as their admin sees them.
    int describe(const char* admin)
    {
        call("POST", "register/describe", {}, json{{"apiToken", admin}}.dump());
        return status;
    }
};

}  // namespace

TEST_SUITE("agent/control/listening")
{
    TEST_CASE_FIXTURE(Listening, "how large a body may be depends on the path")
    {
        const std::string installed =
            call("POST", "register/install", {"Authorization: Bearer pub-acme"},
                R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})");
        REQUIRE(status == 200);
        const std::string token = json::parse(installed)["accessToken"];
        const std::vector<std::string> headers{"Authorization: Bearer " + token};
        const std::string large((1 << 20) + 1, ' ');
        const std::string refused = call("POST", "check/add", headers, large);
        CHECK(status == 413);
        CHECK(json::parse(refused)["err"] == "request body too large");
        call("POST", "check/update/bulk", headers, large);
        CHECK(status == 400);
        call("POST", "token/validate", headers, large);  // not even looked at
        CHECK(status == 200);
    }

    TEST_CASE_FIXTURE(Listening, "what is no request is answered with the headers of every answer")
    {
        const std::string heard = say("no HTTP at all\r\n\r\n");
        CAPTURE(heard);
        CHECK(heard.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        for (const char* header : {"X-Content-Type-Options: nosniff\r\n",
                 "Cache-Control: no-store\r\n", "X-Request-Id: "})
            CHECK(heard.find(header) != std::string::npos);
    }

    TEST_CASE_FIXTURE(Listening, "the directory is read again on demand; one with problems is not")
    {
        CHECK(describe("adm-beta") == 200);
        std::string changed = directory_of_two;
        changed.replace(changed.find("adm-beta"), 8, "adm-next");
        write(changed);
        reload();
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (describe("adm-next") != 200)
            REQUIRE(std::chrono::steady_clock::now() < limit);
        CHECK(describe("adm-beta") == 401);
        write("version: 2\n");
        reload();
        CHECK(describe("adm-next") == 200);
        write(directory_of_two);
        reload();
        while (describe("adm-beta") != 200)
            REQUIRE(std::chrono::steady_clock::now() < limit);
    }

    TEST_CASE_FIXTURE(Listening, "a directory that is refused shows in the metrics")
    {
        constexpr auto info = "sonde_control_directory_info";
        constexpr auto loaded = "sonde_control_directory_loaded";
        constexpr auto errors = "sonde_control_directory_load_errors_total";
        const auto first = series_of(registry, info);
        CHECK(first.size() == 1);
        CHECK(value_of(registry, loaded) == 1);
        CHECK(value_of(registry, errors) == 0);
        write("version: 2\n");
        reload();
        await_value(registry, 0, loaded);
        CHECK(value_of(registry, errors) >= 1);
        CHECK(series_of(registry, info) == first);
        write(std::string{directory_of_two} + "# another text\n");
        reload();
        await_value(registry, 1, loaded);
        CHECK(series_of(registry, info).size() == 1);
        CHECK(series_of(registry, info) != first);
    }

    TEST_CASE_FIXTURE(Listening, "of readings asked for at once the last text stays in force")
    {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        for (const char* admin : {"adm-one", "adm-two", "adm-three"}) {
            std::string changed = directory_of_two;
            changed.replace(changed.find("adm-beta"), 8, admin);
            write(changed);
            reload();
        }
        while (describe("adm-three") != 200)
            REQUIRE(std::chrono::steady_clock::now() < limit);
        for (const char* older : {"adm-beta", "adm-one", "adm-two"})
            CHECK(describe(older) == 401);
    }
}
