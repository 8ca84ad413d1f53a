#pragma once

#include "tests/replicas/control_plane.h"
#include "tests/replicas/writers.h"
#include "tests/support/probe_client.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sonde::tests {

/// One or two replicas with a database, a tenant, probes that follow, and users who write.
class Installation {
public:
    struct Options {
        DatabaseKind database = DatabaseKind::sqlite;
        std::size_t replicas = 1;
        std::size_t probes = 2;
        std::size_t max_backlog = 10'000;
        Writers::Options writers = {};
    };
    explicit Installation(const Options& options);

    ApiClient api(std::size_t replica = 0) const;
    /// The replicas' addresses, this one first.
    std::vector<std::string> addresses(std::size_t first = 0) const;

    /// Stops the writers; then what was acknowledged is what the API says, and every probe comes
    /// to have exactly that.
    void is_consistent(std::size_t asked = 0);

    ControlDatabase database;
    std::vector<std::unique_ptr<ControlPlane>> replicas;
    std::string token;
    std::vector<std::int64_t> probe_ids;
    std::vector<std::unique_ptr<ProbeClient>> probes;
    std::unique_ptr<Writers> writers;

private:
    void add_probe(std::size_t number);
    bool resets_tokens_;
};

/// From the environment, for the full run; otherwise what is enough for now.
std::size_t number_from(const char* variable, std::size_t otherwise);
/// Another one in each run, unless SONDE_SEED says; printed.
unsigned seed();

}  // namespace sonde::tests
