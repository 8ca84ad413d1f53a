#include "checkers/http/chase.h"
#include "checkers/http/http.h"
#include "checkers/http/metrics.h"
#include "checkers/http/secrets.h"

namespace sonde::checkers::http {
namespace {

constexpr std::string_view phases[] = {"resolve", "connect", "tls", "processing", "transfer"};

/// What every run has, also one that ends before it began, but for one that lacks a secret (spec 02
/// §6).
constexpr const Metric* always[] = {&metrics::content_length, &metrics::uncompressed_body_length,
    &metrics::redirects, &metrics::ssl, &metrics::status_code, &metrics::http_version,
    &metrics::failed_due_to_regex};

CheckLog::Fields err(std::string_view text)
{
    CheckLog::Fields fields;
    fields.emplace_back("err", text);
    return fields;
}

class HttpChecker final : public Checker {
public:
    explicit HttpChecker(Settings settings) : settings_{std::move(settings)} {}

    asio::awaitable<Verdict> run(Run& run) const override
    {
        if (!settings_.secrets) {
            Chase chase{run, settings_};
            co_return co_await chase.run();
        }
        Settings filled = settings_;
        Verdict found = co_await fill_in_secrets(run, filled);
        if (!found.passed()) {
            for (const Metric* metric : always)
                run.observed.clear(*metric);
            CheckLog::Fields fields = err(found.message);
            co_return fail(run, "Error resolving secrets", std::move(fields), std::move(found));
        }
        Chase chase{run, filled};
        co_return co_await chase.run();
    }

    Verdict at_deadline(Run& run) const override
    {
        if (!run.finding.passed())
            return run.finding;  // the head had come and has been judged
        return fail(run, "Error for HTTP request", err("deadline reached"), timed_out(run));
    }

private:
    Settings settings_;
};

std::unique_ptr<const Checker> parse(const pb::Check& check, Problems& problems)
{
    auto settings = parse_settings(check, problems);
    return problems.none() ? std::make_unique<HttpChecker>(std::move(settings)) : nullptr;
}

void begin(Observations& observed)
{
    for (const Metric* metric : always)
        observed.set(*metric, 0);
}

std::string pointed_at(const pb::Check& check)
{
    return check.target();
}

}  // namespace

constinit const Kind kind{
    "http", LogEntry::Layout::structured, metrics::all, phases, parse, pointed_at, begin};

}  // namespace sonde::checkers::http
