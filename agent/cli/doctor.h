#pragma once

#include "config/agent_config.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace sonde::cli {

/// One thing that this host, its configuration or its network was tried for.
struct Finding {
    enum class State { ok, warning, bad, skipped };

    std::string_view subject;  ///< "icmp", "token", "journal"
    State state = State::ok;
    std::string said;
    std::string fix;  ///< one line that mends it; empty when nothing is to be done
};
using Findings = std::vector<Finding>;

/// ICMP privilege, the resolver and the clock: what every probe needs of its host.
Findings examine_host(const config::AgentConfig& config);
/// The folders the daemon writes to, and what the journal holds.
Findings examine_disk(const config::AgentConfig& config);
/// The API: its address, TLS and the token.
Findings examine_api(const config::AgentConfig& config);
/// Where results go: reachable, through which proxy, with which credentials. Writes nothing there.
Findings examine_remotes(const config::AgentConfig& config);

/// For people, or as JSON.
std::string render_findings(const Findings& findings, bool json);

/// `sonde doctor`: tries what the daemon will need, each thing for real.
class DoctorVerb {
public:
    DoctorVerb(CLI::App& app, std::string config_file);

    bool parsed() const;
    int run() const;  ///< @return the exit status: failure when something is bad

private:
    std::string config_file_;
    std::string output_ = "human";
    config::LoadOptions load_;
    CLI::App* verb_;
};

}  // namespace sonde::cli
