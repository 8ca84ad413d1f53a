#include "tests/support/api_process.h"

#include "tests/support/notify_socket.h"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <string_view>

namespace sonde::tests {
namespace {

std::string binary()
{
    const char* const path = std::getenv("SONDE_BINARY");
    REQUIRE_MESSAGE(path != nullptr, "SONDE_BINARY names the program under test");
    return path;
}

constexpr std::string_view directory = R"(
  directory:
    version: 1
    defaults:
      limits: {max_checks: 0, max_scripted_checks: 0, max_browser_checks: 0, max_metric_labels: 22, max_log_labels: 15}
    organizations:
      - id: 1000
        slug: acme
        name: Acme Inc
        admin_tokens: [{name: setup, value_env: ADMIN_ACME}]
        publisher_tokens: [{name: publisher, value_env: PUBLISHER_ACME, stacks: [3]}]
        hosted_instances:
          - id: 1
            type: prometheus
            name: acme-prom
            url: https://mimir.example.net
            cluster_slug: eu-1
            cluster_name: Europe 1
            description: ""
            status: active
            current_active_series: 0
            current_dpm: 0
            current_usage: 0
            remote_url: https://mimir.example.net/api/v1
            remote_username: "1"
          - {id: 2, type: logs, name: acme-logs, url: "https://loki.example.net", status: active, remote_url: "https://loki.example.net/loki/api/v1"}
        stacks:
          - {id: 3, slug: acme, name: Acme, metrics_instance_id: 1, logs_instance_id: 2}
      - id: 1001
        slug: beta
        name: Beta
        admin_tokens: [{name: setup, value_env: ADMIN_BETA}]
        publisher_tokens: [{name: publisher, value_env: PUBLISHER_BETA, stacks: "*"}]
        hosted_instances:
          - {id: 11, type: prometheus, name: beta-prom, url: "https://mimir.beta.example.net", status: active, viewer_token: {value_env: VIEWER_BETA}}
          - {id: 12, type: logs, name: beta-logs, url: "https://loki.beta.example.net", status: active}
        stacks: [{id: 9, slug: beta, name: Beta, metrics_instance_id: 11, logs_instance_id: 12, publisher_token: {value_env: PUBLISHER_BETA}}]
      - id: 1002
        slug: gamma
        name: Gamma
        admin_tokens: [{name: setup, value_env: ADMIN_GAMMA}]
        publisher_tokens: [{name: publisher, value_env: PUBLISHER_GAMMA, stacks: [12]}]
        hosted_instances:
          - {id: 21, type: prometheus, name: gamma-prom, url: "https://mimir.gamma.example.net"}
          - {id: 22, type: logs, name: gamma-logs, url: "https://loki.gamma.example.net"}
        stacks: [{id: 12, slug: gamma, name: Gamma, limits: {max_checks: 1}}]
)";

}  // namespace

ApiProcess::ApiProcess(const std::string& options)
{
    std::filesystem::create_directory(folder_.path("state"));
    const std::string listeners = fmt::format(R"(state_dir: {}
log: {{level: debug}}
status: {{listen: "127.0.0.1:{}"}}
control:
  http: {{listen: ["127.0.0.1:{}"]}}
  grpc: {{listen: ["127.0.0.1:{}"]}}
)",
        folder_.path("state"), status_port_, http_port_, grpc_port_);
    folder_.write("sonde.yaml", listeners + options + std::string{directory});
    start();
}

void ApiProcess::start()
{
    const NotifySocket notifications{folder_.path("notify")};
    sonde_.emplace(
        std::vector<std::string>{binary(), "run", "--config", folder_.path("sonde.yaml")},
        folder_.path("log"),
        std::vector<std::string>{notifications.variable(), "ADMIN_ACME=adm-acme",
            "PUBLISHER_ACME=pub-acme", "ADMIN_BETA=adm-beta", "PUBLISHER_BETA=pub-beta",
            "VIEWER_BETA=view-beta", "ADMIN_GAMMA=adm-gamma", "PUBLISHER_GAMMA=pub-gamma"});
    REQUIRE_MESSAGE(notifications.await("READY=1"), sonde_->output());
    int status = 0;
    http("GET", fmt::format("http://127.0.0.1:{}/ready", status_port_), &status);
    REQUIRE(status == 200);
}

std::string ApiProcess::grpc_address() const
{
    return fmt::format("127.0.0.1:{}", grpc_port_);
}

std::string ApiProcess::metrics() const
{
    return http("GET", fmt::format("http://127.0.0.1:{}/metrics", status_port_));
}

std::string ApiProcess::content_of_state() const
{
    std::string out;
    for (const auto& each : std::filesystem::recursive_directory_iterator{folder_.path("state")})
        if (each.is_regular_file())
            out += each.path().filename().string() + "\n" + content_of(each.path().string()) + "\n";
    return out;
}

int ApiProcess::stop()
{
    sonde_->signal(SIGTERM);
    return sonde_->wait();
}

}  // namespace sonde::tests
