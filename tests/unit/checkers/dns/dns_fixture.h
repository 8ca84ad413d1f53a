#pragma once

#include "tests/support/run_fixture.h"
#include "tests/support/scripted_dns.h"

#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

/// DNS checks of "www.example.org", type A, against one server on 127.0.0.1.
struct DnsFixture : RunFixture {
    std::optional<ScriptedDns> server;
    std::string target = "www.example.org";

    /// Asks the server that is there. `more`: further members of the settings, each after a comma.
    checkers::Report ask(std::string_view protocol, std::string_view more = "",
        std::chrono::milliseconds timeout = std::chrono::seconds{3})
    {
        return ask_port(server->port(), protocol, more, timeout);
    }

    checkers::Report ask_port(std::uint16_t port, std::string_view protocol,
        std::string_view more = "", std::chrono::milliseconds timeout = std::chrono::seconds{3})
    {
        return run(target,
            fmt::format(R"({{"dns": {{"ipVersion": "V4", "server": "127.0.0.1", "port": {},
                "recordType": "A", "protocol": "{}"{}}}}})",
                port, protocol, more),
            timeout);
    }

    void serve(ScriptedDns::Answer answer) { server.emplace(loop, std::move(answer)); }
    void say(DnsMessage says)
    {
        serve([says](std::string_view query) { return std::vector{dns_response(query, says)}; });
    }
};

/// The value of a key in the last line that has it; empty: none has.
inline std::string field_of(const checkers::Report& report, std::string_view key)
{
    std::string value;
    for (const auto& entry : report.log)
        for (const auto& field : entry.fields)
            if (field.key == key)
                value = field.value;
    return value;
}

}  // namespace sonde::tests
