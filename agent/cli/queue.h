#pragma once

#include "config/agent_config.h"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace sonde::cli {

/// Which journal, and what of it.
struct QueueOptions {
    std::string directory;  ///< empty: that of the configuration file
    std::string config_file;
    std::string output = "human";
    std::optional<std::int64_t> tenant;
    std::string origin;  ///< "api" or "file"; empty: both
    std::string type;    ///< "metrics", "logs"; empty: both
    std::string older_than;
    bool yes = false;
    config::LoadOptions load;
};

/// `sonde queue ls|drop`.
class QueueVerbs {
public:
    QueueVerbs(CLI::App& app, const std::string& config_file);

    bool parsed() const;
    int run() const;  ///< @return the exit status

private:
    QueueOptions options_;
    CLI::App* list_;
    CLI::App* drop_;
};

}  // namespace sonde::cli
