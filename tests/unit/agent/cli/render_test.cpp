#include "agent/cli/next_step.h"
#include "agent/cli/render.h"
#include "checkers/registry.h"

#include <boost/asio/ip/address.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

using namespace sonde;
using checkers::Verdict;
using cli::CheckStatus;
namespace asio = boost::asio;
using nlohmann::json;

namespace {

checkers::Report report(Verdict verdict)
{
    checkers::Report out;
    out.verdict = std::move(verdict);
    out.duration_seconds = 0.25;
    return out;
}

/// A run of a TCP check that came to `report`.
struct Run {
    explicit Run(checkers::Report its_report, std::string_view target = "t")
        : report{std::move(its_report)}
    {
        check.set_target(std::string{target});
        check.set_timeout(3000);
        check.mutable_settings()->mutable_tcp();
    }

    pb::Check check;
    checkers::Report report;
    cli::Limits limits;
    cli::Outcome outcome{check, *checkers::find_kind("tcp"), report, limits};
};

json rendered(const checkers::Report& of, std::string_view target = "t")
{
    const Run run{of, target};
    const std::string one_line = cli::render_json(run.outcome, true);
    CHECK(one_line.find('\n') == one_line.size() - 1);
    const json object = json::parse(one_line);
    CHECK(object == json::parse(cli::render_json(run.outcome, false)));
    return object;
}

std::string human(const checkers::Report& of, std::string_view target = "t", int columns = 80)
{
    const Run run{of, target};
    cli::Style style;
    style.columns = columns;
    return cli::render_human(run.outcome, style);
}

}  // namespace

