#pragma once

#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sonde::tests {

/// Debian's PostgreSQL, one cluster for all of a test program: made at first use in a scratch
/// folder, on a free port of 127.0.0.1, without flushes to disk; gone with the program, even with
/// one that crashes.
class Postgresql {
public:
    static constexpr auto user = "sonde";
    static constexpr auto password = "p a%ss/'\"=&?:@";  ///< what a URL must carry unharmed

    static Postgresql& cluster();
    ~Postgresql();

    /// A new, empty database. @return its URL, without the password.
    std::string new_database();

    /// Runs a statement as the cluster's owner. @return the first value of the first row.
    std::string sql(const std::string& statement) const;

    /// Ends all connections to a database, as an operator or a failover does.
    void cut(const std::string& url) const;
    /// Whether a database lets anybody in. Turned off, connections are ended, too.
    void open_to_connections(const std::string& url, bool yes) const;

private:
    Postgresql();
    std::string conninfo() const;

    ScratchFolder folder_;
    std::uint16_t port_ = free_port();
    int databases_ = 0;
    std::optional<Process> process_;
};

}  // namespace sonde::tests
