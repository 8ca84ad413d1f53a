#pragma once

#include "checkers/registry.h"
#include "checkers/run_once.h"
#include "config/json.h"
#include "tests/support/net_fixture.h"

#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

/// Runs checks as the agent does, on the real network services.
struct RunFixture : NetFixture {
    config::CheckersConfig options;
    std::int64_t probe_id = 7;
    checkers::SecretSource* secrets = nullptr;
    std::chrono::seconds patience{5};  ///< with a run that hangs

    /// Names are resolved by these files from now on.
    void resolve_with(const net::ResolverFiles& files)
    {
        other_net.reset();
        other_resolver = net::make_resolver(loop.get_executor(), files);
        other_net.emplace(net::Services{*other_resolver, curl, tls, icmp});
    }
    std::unique_ptr<net::Resolver> other_resolver;
    std::optional<net::Services> other_net;

    /// `settings` is JSON as in the API: {"tcp": {…}}.
    checkers::Report run(std::string target, std::string_view settings,
        std::chrono::milliseconds timeout = std::chrono::seconds{3})
    {
        pb::Check check;
        check.set_id(42);
        check.set_target(target);
        const auto read = config::read_json(settings, *check.mutable_settings());
        REQUIRE_MESSAGE(read.has_value(), (read ? std::string{} : read.error().message));
        const auto prepared = checkers::make(check);
        REQUIRE(prepared.kind != nullptr);
        checkers::Subject subject;
        subject.target = std::move(target);
        subject.timeout = timeout;
        subject.check_id = 42;
        subject.probe_id = probe_id;
        subject.secrets = secrets;
        net::Services& services = other_net ? *other_net : net;
        return await(loop,
            checkers::run_once(*prepared.kind, *prepared.checker, services, options, subject),
            patience);
    }
};

/// The value of a series of a report; fails the test when it is absent.
inline double value_of(const checkers::Report& report, std::string_view name,
    const std::vector<std::string>& labels = {})
{
    for (const auto& sample : report.observed.samples())
        if (sample.metric->name == name && (labels.empty() || sample.label_values == labels))
            return sample.value;
    FAIL("no series " << std::string{name});
    return 0;
}

inline bool has(const checkers::Report& report, std::string_view name)
{
    for (const auto& sample : report.observed.samples())
        if (sample.metric->name == name)
            return true;
    return false;
}

/// The lines of a report, "LEVEL message", but for the one that tells of what else the host had to
/// do meanwhile.
inline std::vector<std::string> lines_of(const checkers::Report& report)
{
    static constexpr std::string_view levels[] = {"debug", "info", "warn", "error"};
    std::vector<std::string> out;
    for (const auto& entry : report.log)
        if (entry.message != checkers::probe_was_late)
            out.push_back(
                std::string{levels[static_cast<std::size_t>(entry.level)]} + ' ' + entry.message);
    return out;
}

}  // namespace sonde::tests
