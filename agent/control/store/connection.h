#pragma once

#include <soci/soci.h>

#include <map>
#include <string>

namespace sonde::control {

/// A connection to the database. One thread at a time.
class Connection final : public soci::session {
public:
    using soci::session::session;

    struct Kept {
        soci::statement statement;
        bool in_use = false;  ///< its rows are being fetched
    };

    /// Statements stay prepared, by their text: parsing and planning one anew costs PostgreSQL more
    /// than carrying it out.
    bool keeps_statements = false;
    std::map<std::string, Kept> kept;
};

}  // namespace sonde::control
