#include "tests/support/postgresql.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <vector>

namespace sonde::tests {
namespace {

using Command = std::vector<std::string>;

/// Debian keeps the server's programs out of the PATH.
std::string program(const std::string& name)
{
    std::string newest;
    std::error_code missing;
    for (const auto& version : std::filesystem::directory_iterator{"/usr/lib/postgresql", missing})
        if (std::filesystem::exists(version.path() / "bin" / name))
            newest = std::max(newest, (version.path() / "bin" / name).string());
    REQUIRE_MESSAGE(!newest.empty(), "PostgreSQL is not installed: " << name);
    return newest;
}

/// PostgreSQL does not run as root.
const passwd* somebody_else()
{
    if (::getuid() != 0)
        return nullptr;
    const passwd* const owner = ::getpwnam("postgres");
    return owner ? owner : ::getpwnam("nobody");
}

Command as_somebody_else(Command command)
{
    // If the test program dies, so does the server: SIGQUIT ends it at once.
    Command with = {"setpriv", "--pdeathsig", "QUIT"};
    if (const passwd* const owner = somebody_else())
        with.insert(with.end(), {fmt::format("--reuid={}", owner->pw_uid),
                                    fmt::format("--regid={}", owner->pw_gid), "--clear-groups"});
    with.emplace_back("--");
    with.insert(with.end(), command.begin(), command.end());
    return with;
}

std::string name_of(const std::string& url)
{
    return url.substr(url.rfind('/') + 1);
}

}  // namespace

Postgresql& Postgresql::cluster()
{
    static Postgresql the_one;
    return the_one;
}

Postgresql::Postgresql()
{
    namespace fs = std::filesystem;
    const std::string data = folder_.path("data");
    const std::string secret = folder_.write("password", std::string{password} + "\n");
    fs::create_directory(data);
    if (const passwd* const owner = somebody_else()) {
        fs::permissions(folder_.path("."), fs::perms{0711});
        REQUIRE(::chown(data.c_str(), owner->pw_uid, owner->pw_gid) == 0);
        REQUIRE(::chown(secret.c_str(), owner->pw_uid, owner->pw_gid) == 0);
    }
    int status = 0;
    const std::string made =
        run(as_somebody_else({program("initdb"), "-D", data, "-U", user, "--pwfile=" + secret, "-A",
                "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"}),
            &status);
    REQUIRE_MESSAGE(status == 0, made);
    Command command = {program("postgres"), "-D", data};
    for (const std::string& setting : {fmt::format("port={}", port_),
             std::string{"listen_addresses=127.0.0.1"}, std::string{"unix_socket_directories="},
             std::string{"fsync=off"}, std::string{"full_page_writes=off"}}) {
        command.emplace_back("-c");
        command.push_back(setting);
    }
    process_.emplace(as_somebody_else(command), folder_.path("log"));
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (PQping(conninfo().c_str()) != PQPING_OK) {
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, process_->output());
        ::poll(nullptr, 0, 20);
    }
}

Postgresql::~Postgresql()
{
    process_->signal(SIGQUIT);
    process_->wait();
}

std::string Postgresql::conninfo() const
{
    std::string quoted;
    for (const char c : std::string_view{password})
        quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return fmt::format(
        "host=127.0.0.1 port={} user={} dbname=postgres password='{}'", port_, user, quoted);
}

std::string Postgresql::new_database()
{
    const std::string name = fmt::format("test_{}", ++databases_);
    sql("CREATE DATABASE " + name);
    return fmt::format("postgresql://{}@127.0.0.1:{}/{}", user, port_, name);
}

std::string Postgresql::sql(const std::string& statement) const
{
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{
        PQconnectdb(conninfo().c_str()), &PQfinish};
    REQUIRE_MESSAGE(PQstatus(connection.get()) == CONNECTION_OK, PQerrorMessage(connection.get()));
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{
        PQexec(connection.get(), statement.c_str()), &PQclear};
    const auto status = PQresultStatus(result.get());
    REQUIRE_MESSAGE((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK),
        PQerrorMessage(connection.get()));
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

void Postgresql::cut(const std::string& url) const
{
    sql(fmt::format(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}'",
        name_of(url)));
}

void Postgresql::open_to_connections(const std::string& url, bool yes) const
{
    sql(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS {}", name_of(url), yes));
    if (!yes)
        cut(url);
}

}  // namespace sonde::tests
