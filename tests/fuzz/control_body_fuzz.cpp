// Bodies of the API: what each resource makes of them, up to the point where a database is asked.
#include "agent/base/text.h"
#include "agent/control/http/alert_body.h"
#include "agent/control/http/json_text.h"
#include "agent/control/rules/alert_rules.h"
#include "agent/control/rules/check_rules.h"
#include "agent/control/rules/probe_rules.h"
#include "agent/control/rules/tenant_rules.h"
#include "config/json.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>

namespace {

using namespace sonde;
using control::rules::Judgement;

/// An Error's two parts go into answers.
template <class T>
bool accepted(const Result<T>& result)
{
    if (result)
        return true;
    fuzz::require(!result.error().message.empty(), "a refusal says why");
    fuzz::require(!control::quoted(result.error().message).empty(), "and can be answered");
    return false;
}

void read_check(std::string_view body, const Judgement& judgement)
{
    auto check = config::from_json<pb::Check>(body);
    if (!accepted(check) || !accepted(control::rules::fit(*check, "", judgement)))
        return;
    control::rules::normalise(*check);
    fuzz::require(
        std::is_sorted(check->probes().begin(), check->probes().end()), "probes are in order");
    const std::string stored = config::write_json(*check);
    auto again = config::from_json<pb::Check>(stored);
    fuzz::require(again.has_value(), "what is stored can be read");
    fuzz::require(
        accepted(control::rules::fit(*again, "", judgement)), "what is stored can be sent again");
    control::rules::normalise(*again);
    fuzz::require(config::write_json(*again) == stored, "what is normal stays so");
}

void read_probe(std::string_view body, const Judgement& judgement)
{
    const auto probe = config::from_json<pb::Probe>(body);
    if (accepted(probe) && accepted(control::rules::fit(*probe, judgement)))
        fuzz::require(text::is_utf8(config::write_json(*probe)), "JSON is UTF-8");
}

void read_tenant(std::string_view body)
{
    for (const std::string_view member : {"metricsRemote", "eventsRemote"}) {
        const auto raw = control::raw_member(body, member);
        if (!raw)
            continue;
        pb::RemoteInfo remote;
        if (accepted(config::read_json(*raw, remote)))
            accepted(control::rules::fit_remote(member, remote));
    }
    for (const std::string_view member : {"status", "reason", "id"}) {
        accepted(control::integer_member(body, member));
        accepted(control::text_member(body, member));
        accepted(control::object_member(body, member));
    }
}

void read_registration(std::string_view body)
{
    for (const std::string_view member :
        {"stackId", "metricsInstanceId", "logsInstanceId", "apiToken", "type"}) {
        accepted(control::integer_member(body, member));
        accepted(control::text_member(body, member));
    }
}

void read_alerts(std::string_view body)
{
    const auto alerts = control::read_alerts(body);
    if (!accepted(alerts))
        return;
    pb::Check check;
    check.mutable_settings()->mutable_http();
    check.set_frequency(60'000);
    if (accepted(control::rules::fit(*alerts, check)))
        fuzz::require(text::is_utf8(control::json_of(*alerts)), "JSON is UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body = fuzz::Input{data, size}.rest();
    static const config::ControlConfig config;
    const Judgement judgement{config};
    const Judgement extended{config, true};
    read_check(body, judgement);
    read_check(body, extended);
    read_probe(body, judgement);
    read_tenant(body);
    read_registration(body);
    read_alerts(body);
    if (const auto list = config::split_json_list(body))
        for (const std::string& element : *list)
            read_check(element, judgement);
    return 0;
}
