#pragma once

#include "config/secret.h"

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace sonde::cli::ctl {

/// What the flags say of the way to the API; empty: the environment or the file does.
struct ConnectionFlags {
    std::string url = {};
    std::string token_file = {};
    std::string ca_file = {};
    std::string config_file =
        {};  ///< empty: sonde/sonde.yaml below $XDG_CONFIG_HOME, if it is there
};
void add_connection_flags(CLI::App& verb, ConnectionFlags& flags);

/// Where the API is and who asks.
struct Connection {
    std::string url;  ///< without "/api/v1" and "/" behind it
    config::Secret token;
    std::string ca_file;  ///< empty: the system's trust store
};

struct FoundConnection {
    Connection connection;
    std::vector<std::string> problems;  ///< what is missing or unusable; never with a secret
    std::vector<std::string> warnings;
};

/// Flag, environment, file, in this order (spec 07 §1): `ctl.url`, `ctl.token_file`, `ctl.token`,
/// `ctl.ca_file`; in the environment SONDE_CTL_URL, SONDE_CTL_TOKEN_FILE, SONDE_CTL_TOKEN,
/// SONDE_CTL_CA_FILE. A token is never an argument.
FoundConnection find_connection(
    const ConnectionFlags& flags, const std::map<std::string, std::string>& environment);

}  // namespace sonde::cli::ctl
