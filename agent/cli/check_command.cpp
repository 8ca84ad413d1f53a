#include "agent/cli/check_command.h"

#include "agent/cli/render.h"
#include "agent/net/curl_multi.h"
#include "agent/net/icmp_sockets.h"
#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/registry.h"
#include "config/json.h"
#include "config/values.h"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <sstream>

namespace sonde::cli {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

Result<std::string> settings_text(const std::string& given)
{
    if (!given.starts_with('@'))
        return given.empty() ? std::string{"{}"} : given;
    std::ifstream file{given.substr(1)};
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        return error("bad_value", "--settings: {} cannot be read", given.substr(1));
    return text.str();
}

/// -4 and -6 are the setting `ipVersion`, which all four kinds have.
Result<> choose_family(const CheckOptions& options, pb::CheckSettings& settings)
{
    if (options.only_v4 && options.only_v6)
        return error("bad_value", "-4 and -6 exclude each other");
    if (!options.only_v4 && !options.only_v6)
        return {};
    const pb::IpVersion version = options.only_v4 ? pb::V4 : pb::V6;
    if (settings.has_dns())
        settings.mutable_dns()->set_ipversion(version);
    if (settings.has_http())
        settings.mutable_http()->set_ipversion(version);
    if (settings.has_ping())
        settings.mutable_ping()->set_ipversion(version);
    if (settings.has_tcp())
        settings.mutable_tcp()->set_ipversion(version);
    return {};
}

Result<pb::Check> to_check(const CheckOptions& options)
{
    const auto text = settings_text(options.settings);
    if (!text)
        return text.error();
    pb::Check check;
    check.set_id(1);
    check.set_tenantid(1);
    check.set_job("sonde check");
    check.set_target(options.target);
    const auto whole = fmt::format("{{\"{}\": {}}}", options.kind, *text);
    if (const auto read = config::read_json(whole, *check.mutable_settings()); !read)
        return error("bad_value", "--settings: {}", read.error().message);
    if (const auto chosen = choose_family(options, *check.mutable_settings()); !chosen)
        return chosen.error();
    const auto timeout = config::parse_duration(options.timeout);
    if (!timeout || *timeout < 1ms || *timeout > 1min)
        return error(
            "bad_value", "--timeout: \"{}\" is not a duration from 1ms to 1m", options.timeout);
    check.set_timeout(timeout->count());
    check.set_frequency(60000);
    return check;
}

checkers::Report run_now(const pb::Check& check, const checkers::Prepared& prepared)
{
    asio::io_context loop{1};
    const auto executor = loop.get_executor();
    const auto resolver = net::make_resolver(executor);
    net::CurlMulti curl{executor};
    net::TlsContexts tls;
    net::IcmpSockets icmp{executor};
    net::Services services{*resolver, curl, tls, icmp};
    const config::CheckersConfig options;
    checkers::Subject subject;
    subject.target = check.target();
    subject.timeout = std::chrono::milliseconds{check.timeout()};
    std::optional<checkers::Report> report;
    auto done = [&](const std::exception_ptr& failure, checkers::Report result) {
        if (failure)
            std::rethrow_exception(failure);
        report = std::move(result);
        loop.stop();  // shared sockets would keep it waiting for packets
    };
    asio::co_spawn(loop,
        checkers::run_once(*prepared.kind, *prepared.checker, services, options, subject), done);
    loop.run();
    return std::move(*report);
}

CheckStatus refuse(const Error& why)
{
    fmt::print(stderr, "sonde check: {}\n", why.message);
    return CheckStatus::unknown;
}

}  // namespace

CLI::App* add_check_verb(CLI::App& app, CheckOptions& options)
{
    auto* verb = app.add_subcommand("check", "Run one check now");
    verb->add_option("KIND", options.kind, "dns, http, ping or tcp")
        ->required()
        ->check(CLI::IsMember({"dns", "http", "ping", "tcp"}));
    verb->add_option("TARGET", options.target, "What to check, as in a check of the API")
        ->required();
    verb->add_option("--settings", options.settings,
        "Settings of the kind as JSON, or @FILE: '{\"validStatusCodes\": [200]}'");
    verb->add_option("--timeout", options.timeout, "Longest time to take")->capture_default_str();
    verb->add_flag("-4", options.only_v4, "Only IPv4");
    verb->add_flag("-6", options.only_v6, "Only IPv6");
    verb->add_option("-o,--output", options.output, "human or json")
        ->check(CLI::IsMember({"human", "json"}))
        ->capture_default_str();
    return verb;
}

CheckStatus run_check_verb(const CheckOptions& options)
{
    std::signal(SIGPIPE, SIG_IGN);
    const auto check = to_check(options);
    if (!check)
        return refuse(check.error());
    if (const auto usable = checkers::validate(*check); !usable)
        return refuse(usable.error());
    const auto report = run_now(*check, checkers::make(*check));
    const auto render = options.output == "json" ? render_json : render_human;
    fmt::print("{}", render(options.kind, options.target, report));
    return status_of(report);
}

}  // namespace sonde::cli
