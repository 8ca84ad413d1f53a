#include "agent/base/host_port.h"
#include "agent/net/deadline.h"
#include "checkers/dial.h"
#include "checkers/dns/dns.h"
#include "checkers/dns/exchange.h"
#include "checkers/dns/metrics.h"
#include "checkers/dns/query.h"

#include <algorithm>
#include <random>

namespace sonde::checkers::dns {
namespace {

// The agent's switch dns_retries (spec 02 §3.3).
constexpr int most_retries = 3;
constexpr int share_percent = 33;  // of the time, for each attempt but the last
constexpr std::chrono::seconds least_for_retries{15};

constexpr std::string_view phases[] = {"resolve", "connect", "request"};
// How the reference agent's log shows a list; its viewers look for the key, not the value.
constexpr std::string_view no_text = "unsupported value type";

CheckLog::Fields err(std::string_view text)
{
    CheckLog::Fields fields;
    fields.emplace_back("err", text);
    return fields;
}

std::uint16_t random_id()
{
    static std::mt19937 engine{std::random_device{}()};
    return static_cast<std::uint16_t>(engine());
}

void observe(Run& run, const Message& message, std::uint16_t type)
{
    run.observed.set(metrics::query_succeeded, 1);
    run.observed.set(metrics::answer_rrs, static_cast<double>(message.answer.size()));
    run.observed.set(metrics::authority_rrs, static_cast<double>(message.authority.size()));
    run.observed.set(metrics::additional_rrs, static_cast<double>(message.additional.size()));
    if (message.truncated()) {
        run.observed.set(metrics::reply_truncated, 1);
        run.log.warn("Response was truncated");
    }
    if (type != 6)
        return;
    double serial = 0;
    for (const Record& record : message.answer)
        if (record.serial)
            serial = *record.serial;
    run.observed.set(metrics::serial, serial);
}

std::string accepted_text(const std::vector<std::string>& names)
{
    return names.empty() ? "NOERROR" : fmt::format("{}", fmt::join(names, " "));
}

Verdict judge_rcode(Run& run, unsigned rcode, const std::vector<std::string>& valid)
{
    bool accepted = valid.empty() && rcode == 0;
    for (const std::string& name : valid) {
        const auto number = rcode_number(name);
        if (!number) {
            CheckLog::Fields fields;
            fields.emplace_back("rcode", name);
            fields.emplace_back("known_rcode", no_text);
            return fail(run, "Invalid rcode", std::move(fields),
                Verdict::fail("dns_rcode_name",
                    fmt::format("\"{}\" in validRCodes is no known response code", name))
                    .with("name", name));
        }
        accepted = accepted || *number == rcode;
    }
    const std::string got = rcode_name(rcode);
    CheckLog::Fields fields;
    fields.emplace_back("rcode", rcode);
    fields.emplace_back("string_rcode", got);
    if (accepted) {
        run.log.info("Rcode is valid", std::move(fields));
        return Verdict::pass();
    }
    fields.emplace_back("valid_rcodes", no_text);
    return fail(run, "Rcode is not one of the valid rcodes", std::move(fields),
        Verdict::fail("dns_rcode",
            fmt::format("response code {}, accepted: {}", got, accepted_text(valid)),
            rcode_cause(rcode))
            .with("accepted", accepted_text(valid)));
}

struct Section {
    std::string_view title;  ///< in log lines
    std::string_view name;   ///< in attributes
    const std::vector<Record>& records;
    const Validator& validator;
};

Verdict refuse(Run& run, const Section& section, std::string_view line, std::string_view code,
    const Pattern* pattern, const Record* record, std::string_view message)
{
    CheckLog::Fields fields;
    if (pattern)
        fields.emplace_back("regexp", pattern->text());
    if (record)
        fields.emplace_back("rr", record->text);
    auto verdict = Verdict::fail(code, pattern && record
                                           ? fmt::format("{} section: {} /{}/: {}", section.name,
                                                 message, pattern->text(), record->text)
                                           : fmt::format("{} section: {}", section.name, message))
                       .with("section", section.name);
    if (pattern)
        verdict.attributes.emplace_back("regexp", pattern->text());
    if (record)
        verdict.attributes.emplace_back("rr", record->text);
    fail(run, line, std::move(fields), verdict);
    CheckLog::Fields again;
    return fail(run, fmt::format("{} RRs validation failed", section.title), std::move(again),
        std::move(verdict));
}

Verdict judge_section(Run& run, const Section& section)
{
    run.log.info(std::string{"Validating "}.append(section.title).append(" RRs"));
    const Validator& rules = section.validator;
    if (section.records.empty() && !rules.required.empty())
        return refuse(run, section, "fail_if_not_matches_regexp specified but no RRs returned",
            "dns_rr_none", nullptr, nullptr, "a pattern is required but there are no records");
    for (const Record& record : section.records) {
        CheckLog::Fields rr;
        rr.emplace_back("rr", record.text);
        run.log.info("Validating RR", std::move(rr));
        for (const Pattern& pattern : rules.forbidden)
            if (pattern.found_in(record.text))
                return refuse(run, section, "At least one RR matched regexp", "dns_rr_forbidden",
                    &pattern, &record, "a record matches the forbidden pattern");
        for (const Pattern& pattern : rules.required)
            if (!pattern.found_in(record.text))
                return refuse(run, section, "At least one RR did not match regexp",
                    "dns_rr_required", &pattern, &record,
                    "a record does not match the required pattern");
    }
    return Verdict::pass();
}

class DnsChecker final : public Checker {
public:
    explicit DnsChecker(Settings settings) : settings_{std::move(settings)} {}

