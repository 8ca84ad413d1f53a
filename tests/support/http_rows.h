#pragma once

#include "tests/support/run_fixture.h"
#include "tests/support/scripted_server.h"

#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

inline const std::string end_of_head = "\r\n\r\n";

/// What a well-behaved HTTP/1.1 server says: status, Content-Length, `headers` (each with its
/// CRLF), `body`.
std::string answer(int status, const std::string& body = "", const std::string& headers = "");
std::string ok(const std::string& body = "", const std::string& headers = "");
/// A redirect; "{port}" in `location` is the port of the server that sends it.
std::string moved(int status, const std::string& location, const std::string& headers = "");

/// Holds a report against series in short form, one blank between two of them:
/// "status=404 connect>0 transfer>=0.1 resolve tls=-". The names are those of `series_names` in
/// the source; a name alone: the series is there; "=-": it is not.
void check_series(const checkers::Report& report, std::string_view expected);

/// The `reason` of each line that explains the failure, in order, one blank between; of equal
/// neighbours one.
std::string reasons_of(const checkers::Report& report);

/// Runs HTTP checks as the rows of spec 02 §7.1 ask for them.
struct HttpFixture : RunFixture {
    using Step = ScriptedServer::Step;
    using Script = std::vector<Step>;

    /// `members` are those of `settings.http`, but for ipVersion, which is V4.
    checkers::Report ask(const std::string& target, std::string_view members = "",
        std::chrono::milliseconds timeout = std::chrono::seconds{3});

    /// A server whose n-th connection follows the n-th script; lives as long as the fixture.
    ScriptedServer& serve(std::vector<Script> scripts);
    /// The same for connections that answer the head of a request.
    ScriptedServer& serve(const std::vector<std::string>& answers);

    /// Asks a server that answers so. What it received: servers.back().received().
    checkers::Report get(const std::vector<std::string>& answers, std::string_view members = "",
        const std::string& path = "/");

    /// "127.0.0.1:port" where every connection is refused.
    std::string refusing_address() const;

    std::list<ScriptedServer> servers;  // all of them: their coroutines may still be at work

private:
    // Bound, but not listening: nobody else can get the port.
    asio::ip::tcp::socket unheard_{loop, {asio::ip::address_v4::loopback(), 0}};
};

/// A row of that table which speaks of what the run says and measures. The first of the space
/// separated `reasons` is the verdict's; all are what the log says, none: the run passes.
struct VerdictRow {
    std::string_view name;
    std::string_view members;
    std::vector<std::string> answers;
    std::string_view reasons;
    std::string_view cause;
    std::string series;
};

/// Runs each row against a server of its own.
void check_rows(HttpFixture& fixture, const std::vector<VerdictRow>& rows);

}  // namespace sonde::tests