TEST_SUITE("cli/render")
{
    TEST_CASE("exit statuses are those of monitoring plugins")
    {
        CHECK(static_cast<int>(CheckStatus::ok) == 0);
        CHECK(static_cast<int>(CheckStatus::warning) == 1);
        CHECK(static_cast<int>(CheckStatus::critical) == 2);
        CHECK(static_cast<int>(CheckStatus::unknown) == 3);
        CHECK(cli::name_of(CheckStatus::ok) == "ok");
        CHECK(cli::name_of(CheckStatus::warning) == "warning");
        CHECK(cli::name_of(CheckStatus::critical) == "critical");
        CHECK(cli::name_of(CheckStatus::unknown) == "unknown");
    }

    TEST_CASE("who is at fault decides between critical and unknown")
    {
        struct Row {
            std::string_view code, cause;
            CheckStatus status;
        };
        const Row table[] = {
            {"connect", "refused", CheckStatus::critical},
            {"connect", "local_no_route", CheckStatus::unknown},
            {"socket", "local_source_address", CheckStatus::unknown},
            {"timeout", "connect", CheckStatus::critical},
            {"resolve", "nxdomain", CheckStatus::critical},
            {"tls", "certificate_expired", CheckStatus::critical},
            {"http_status", "", CheckStatus::critical},
            {"icmp_loss", "", CheckStatus::critical},
            {"tls_config", "", CheckStatus::unknown},
            {"not_supported", "", CheckStatus::unknown},
            {"internal", "", CheckStatus::unknown},
            {"a_code_of_no_list", "", CheckStatus::unknown},
        };
        for (const Row& row : table) {
            CAPTURE(row.code);
            CAPTURE(row.cause);
            CHECK(cli::status_of(report(Verdict::fail(row.code, "why", row.cause))) == row.status);
        }
        CHECK(cli::status_of(report(Verdict::pass())) == CheckStatus::ok);
    }

    TEST_CASE("json: a failure without cause, and a code of no list, have null for them")
    {
        const json known = rendered(report(Verdict::fail("http_status", "why")));
        CHECK(known["reason"] == json{{"code", "http_status"}, {"cause", nullptr},
                                     {"layer", "http"}, {"message", "why"}});
        const json unknown = rendered(report(Verdict::fail("a_code_of_no_list", "why", "cause")));
        CHECK(unknown["reason"]["layer"].is_null());
        CHECK(unknown["reason"]["cause"] == "cause");
    }

    TEST_CASE("json: bytes that are no UTF-8 are repaired wherever a target can put them")
    {
        auto broken = report(Verdict::fail("connect", "said \xff"));
        broken.log.push_back({{}, checkers::LogEntry::Level::warn,
            checkers::LogEntry::Layout::structured, "line", {{"got", std::string_view{"\xfe"}}}});
        static constexpr checkers::Metric metric{"probe_x", "help", "first,second"};
        broken.observed.set(metric, 2, {"\xff", "b"});
        const json object = rendered(broken, "t\xff");
        CHECK(object["target"] == "t\uFFFD");
        CHECK(object["reason"]["message"] == "said \uFFFD");
        CHECK(object["log"][0]["level"] == "warn");
        CHECK(object["log"][0]["time"] == "1970-01-01T00:00:00.000000Z");
        CHECK(object["log"][0]["fields"]["got"] == "\uFFFD");
        const json labels{{"first", "\uFFFD"}, {"second", "b"}};
        CHECK(object["series"].back() ==
              json{{"name", "probe_x"}, {"labels", labels}, {"value", 2.0}});
    }

    TEST_CASE("json: times have microseconds, phases that were not reached say so")
    {
        auto passed = report(Verdict::pass());
        passed.started_at =
            std::chrono::system_clock::time_point{std::chrono::microseconds{1'700'000'000'000'042}};
        passed.phases = {{"resolve", 0.5, true}, {"connect", 0, false}};
        passed.address = asio::ip::make_address("2001:db8::1");
        const json object = rendered(passed);
        CHECK(object["started_at"] == "2023-11-14T22:13:20.000042Z");
        CHECK(object["reason"].is_null());
        CHECK(object["address"] == json{{"ip", "2001:db8::1"}, {"family", 6}});
        CHECK(object["phases"] == json{{{"name", "resolve"}, {"seconds", 0.5}, {"reached", true}},
                                      {{"name", "connect"}, {"seconds", 0.0}, {"reached", false}}});
    }

    TEST_CASE("people read the verdict first; a phase that was not reached is a dash, never 0")
    {
        auto failed = report(Verdict::fail("connect", "nobody there", "refused"));
        failed.phases = {{"resolve", 0.0123, true}, {"connect", 0, false}};
        failed.address = asio::ip::make_address("192.0.2.7");
        CHECK(human(failed, "example.org:25") ==
              "  CRITICAL  example.org:25   connect.refused  250 ms\n"
              "      nobody there\n"
              "\n"
              "    resolve    connect\n"
              "    12.3 ms    FAILED\n"
              "\n"
              "      address      192.0.2.7\n"
              "      series       19 basic / 19 full\n"
              "\n"
              "  Try: sonde check ping 192.0.2.7\n"
              "       whether the host answers at all\n");
        auto passed = report(Verdict::pass());
        passed.duration_seconds = 1.5;
        passed.phases = {{"resolve", 0.00004, true}};
        CHECK(human(passed, "example.org:25")
                .starts_with("  OK  example.org:25     1.50 s\n\n"
                             "    resolve\n    40 µs\n"));
        CHECK(human(report(Verdict::fail("internal", "why"))).starts_with("  UNKNOWN  t  "));
    }

    TEST_CASE("no line is wider than the terminal, down to 60 columns")
    {
        auto failed = report(Verdict::fail("tls",
            "TLS handshake with a-rather-long-name.example.org failed: the certificate has "
            "expired, and this text goes on for a while",
            "certificate_expired"));
        failed.phases = {{"resolve", 0.0123, true}, {"connect", 0.1, true}, {"tls", 0, false},
            {"query", 0, false}};
        for (const int columns : {60, 80, 120}) {
            const std::string page = human(
                failed, "a-rather-long-name.of-a-host.in-some-zone.example.org:8443", columns);
            std::istringstream lines{page};
            for (std::string line; std::getline(lines, line);) {
                CAPTURE(line);
                const auto characters = std::count_if(line.begin(), line.end(),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; });
                const bool is_command = line.starts_with("  Try: ");
                CHECK((characters <= columns || is_command));
            }
        }
    }

    TEST_CASE("the command to try next can be pasted into a shell")
    {
        const auto step = [](std::string_view target, Verdict verdict) {
            const Run run{report(std::move(verdict)), target};
            return cli::next_step(run.outcome).command;
        };
        CHECK(step("h:80", Verdict::fail("tcp_expect", "")) == "sonde check tcp h:80 -o logfmt");
        CHECK(step("h/?a=b&c='", Verdict::fail("tls", "")) ==
              R"(sonde check tcp 'h/?a=b&c='\''' --insecure)");
        CHECK(step("[2001:db8::1]:80", Verdict::fail("connect", "")) ==
              "sonde check ping 2001:db8::1");
        CHECK(step("h.test:80", Verdict::fail("resolve", "", "nxdomain")) ==
              "sonde check dns h.test");
        CHECK(step("[::1]:80", Verdict::fail("resolve", "", "wrong_family")) ==
              "sonde check tcp '[::1]:80'");
    }

    TEST_CASE("limits turn a passing run into a warning or a failure")
    {
        Run run{report(Verdict::pass())};  // 250 ms
        run.limits.warn = std::chrono::milliseconds{100};
        CHECK(run.outcome.status() == CheckStatus::warning);
        run.limits.crit = std::chrono::milliseconds{200};
        CHECK(run.outcome.status() == CheckStatus::critical);
        run.limits.warn = run.limits.crit = std::chrono::milliseconds{250};
        CHECK(run.outcome.status() == CheckStatus::ok);
        run.limits.warn = std::chrono::milliseconds{100};
        const std::string page = cli::render_human(run.outcome, {});
        CHECK(page.starts_with("  WARNING  t"));
        CHECK(page.find("total <= 100 ms (warn)") != std::string::npos);
        CHECK(page.find("FAILED") != std::string::npos);
        Run failed{report(Verdict::fail("connect", "why", "refused"))};
        failed.limits.warn = std::chrono::milliseconds{100};
        CHECK(failed.outcome.status() == CheckStatus::critical);
    }

    TEST_CASE("of several checks the worst counts, unknown between warning and critical")
    {
        using cli::worse;
        CHECK(worse(CheckStatus::ok, CheckStatus::warning) == CheckStatus::warning);
        CHECK(worse(CheckStatus::warning, CheckStatus::unknown) == CheckStatus::unknown);
        CHECK(worse(CheckStatus::unknown, CheckStatus::critical) == CheckStatus::critical);
        CHECK(worse(CheckStatus::critical, CheckStatus::unknown) == CheckStatus::critical);
    }

    TEST_CASE("nagios: one line with data behind the bar")
    {
        auto passed = report(Verdict::pass());
        passed.phases = {{"resolve", 0.0123, true}, {"connect", 0, false}};
        Run run{passed};
        run.limits.warn = std::chrono::milliseconds{300};
        CHECK(cli::render_nagios(run.outcome) ==
              "TCP OK - done in 0.250s | time=0.250000s;0.300;;0;3 resolve=0.012300s\n");
        const Run failed{report(Verdict::fail("tcp_expect", "no line matched /a|b/"))};
        CHECK(cli::render_nagios(failed.outcome) ==
              "TCP CRITICAL - no line matched /a/b/ | time=0.250000s;;;0;3\n");
    }

    TEST_CASE("curl: cumulative times")
    {
        auto passed = report(Verdict::pass());
        passed.phases = {{"resolve", 0.01, true}, {"connect", 0.02, true}, {"tls", 0.03, true},
            {"query", 0, true}};
        passed.address = asio::ip::make_address("192.0.2.7");
        const Run run{passed};
        CHECK(cli::render_curl(run.outcome) == "time_namelookup: 0.010000\n"
                                               "time_connect: 0.030000\n"
                                               "time_appconnect: 0.060000\n"
                                               "time_pretransfer: 0.060000\n"
                                               "time_starttransfer: 0.060000\n"
                                               "time_total: 0.250000\n"
                                               "remote_ip: 192.0.2.7\n"
                                               "exitcode: 0\n"
                                               "errormsg: \n");
    }

    TEST_CASE("prom and logfmt: what the daemon would push, state across runs included")
    {
        const Run run{report(Verdict::pass()), "host \"x\":25"};
        cli::Pushed pushed;
        pushed.take(run.outcome);
        pushed.take(run.outcome);
        const std::string series = pushed.series();
        CHECK(series.find("probe_all_success_count{") != std::string::npos);
        CHECK(series.find("instance=\"host \\\"x\\\":25\"") != std::string::npos);
        const auto at = series.find("probe_all_success_sum{");
        CHECK(series.substr(series.find('}', at), 4) == "} 2\n");
    }

    TEST_CASE("statistics of many runs")
    {
        cli::Statistics figures;
        for (const double seconds : {0.1, 0.2, 0.3}) {
            auto passed = report(Verdict::pass());
            passed.duration_seconds = seconds;
            figures.take(Run{passed}.outcome);
        }
        figures.take(Run{report(Verdict::fail("connect", "why"))}.outcome);
        CHECK(figures.text(std::string(200, 't'), {.columns = 60})
                .starts_with("\n" + std::string(35, 't') + "…: 3 of 4 passed (75.0 %)\n"));
        CHECK(figures.text("t", {}) == "\nt: 3 of 4 passed (75.0 %)\n"
                                       "min 100 ms, mean 200 ms, p95 300 ms, max 300 ms\n");
    }

    TEST_CASE("people see how long a certificate is good for")
    {
        auto passed = report(Verdict::pass());
        auto& certificate = passed.certificate.emplace();
        certificate.subject = "CN=Here";
        certificate.tls_version = "TLS 1.3";
        const auto now = std::chrono::system_clock::now();
        certificate.not_after = std::chrono::system_clock::to_time_t(now + std::chrono::hours{60});
        certificate.verified = true;
        const std::string good = human(passed);
        CHECK(good.starts_with("  OK  t   TLS 1.3  250 ms\n"));
        CHECK(good.find("certificate  CN=Here, 2 days left, verified\n") != std::string::npos);
        certificate.not_after = 0;
        certificate.verified = false;
        const std::string old = human(passed);
        CHECK(old.find("CN=Here, expired ") != std::string::npos);
        CHECK(old.find(" days ago, not verified\n") != std::string::npos);
    }
}
