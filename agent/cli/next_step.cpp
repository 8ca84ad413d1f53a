#include "agent/cli/next_step.h"

#include <algorithm>

namespace sonde::cli {
namespace {

/// One word for a shell: in quotes where it holds what a shell would take for its own.
std::string shell_word(std::string_view text)
{
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:,@%+=";
    if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos)
        return std::string{text};
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string{"'\\''"} : std::string{c};
    return out + "'";
}

/// The host that the check talks to: for DNS the server.
std::string host_of(const Outcome& outcome)
{
    if (outcome.kind.name == "dns")
        return outcome.kind.pointed_at(outcome.check);
    std::string text = outcome.check.target();
    if (const auto scheme = text.find("://"); scheme != std::string::npos)
        text = text.substr(scheme + 3);
    text = text.substr(0, text.find_first_of("/?#"));
    if (text.starts_with('['))
        return text.substr(1, text.find(']') - 1);
    const bool has_port = std::count(text.begin(), text.end(), ':') == 1;
    return has_port ? text.substr(0, text.find(':')) : text;
}

}  // namespace

NextStep next_step(const Outcome& outcome)
{
    const checkers::Report& report = outcome.report;
    const std::string_view code = report.verdict.code;
    const std::string_view cause = report.verdict.cause;
    const std::string_view kind = outcome.kind.name;
    const std::string host =
        report.address ? report.address->to_string() : shell_word(host_of(outcome));
    const std::string again =
        fmt::format("sonde check {} {}", kind, shell_word(outcome.check.target()));
    if (cause.starts_with("local_") || code == "socket")
        return {"sonde check ping 127.0.0.1", "whether this host can send at all"};
    if (cause == "wrong_family")
        return {again, "the same over the family that the address has"};
    if (code == "resolve")
        return {"sonde check dns " + host, "what this host's name server says"};
    if (code == "connect" || (code == "timeout" && cause == "connect"))
        return {"sonde check ping " + host, "whether the host answers at all"};
    if (code == "tls")
        return {again + " --insecure", "the same without verifying the certificate"};
    if (code == "dns_rcode" || code == "dns_rr_none")
        return {again + " --record ANY", "what else there is of this name"};
    if (code == "icmp_loss")
        return {again + " --count 10", "whether packets are lost again"};
    if (!code.empty())
        return {again + " -o logfmt", "every step of the run"};
    if (report.address && report.address->is_v6() && kind != "ping")
        return {again + " -4", "the same check over IPv4"};
    return {};
}

}  // namespace sonde::cli
