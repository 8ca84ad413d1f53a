#include "tests/replicas/control_plane.h"

#include "agent/base/text.h"
#include "tests/support/postgresql.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sqlite3.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace sonde::tests {
namespace {

std::string binary()
{
    const char* const path = std::getenv("SONDE_BINARY");
    REQUIRE_MESSAGE(path != nullptr, "SONDE_BINARY names the program under test");
    return path;
}

std::string postgresql_value(const std::string& url, const std::string& statement)
{
    const char* const names[] = {"dbname", "password", nullptr};
    const char* const values[] = {url.c_str(), Postgresql::password, nullptr};
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{
        PQconnectdbParams(names, values, 1), &PQfinish};
    REQUIRE_MESSAGE(PQstatus(connection.get()) == CONNECTION_OK, PQerrorMessage(connection.get()));
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{
        PQexec(connection.get(), statement.c_str()), &PQclear};
    const auto status = PQresultStatus(result.get());
    REQUIRE_MESSAGE((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK),
        PQerrorMessage(connection.get()));
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

std::string sqlite_value(const std::string& file, const std::string& statement)
{
    sqlite3* opened = nullptr;
    REQUIRE(sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database{opened, &sqlite3_close};
    sqlite3_busy_timeout(opened, 10'000);
    struct First {
        bool done = false;
        std::string value;
    } first;
    const auto take = [](void* into, int, char** values, char**) {
        auto& result = *static_cast<First*>(into);
        if (!std::exchange(result.done, true) && values[0] != nullptr)
            result.value = values[0];
        return 0;
    };
    const int status = sqlite3_exec(opened, statement.c_str(), take, &first, nullptr);
    REQUIRE_MESSAGE(status == SQLITE_OK, sqlite3_errmsg(opened));
    return first.value;
}

}  // namespace

std::string to_string(DatabaseKind kind)
{
    return kind == DatabaseKind::sqlite ? "SQLite" : "PostgreSQL";
}

bool await(const std::function<bool()>& happened)
{
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    bool yes = happened();
    for (; !yes && std::chrono::steady_clock::now() < until; yes = happened())
        ::poll(nullptr, 0, 10);
    return yes;
}

ControlDatabase::ControlDatabase(DatabaseKind kind) : kind_{kind}
{
    const std::string key(32, 'k');
    folder_.write("secrets.key", "1:" + text::base64(key) + "\n");
    url_ = kind == DatabaseKind::sqlite ? "sqlite:" + folder_.path("control.db")
                                        : Postgresql::cluster().new_database();
}

std::string ControlDatabase::sql(const std::string& statement) const
{
    return kind_ == DatabaseKind::sqlite ? sqlite_value(folder_.path("control.db"), statement)
                                         : postgresql_value(url_, statement);
}

void ControlDatabase::prune() const
{
    sql("BEGIN; UPDATE change_counter SET pruned = value; DELETE FROM change_log WHERE version <= "
        "(SELECT pruned FROM change_counter); COMMIT");
}

void ControlDatabase::expire_leases() const
{
    sql("UPDATE probes SET lease_until_us = 0");
}

ControlPlane::ControlPlane(const ControlDatabase& database, std::size_t max_backlog)
    : database_{database}
{
    std::filesystem::create_directory(folder_.path("state"));
    folder_.write("sonde.yaml", yaml(max_backlog));
}

std::string ControlPlane::yaml(std::size_t max_backlog) const
{
    const std::string password = database_.kind() == DatabaseKind::sqlite
                                     ? ""
                                     : fmt::format(", password_file: \"{}\"",
                                           folder_.write("password", Postgresql::password));
    return fmt::format(R"(state_dir: {}
log: {{level: info}}
status: {{listen: "127.0.0.1:{}"}}
control:
  http: {{listen: ["127.0.0.1:{}"]}}
  grpc: {{listen: ["127.0.0.1:{}"]}}
  database: {{url: "{}"{}}}
  secrets: {{key_file: "{}"}}
  presence: {{lease: 30s}}
  changes: {{max_backlog: {}}}
  directory:
    version: 1
    organizations:
      - id: 1000
        slug: test
        name: Test
        publisher_tokens: [{{name: t, value_env: TEST_PUBLISHER, stacks: [3]}}]
        hosted_instances:
          - {{id: 1, type: prometheus, name: m, url: "https://mimir.example.net"}}
          - {{id: 2, type: logs, name: l, url: "https://loki.example.net"}}
        stacks: [{{id: 3, slug: test, name: Test}}]
)",
        folder_.path("state"), status_port_, http_port_, grpc_port_, database_.url(), password,
        database_.key_file(), max_backlog);
}

void ControlPlane::launch()
{
    if (sonde_)
        log_ += sonde_->output();
    sonde_.emplace(
        std::vector<std::string>{binary(), "run", "--config", folder_.path("sonde.yaml")},
        folder_.path("log"), std::vector<std::string>{"TEST_PUBLISHER=publisher-secret"});
}

void ControlPlane::start()
{
    launch();
    await_answer();
}

void ControlPlane::await_answer()
{
    const ApiClient anybody{http_port_, "none"};
    const bool up = await([&] { return anybody.call("GET", "tenant").status == 401; });
    REQUIRE_MESSAGE(up, sonde_->output());
}

void ControlPlane::kill()
{
    sonde_->signal(SIGKILL);
    sonde_->wait();
}

int ControlPlane::stop()
{
    sonde_->signal(SIGTERM);
    return sonde_->wait();
}

std::string ControlPlane::grpc_address() const
{
    return fmt::format("127.0.0.1:{}", grpc_port_);
}

std::string register_tenant(const ControlPlane& at)
{
    const ApiClient publisher{at.http_port(), "publisher-secret"};
    const auto answer = publisher.call("POST", "register/install",
        R"({"stackId": 3, "metricsInstanceId": 1, "logsInstanceId": 2})");
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return nlohmann::json::parse(answer.body).at("accessToken");
}

}  // namespace sonde::tests
