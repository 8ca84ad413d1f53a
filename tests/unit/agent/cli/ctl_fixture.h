#pragma once

#include "tests/unit/agent/cli/cli_fixture.h"
#include "tests/unit/agent/control/installation.h"

namespace sonde::tests {

/// `sonde ctl` against the real API, which has one tenant with the probe "mine".
struct CtlFixture : CliFixture {
    Installation api;
    std::string token_file = folder.write("access-token", api.access);
    std::string config_file = folder.write("sonde.yaml",
        fmt::format("ctl: {{url: \"{}\", token_file: access-token}}\n", api.replica.url("")));

    Outcome ctl(std::vector<std::string> words)
    {
        words.insert(words.begin(), "ctl");
        words.insert(words.end(), {"--config", config_file});
        return sonde(std::move(words));
    }

    /// What the API has, by its own list.
    nlohmann::json listed(const std::string& sort)
    {
        return nlohmann::json::parse(ctl({sort, "list", "-o", "json"}).out);
    }

    /// Changes the tenant as somebody else would.
    nlohmann::json post(const std::string& resource, const nlohmann::json& body)
    {
        return api.post(resource, body);
    }
};

}  // namespace sonde::tests
