#include "agent/control/store/dialect.h"

#include "agent/base/text.h"
#include "agent/control/store/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace sonde::control {
namespace {

/// What SOCI adds in what() are statements with their parameters: not for a log.
std::string why_of(const std::exception& error)
{
    const auto* const of_soci = dynamic_cast<const soci::soci_error*>(&error);
    std::string why = of_soci ? of_soci->get_error_message() : error.what();
    for (char& c : why)
        c = c == '\n' || c == '\t' ? ' ' : c;
    return std::string{text::trim(why)};
}

/// For a URL (RFC 3986 §2.1).
std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text)
        out += plain.find(c) != std::string_view::npos
                   ? std::string{c}
                   : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return out;
}

/// One process at a time: the lock lies beside the database, because closing any descriptor of the
/// database itself would let go of SQLite's own locks (fcntl(2)).
class FileLock {
public:
    explicit FileLock(const std::string& file)
        : fd_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)}
    {
        if (fd_ < 0)
            throw std::runtime_error{fmt::format("{}: {}", file, std::strerror(errno))};
        if (::flock(fd_, LOCK_EX | LOCK_NB) == 0)
            return;
        ::close(fd_);
        throw std::runtime_error{"is in use by another process"};
    }
    ~FileLock() { ::close(fd_); }
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

private:
    int fd_;
};

class Sqlite final : public Dialect {
public:
    explicit Sqlite(std::string file) : file_{std::move(file)}, lock_{file_ + ".lock"} {}

    bool has_replicas() const override { return false; }
    std::size_t connections() const override { return std::numeric_limits<std::size_t>::max(); }

    std::unique_ptr<Connection> connect() const override
    {
        auto sql =
            std::make_unique<Connection>(soci::sqlite3, fmt::format("db=\"{}\" timeout=5", file_));
        std::string mode;
        *sql << "PRAGMA busy_timeout = 5000";
        *sql << "PRAGMA foreign_keys = ON";
        *sql << "PRAGMA journal_mode = WAL", soci::into(mode);
        *sql << "PRAGMA synchronous = FULL";  // an answered write survives a power cut
        return sql;
    }

    /// IMMEDIATE: the right to write is taken first, so no transaction fails for it half-way.
    void begin(soci::session& sql, Access access) const override
    {
        sql << (access == Access::read ? "BEGIN" : "BEGIN IMMEDIATE");
    }

    std::int64_t now_us(soci::session&) const override
    {
        return std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::system_clock::now().time_since_epoch())
            .count();
    }

    std::string_view id_column() const override { return "INTEGER PRIMARY KEY AUTOINCREMENT"; }

    int schema_version(soci::session& sql) const override
    {
        int version = 0;
        sql << "PRAGMA user_version", soci::into(version);
        return version;
    }

    void set_schema_version(soci::session& sql, int version) const override
    {
        sql << "PRAGMA user_version = " << version;
    }

    void announce(soci::session&) const override {}

    Failure judge(soci::session*, const std::exception& error) const override
    {
        constexpr int bad_statement = 1;  // SQLITE_ERROR
        constexpr int constraint = 19;    // SQLITE_CONSTRAINT
        const auto* const failed = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
        const bool answers =
            failed ? failed->result() == bad_statement || failed->result() == constraint
                   : !dynamic_cast<const soci::soci_error*>(&error);
        return {answers ? Failure::Kind::refused : Failure::Kind::away, why_of(error)};
    }

private:
    std::string file_;
    FileLock lock_;
};

/// Keeps a dead server from being taken for a slow one.
constexpr std::string_view connection_defaults[] = {"application_name=sonde", "connect_timeout=5",
    "keepalives_idle=10", "keepalives_interval=5", "keepalives_count=3", "tcp_user_timeout=15000"};

class Postgresql final : public Dialect {
public:
    explicit Postgresql(const Database& database)
        : place_{database.url}, target_{database.url}, connections_{database.connections}
    {
        // SOCI takes the text apart at blanks and at "=" before libpq sees it, and puts a "=" at
        // the end of one without: a URL, percent-encoded, with parameters comes through as it is.
        add("password", percent_encoded(database.password.reveal()));
        for (const std::string_view each : connection_defaults) {
            const auto equals = each.find('=');
            add(each.substr(0, equals), each.substr(equals + 1));
        }
    }

