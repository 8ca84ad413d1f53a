#pragma once

#include "agent/control/secrets.h"
#include "agent/control/store/dialect.h"
#include "config/agent_config.h"
#include "tests/support/postgresql.h"
#include "tests/support/scratch_folder.h"

#include <cstdlib>
#include <string_view>

namespace sonde::tests {

enum class DatabaseKind { sqlite, postgresql };

/// What suites run on that do not say it themselves: SQLite, unless the environment has
/// SONDE_TEST_DATABASE=postgresql.
inline DatabaseKind chosen_database()
{
    const char* const chosen = std::getenv("SONDE_TEST_DATABASE");
    return chosen && std::string_view{chosen} == "postgresql" ? DatabaseKind::postgresql
                                                              : DatabaseKind::sqlite;
}

/// A new, empty database, with the keys that seal it, for one test.
class TestDatabase {
public:
    /// `folder` outlives it.
    explicit TestDatabase(const ScratchFolder& folder, DatabaseKind kind = chosen_database())
        : folder_{folder}
    {
        if (kind == DatabaseKind::postgresql)
            url_ = Postgresql::cluster().new_database();
        REQUIRE(control::Seal::load(key_file()).has_value());  // makes it
    }

    control::Database database() const
    {
        return {folder_.path("control.db"), url_, config::Secret{Postgresql::password}};
    }
    const std::string& url() const { return url_; }  ///< empty: SQLite
    std::string key_file() const { return folder_.path("key"); }
    control::Seal seal() const { return *control::Seal::load(key_file()); }

    void put_into(config::ControlConfig& config) const
    {
        config.secrets_key_file = key_file();
        config.database_file = url_.empty() ? folder_.path("control.db") : "";
        config.database_url = url_;
        if (!url_.empty())
            config.database_password = config::Secret{Postgresql::password};
    }

private:
    const ScratchFolder& folder_;
    std::string url_;
};

}  // namespace sonde::tests
