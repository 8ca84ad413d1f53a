#pragma once

#include "config/secret.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

namespace soci {
class session;
}
struct pg_conn;

namespace sonde::control {

class Connection;

/// Where the memory of the API is: `control.database`.
struct Database {
    std::string file;      ///< of SQLite; unused with a URL
    std::string url = {};  ///< of PostgreSQL, without a password
    config::Secret password = {};
    std::size_t connections = 8;  ///< to PostgreSQL, besides the one that listens
};

/// What a transaction is for.
enum class Access {
    read,      ///< one snapshot that sees no later commit; changes nothing
    write,     ///< what the API remembers: one at a time in all replicas
    presence,  ///< the session of a probe: single statements; in PostgreSQL they wait for no write
};

/// Why a transaction did not come to its end.
struct Failure {
    enum class Kind {
        conflict,  ///< with another transaction: the same again may succeed
        lost,      ///< the connection broke
        away,      ///< no connection can be had
        busy,      ///< it answers that it cannot do it in time
        refused,   ///< the database answers, and says no; or what it holds cannot be used
    };
    Kind kind = Kind::refused;
    std::string why;  ///< for the log; holds no parameters of statements
};

/// What differs between the two databases. All other statements are the same for both.
/// Immutable; any thread. Functions that talk to a database throw std::exception.
class Dialect {
public:
    virtual ~Dialect() = default;

    virtual bool has_replicas() const = 0;        ///< other processes may write, too
    virtual std::size_t connections() const = 0;  ///< the most at a time

    virtual std::unique_ptr<Connection> connect() const = 0;
    virtual void begin(soci::session& sql, Access access) const = 0;
    /// Microseconds since the epoch. Replicas share the clock of their database.
    virtual std::int64_t now_us(soci::session& sql) const = 0;

    virtual std::string_view id_column() const = 0;  ///< type of an id that is never used twice
    /// The version of the tables; 0: there are none. Within the transaction that migrates.
    virtual int schema_version(soci::session& sql) const = 0;
    virtual void set_schema_version(soci::session& sql, int version) const = 0;

    /// Tells the other replicas, once the transaction is committed, to look at the change log.
    virtual void announce(soci::session& sql) const = 0;

    /// @param sql the session that was in use; null: none could be had.
    virtual Failure judge(soci::session* sql, const std::exception& error) const = 0;
};

/// @throws std::runtime_error when another process has the SQLite file.
std::unique_ptr<Dialect> make_dialect(const Database& database);

/// libpq's own handle of a session with PostgreSQL.
pg_conn* connection_of(soci::session& sql);

/// The channel of PostgreSQL's NOTIFY on which commits with changes are announced.
inline constexpr std::string_view change_channel = "sm_change";

}  // namespace sonde::control