    asio::awaitable<Verdict> run(Run& run) const override;
    Verdict at_deadline(Run& run) const override;

private:
    asio::awaitable<Verdict> ask(Run& run, const asio::ip::address& server) const;
    asio::awaitable<Exchanged> attempts(Run& run, Exchange asked, int& retry) const;
    void log_query(Run& run, const asio::ip::address& server, int retry) const;
    std::string asked_name() const;
    Verdict judge(Run& run, const Message& message) const;

    Settings settings_;
};

asio::awaitable<Verdict> DnsChecker::run(Run& run) const
{
    const Chosen chosen =
        co_await choose_address(run, settings_.server, settings_.ip, LookupLines::info);
    if (!chosen.failure.passed())
        co_return chosen.failure;
    run.took("resolve", chosen.seconds);
    run.observed.set(metrics::duration_seconds, chosen.seconds, {"resolve"});
    if (!settings_.source.empty()) {
        CheckLog::Fields source;
        source.emplace_back("srcIP", settings_.source);
        auto usable = source_address(settings_.source, chosen.found.address, "connect");
        if (!usable.failure.passed())
            co_return fail(run, "Error parsing source ip address", std::move(source),
                std::move(usable.failure));
        run.log.info("Using local address", std::move(source));
    }
    co_return co_await ask(run, chosen.found.address);
}

asio::awaitable<Verdict> DnsChecker::ask(Run& run, const asio::ip::address& server) const
{
    const auto name = encode_name(asked_name());
    if (!name) {
        log_query(run, server, 0);
        co_return fail(run, "Error while sending a DNS query", err(name.error().message),
            Verdict::fail("dns_query", name.error().message));
    }
    Exchange asked;
    asked.server = server;
    asked.port = settings_.port;
    asked.source = settings_.source;
    asked.tcp = settings_.tcp;
    asked.name = *name;
    asked.type = settings_.type;
    int retry = 0;
    Exchanged exchanged = co_await attempts(run, std::move(asked), retry);
    if (!exchanged.verdict.passed()) {
        CheckLog::Fields fields = err(exchanged.verdict.message);
        co_return fail(run, "Error while sending a DNS query", std::move(fields),
            std::move(exchanged.verdict));
    }
    CheckLog::Fields got;
    got.emplace_back("response", to_text(exchanged.message));
    got.emplace_back("retry", retry);
    run.log.info("Got response", std::move(got));
    co_return judge(run, exchanged.message);
}

/// One query; with the agent's switch up to four, each after a time-out of the one before
/// (spec 02 §3.3).
asio::awaitable<Exchanged> DnsChecker::attempts(Run& run, Exchange asked, int& retry) const
{
    const auto left = run.deadline - net::Clock::now();
    const bool several = run.options.dns_retries && run.subject.timeout >= least_for_retries;
    for (; several && retry < most_retries; ++retry) {
        log_query(run, asked.server, retry);
        asked.id = random_id();
        const auto share_ends = net::Clock::now() + left * share_percent / 100;
        auto answered = co_await net::until(share_ends, exchange(run, asked));
        if (answered)
            co_return std::move(*answered);
    }
    log_query(run, asked.server, retry);
    asked.id = random_id();
    co_return co_await exchange(run, std::move(asked));
}

std::string DnsChecker::asked_name() const
{
    const auto reverse = settings_.type == 12 ? reverse_name(settings_.name) : std::nullopt;
    return reverse.value_or(settings_.name);
}

void DnsChecker::log_query(Run& run, const asio::ip::address& server, int retry) const
{
    CheckLog::Fields query;
    query.emplace_back("target", HostPort{server.to_string(), settings_.port}.text());
    query.emplace_back(
        "dial_protocol", std::string{settings_.tcp ? "tcp" : "udp"} += server.is_v4() ? '4' : '6');
    query.emplace_back("query", asked_name());
    query.emplace_back("type", settings_.type);
    query.emplace_back("class", 1);
    query.emplace_back("retry", retry);
    run.log.info("Making DNS query", std::move(query));
}

Verdict DnsChecker::judge(Run& run, const Message& message) const
{
    observe(run, message, settings_.type);
    if (Verdict verdict = judge_rcode(run, message.rcode, settings_.valid_rcodes);
        !verdict.passed())
        return verdict;
    const Section sections[] = {{"Answer", "answer", message.answer, settings_.answer},
        {"Authority", "authority", message.authority, settings_.authority},
        {"Additional", "additional", message.additional, settings_.additional}};
    for (const Section& section : sections)
        if (Verdict verdict = judge_section(run, section); !verdict.passed())
            return verdict;
    return Verdict::pass();
}

Verdict DnsChecker::at_deadline(Run& run) const
{
    Verdict verdict = timed_out(run);
    if (verdict.cause == run.phase && run.phase != "resolve")
        verdict.message = fmt::format("no response from {} before the deadline", settings_.server);
    return fail(
        run, "Error while sending a DNS query", err("deadline reached"), std::move(verdict));
}

std::unique_ptr<const Checker> parse(const pb::Check& check, Problems& problems)
{
    auto settings = parse_settings(check, problems);
    return problems.none() ? std::make_unique<DnsChecker>(std::move(settings)) : nullptr;
}

void begin(Observations& observed)
{
    for (const std::string_view phase : phases)
        observed.set(metrics::duration_seconds, 0, {std::string{phase}});
    for (const Metric* metric : {&metrics::answer_rrs, &metrics::authority_rrs,
             &metrics::additional_rrs, &metrics::query_succeeded})
        observed.set(*metric, 0);
}

std::string pointed_at(const pb::Check& check)
{
    return check.settings().dns().server();
}

}  // namespace

constinit const Kind kind{
    "dns", LogEntry::Layout::wrapper, metrics::all, phases, parse, pointed_at, begin};

}  // namespace sonde::checkers::dns