    bool has_replicas() const override { return true; }
    std::size_t connections() const override { return connections_; }

    std::unique_ptr<Connection> connect() const override
    {
        auto sql = std::make_unique<Connection>(soci::postgresql, target_);
        // libpq would write what a server says when it ends a connection to standard error.
        PQsetNoticeProcessor(connection_of(*sql), [](void*, const char*) {}, nullptr);
        // The lines below the first ("DETAIL: Key (…)=(…)") hold what is in rows.
        PQsetErrorVerbosity(connection_of(*sql), PQERRORS_TERSE);
        // An answered write survives a crash, whatever the server's default; and no transaction
        // holds the others up for ever, not even one of a replica that has been stopped.
        *sql << "SET client_min_messages = warning; SET synchronous_commit = on; "
                "SET statement_timeout = '30s'; SET lock_timeout = '10s'; "
                "SET idle_in_transaction_session_timeout = '10s'";
        sql->keeps_statements = true;
        return sql;
    }

    /// Writes queue for one advisory lock, as they do for SQLite's file: whatever a write has
    /// looked up (names, quotas, who owns what) is still so when it commits. READ COMMITTED,
    /// because each statement after the wait must see what the lock's previous holder committed;
    /// a snapshot taken before the wait would not. Deadlocks between writes cannot be.
    void begin(soci::session& sql, Access access) const override
    {
        if (access == Access::read) {
            sql << "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            return;
        }
        sql << "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        if (access == Access::write)
            sql << "SELECT pg_advisory_xact_lock(" << write_lock << ")";
    }

    std::int64_t now_us(soci::session& sql) const override
    {
        std::int64_t now = 0;
        sql << "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
            soci::into(now);
        return now;
    }

    std::string_view id_column() const override
    {
        return "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    }

    int schema_version(soci::session& sql) const override
    {
        int version = 0;
        sql << "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
        sql << "SELECT coalesce(max(version), 0) FROM schema_version", soci::into(version);
        return version;
    }

    void set_schema_version(soci::session& sql, int version) const override
    {
        sql << "INSERT INTO schema_version (version) VALUES (" << version << ")";
    }

    void announce(soci::session& sql) const override { sql << "NOTIFY " << change_channel; }

    Failure judge(soci::session* sql, const std::exception& error) const override
    {
        if (!sql)
            return {Failure::Kind::away, why_of(error)};
        const auto* const failed = dynamic_cast<const soci::postgresql_soci_error*>(&error);
        const std::string state = failed ? failed->sqlstate() : "";
        // 25006: this server only reads, since another one took over.
        const bool lost = PQstatus(connection_of(*sql)) != CONNECTION_OK || state == "25006";
        const bool conflict = state == "40001" || state == "40P01";
        const bool busy = state == "55P03" || state == "57014";  // lock and statement time-outs
        return {lost       ? Failure::Kind::lost
                : conflict ? Failure::Kind::conflict
                : busy     ? Failure::Kind::busy
                           : Failure::Kind::refused,
            why_of(error)};
    }

private:
    static constexpr std::int64_t write_lock = 0x736f6e6465;  // "sonde"

    /// A parameter, unless the URL gives it.
    void add(std::string_view name, std::string_view value)
    {
        const std::string key = fmt::format("{}=", name);
        if (value.empty() || place_.find('?' + key) != std::string::npos ||
            place_.find('&' + key) != std::string::npos)
            return;
        target_ +=
            fmt::format("{}{}{}", target_.find('?') == std::string::npos ? '?' : '&', key, value);
    }

    std::string place_;
    std::string target_;  // with the password
    std::size_t connections_;
};

}  // namespace

PGconn* connection_of(soci::session& sql)
{
    return static_cast<soci::postgresql_session_backend*>(sql.get_backend())->conn_;
}

std::unique_ptr<Dialect> make_dialect(const Database& database)
{
    if (database.url.empty())
        return std::make_unique<Sqlite>(database.file);
    return std::make_unique<Postgresql>(database);
}

}  // namespace sonde::control
